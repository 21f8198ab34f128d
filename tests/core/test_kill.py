"""Killing: at once, exactly once, and nothing that the victim had been chosen for is lost."""

from collections.abc import Callable
from typing import Any

import pytest
from greenlet import greenlet

from greening._core.current import current
from greening._core.greenthread import getcurrent, kill, spawn, spawn_after
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.sync.lock import Lock
from greening.sync.semaphore import Semaphore
from greening.testing import Fake, FakePoller, settle
from greening.timeout import Timeout

pytestmark = pytest.mark.usefixtures("fake")


def error_of(func: Callable[..., object], *args: object) -> BaseException | None:
    """What `func(*args)` raises."""
    try:
        func(*args)
    except BaseException as error:  # whatever it is: it is the result
        return error
    return None


def test_kill_raises_greenlet_exit_at_once_and_the_caller_goes_on_after_it() -> None:
    order: list[str] = []

    def victim() -> None:
        try:
            sleep(100)
        except GreenletExit:
            order.append("killed")
            raise

    thread = spawn(victim)
    settle()
    spawn(order.append, "spawned before")
    thread.kill()
    assert order[0] == "killed"
    assert thread.dead
    assert order == ["killed", "spawned before"], "the caller is behind those that were runnable already"
    with pytest.raises(GreenletExit):
        thread.wait()


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((GreenletExit,), GreenletExit()),
        ((ValueError,), ValueError()),
        ((ValueError("x"),), ValueError("x")),
        ((ValueError, "x"), ValueError("x")),
        ((ValueError, ("x", 1)), ValueError("x", 1)),
        ((ValueError, ValueError("x")), ValueError("x")),
    ],
)
def test_kill_takes_what_throw_takes(args: tuple[Any, ...], expected: BaseException) -> None:
    thread = spawn(error_of, sleep, 100)
    settle()
    thread.kill(*args)
    error = thread.wait()
    assert type(error) is type(expected)
    assert error is not None
    assert error.args == expected.args


@pytest.mark.parametrize("what", ["GreenletExit", 5, int, object()])
def test_kill_wants_an_exception(what: object) -> None:
    thread = spawn(sleep, 1)
    settle()
    with pytest.raises(TypeError, match="exception"):
        thread.kill(what)
    thread.wait()


def test_kill_wants_a_green_thread() -> None:
    with pytest.raises(TypeError, match="green thread"):
        kill(greenlet(int))  # type: ignore[arg-type]  # the point of the test


def test_the_traceback_that_was_given_is_kept() -> None:
    try:
        raise ValueError("origin")
    except ValueError as error:
        origin = error.__traceback__
    thread = spawn(error_of, sleep, 100)
    settle()
    thread.kill(ValueError, "x", origin)
    error = thread.wait()
    assert error is not None
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    assert trace is origin


def test_an_unstarted_thread_never_runs_and_its_waiters_see_the_exception() -> None:
    thread = spawn(pytest.fail, "it ran")
    waiters = [spawn(error_of, thread.wait) for _ in range(2)]
    linked: list[Any] = []
    thread.link(linked.append)
    thread.kill(LookupError("never"))
    assert thread.dead
    assert linked == [thread]
    assert [str(waiter.wait()) for waiter in waiters] == ["never", "never"]
    settle()


def test_killing_an_unstarted_thread_does_not_run_the_others() -> None:
    ran: list[int] = []
    thread = spawn(int)
    spawn(ran.append, 1)
    thread.kill()
    assert ran == []
    settle()


def test_a_thread_that_was_to_start_later_is_killed_too(fake: Fake[FakePoller]) -> None:
    thread = spawn_after(5, pytest.fail, "it ran")
    thread.kill()
    assert len(fake.hub.timers) == 0
    sleep(10)
    with pytest.raises(GreenletExit):
        thread.wait()


def test_killing_what_has_ended_changes_nothing() -> None:
    thread = spawn(lambda: 5)
    settle()
    thread.kill()
    kill(thread, ValueError)
    assert thread.wait() == 5


def test_killing_oneself_raises_here() -> None:
    def suicide() -> None:
        getcurrent().kill(LookupError("me"))  # type: ignore[attr-defined]  # a GreenThread

    assert isinstance(spawn(error_of, suicide).wait(), LookupError)
    with pytest.raises(LookupError, match="main"):
        kill(current(), LookupError("main"))


def test_what_is_thrown_into_the_hub_comes_out_in_the_main_greenlet() -> None:
    hub_task = current().hub.task
    assert hub_task.parent is current()
    with pytest.raises(KeyError, match="from main"):
        hub_task.throw(KeyError("from main"))
    thrower = spawn(lambda: hub_task.throw(KeyError("from another")))
    with pytest.raises(KeyError, match="from another"):
        sleep(5)
    thrower.wait()
    sleep(0)


def test_main_can_be_killed_by_a_green_thread() -> None:
    main = current()
    thread = spawn(lambda: kill(main, LookupError("you")))
    with pytest.raises(LookupError, match="you"):
        sleep(10)
    thread.wait()


def test_a_victim_may_survive() -> None:
    def tough() -> str:
        for _ in range(3):
            error_of(sleep, 100)
        return "alive"

    thread = spawn(tough)
    settle()
    for _ in range(3):
        assert not thread.dead
        thread.kill()
    assert thread.wait() == "alive"


def test_a_second_kill_before_the_victim_runs_counts() -> None:
    thread = spawn(error_of, sleep, 100)
    settle()
    killer = spawn(thread.kill, LookupError("second"))  # runs after the first has put the victim in front
    thread.kill(ValueError("first"))
    killer.wait()
    assert str(thread.wait()) == "first"


def test_killing_one_that_is_ready_to_run_from_a_sleep() -> None:
    thread = spawn(error_of, sleep, 0)
    sleep(0)
    thread.kill()
    assert isinstance(thread.wait(), GreenletExit)


def test_a_chosen_waiter_that_is_killed_passes_the_lock_on() -> None:
    lock = Lock()
    lock.acquire()
    order: list[str] = []
    first = spawn(error_of, lock.acquire)
    second = spawn(lambda: (lock.acquire(), order.append("second")))
    settle()
    lock.release()  # the first is chosen, and has not run yet
    first.kill()
    assert isinstance(first.wait(), GreenletExit)
    second.wait()
    assert order == ["second"]
    lock.release()
    assert not lock.locked()


def test_a_chosen_waiter_that_times_out_passes_the_permit_on(fake: Fake[FakePoller]) -> None:
    semaphore = Semaphore(0)

    def waiter() -> bool:
        with Timeout(5, False):
            semaphore.acquire()
            return True
        return False

    first, second = spawn(waiter), spawn(semaphore.acquire)
    settle()
    fake.clock.advance(5)
    semaphore.release()
    fake.hub.switches_left = 0  # by way of the hub: the Timeout fires when the first has been chosen and has not run
    assert first.wait() is False
    assert second.wait() is True
    assert semaphore.counter == 0


def test_a_wait_that_times_out_after_it_was_chosen_has_succeeded(fake: Fake[FakePoller]) -> None:
    semaphore = Semaphore(0)
    thread = spawn(semaphore.acquire, timeout=5)
    settle()
    fake.clock.advance(5)
    semaphore.release()
    assert thread.wait() is True
    assert semaphore.counter == 0


def test_a_wait_whose_timer_was_first_is_not_chosen(fake: Fake[FakePoller]) -> None:
    semaphore = Semaphore(0)
    thread = spawn(semaphore.acquire, timeout=5)
    settle()
    fake.clock.advance(5)
    settle()  # the timer has fired, and the thread has run
    semaphore.release()
    assert thread.wait() is False
    assert semaphore.counter == 1


def test_killing_many_is_not_quadratic() -> None:
    threads = [spawn(sleep, 100) for _ in range(2000)]
    for thread in threads:
        thread.kill()
    assert all(thread.dead for thread in threads)
    settle()


# Suspended by a switch that is not ours


@pytest.mark.parametrize("how", ["kill", "timeout"])
def test_a_thread_behind_a_foreign_greenlet_is_reached(fake: Fake[FakePoller], how: str) -> None:
    event = Event()

    def foreign() -> object:
        return event.wait()

    def thread() -> object:
        glet = greenlet(foreign)
        with Timeout(5 if how == "timeout" else None, LookupError("reached")):
            return glet.switch()

    started = spawn(error_of, thread)
    settle()
    if how == "kill":
        started.kill(LookupError("reached"))
        assert started.dead
    assert str(started.wait()) == "reached"
    event.send()
    settle()


def test_main_behind_a_foreign_greenlet_is_reached() -> None:
    event = Event()
    glet = greenlet(event.wait)
    spawn_after(1, error_of, current().hub.raise_in_main, KeyboardInterrupt("now"))
    with pytest.raises(KeyboardInterrupt, match="now"):
        glet.switch()
    event.send()
    settle()


def test_a_timeout_of_a_foreign_greenlet_that_has_ended_is_dropped(fake: Fake[FakePoller]) -> None:
    greenlet(lambda: Timeout(5)).switch()
    sleep(10)
    settle()
    assert len(fake.hub.timers) == 0


def test_a_cancelled_timeout_does_not_come_late(fake: Fake[FakePoller]) -> None:
    event = Event()

    def thread() -> str:
        timeout = Timeout(5)
        glet = greenlet(event.wait)
        try:
            glet.switch()
        finally:
            timeout.cancel()
        sleep(1)
        return "undisturbed"

    started = spawn(thread)
    settle()
    fake.clock.advance(5)
    event.send()
    fake.hub.begin_round(100)  # the foreign greenlet returns to the thread before the hub sees the timer
    assert started.wait() == "undisturbed"


def test_a_finaliser_of_the_arguments_that_waits_is_not_killed() -> None:
    """The function has ended, and with it what a kill is for."""
    ended: list[str] = []

    class Argument:
        def __del__(self) -> None:
            try:
                sleep(0)
                ended.append("by itself")
            except GreenletExit:
                ended.append("killed")

    thread = spawn(lambda argument: None, Argument())
    sleep(0)
    assert ended == []
    thread.kill()
    settle()
    assert ended == ["by itself"]
