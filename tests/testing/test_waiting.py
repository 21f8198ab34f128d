"""`wait_until_parked`: it returns when a thread waits, in whatever, and never later than needed."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._core.current import current
from greening._core.greenthread import GreenThread, spawn
from greening._core.task import PARKED
from greening._core.waiting import sleep, wait_readable
from greening._originals import allocate_lock, start_new_thread
from greening.sync.event import Event
from greening.sync.lock import Lock
from greening.testing import Fake, FakePoller, wait_until_parked

FD = 1007


@pytest.fixture
def parked(fake: Fake[FakePoller]) -> Iterator[Callable[..., None]]:
    """Call it with a function: a green thread that runs it is waited for, and ended afterwards."""
    threads: list[GreenThread[Any]] = []

    def begin(function: Callable[..., Any], *args: Any) -> None:
        threads.append(spawn(function, *args))
        wait_until_parked(threads[-1])
        assert threads[-1].state == PARKED

    yield begin
    for thread in threads:
        thread.kill()


def hold(lock: Lock) -> Lock:
    lock.acquire()
    return lock


def test_a_thread_that_waits_for_anything_is_parked(parked: Callable[..., None], fake: Fake[FakePoller]) -> None:
    for wait in (
        hold(Lock()).acquire,
        Event().wait,
        lambda: sleep(1000),
        lambda: wait_readable(FD),
        lambda: spawn(sleep, 1).wait(),
    ):
        parked(wait)
    assert fake.clock.now() == 1000.0, "time does not pass"
    sleep(2)


def test_others_run_until_the_thread_waits(fake: Fake[FakePoller]) -> None:
    event, turns = Event(), []

    def body() -> None:
        for turn in range(5):
            turns.append(turn)
            sleep(0)
        event.wait()

    thread = spawn(body)
    wait_until_parked(thread)
    assert turns == [0, 1, 2, 3, 4]
    event.send()
    thread.wait()


def test_a_thread_that_has_ended_will_never_wait(fake: Fake[FakePoller]) -> None:
    thread = spawn(int)
    with pytest.raises(RuntimeError, match="has ended"):
        wait_until_parked(thread)
    with pytest.raises(RuntimeError, match="has ended"):
        wait_until_parked(thread)


def test_a_thread_that_was_killed_before_its_start_will_never_wait(fake: Fake[FakePoller]) -> None:
    thread = spawn(int)
    thread.kill()
    with pytest.raises(RuntimeError, match="has ended"):
        wait_until_parked(thread)


def test_the_running_thread_does_not_wait(fake: Fake[FakePoller]) -> None:
    with pytest.raises(RuntimeError, match="main greenlet is the running thread"):
        wait_until_parked(current())


def test_a_thread_that_never_waits_is_given_up(fake: Fake[FakePoller]) -> None:
    done: list[int] = []
    thread = spawn(lambda: [sleep(0) for _ in iter(lambda: not done, False)])
    with pytest.raises(TimeoutError, match=r"did not wait for anything within 0\.01 s"):
        wait_until_parked(thread, 0.01)
    done.append(1)
    thread.wait()


def test_a_thread_of_another_os_thread_is_waited_for() -> None:
    made: list[Any] = []
    begun, go, ended = allocate_lock(), Event(), Event()
    begun.acquire()

    def body() -> None:
        thread = spawn(go.wait)
        made.extend([thread, current()])
        begun.release()
        ended.send(thread.wait())

    start_new_thread(body, ())
    begun.acquire()
    for thread in made:
        wait_until_parked(thread)
        assert thread.state == PARKED
    go.send("gone on")
    assert ended.wait() == "gone on"


def test_a_thread_of_threading_is_waited_for_where_it_is_green(run_program: Callable[..., Any]) -> None:
    run_program("""
import greening
greening.monkey_patch()
import threading
from greening.testing import wait_until_parked
event, reached = threading.Event(), []
def body():
    reached.append(1)
    event.wait()
    reached.append(2)
thread = threading.Thread(target=body)
thread.start()
wait_until_parked(thread)
assert reached == [1]
event.set()
thread.join()
try:
    wait_until_parked(thread)
    raise SystemExit("it has ended")
except RuntimeError as error:
    assert "has ended" in str(error)
""")


def test_a_native_thread_is_no_green_thread() -> None:
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    with pytest.raises(RuntimeError, match="OS thread"):
        wait_until_parked(thread)
    go.set()
    thread.join()


@pytest.mark.parametrize("what", [None, 5, threading.Thread(target=int), "thread"])
def test_what_is_no_thread_that_was_started_is_refused(what: object) -> None:
    with pytest.raises(TypeError, match="green thread"):
        wait_until_parked(what)
