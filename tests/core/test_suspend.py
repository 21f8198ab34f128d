"""`suspend` and `switch`: one task waits, another resumes it by name."""

from collections.abc import Callable
from typing import Any

import pytest

from greening._core.critical import guard
from greening._core.current import current
from greening._core.greenthread import getcurrent, spawn
from greening._core.suspend import suspend, switch
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.sync.lock import Lock
from greening.testing import Fake, settle
from greening.timeout import Timeout

pytestmark = pytest.mark.usefixtures("fake")


@pytest.mark.parametrize(("given", "got"), [((), ()), ((1,), 1), ((1, 2), (1, 2))])
def test_the_value_of_switch_is_what_suspend_returns(given: tuple[int, ...], got: object) -> None:
    thread = spawn(suspend)
    settle()
    assert thread.switch(*given) == ()
    assert thread.wait() == got


def test_what_is_switched_to_runs_next_and_the_caller_in_its_turn() -> None:
    order: list[str] = []
    thread = spawn(lambda: order.append(f"resumed {suspend()}"))
    settle()
    spawn(order.append, "another")
    thread.switch("now")
    order.append("caller")
    assert order == ["resumed now", "another", "caller"]


def test_a_callback_goes_on_right_behind_what_it_switches_to() -> None:
    order: list[str] = []

    def wait(name: str) -> None:
        suspend()
        order.append(name)
        suspend()

    one, other = spawn(wait, "one"), spawn(wait, "other")
    settle()

    def call() -> None:
        one.switch()
        order.append("between")
        other.throw()
        order.append("end")

    callback = spawn(call)
    callback.calls_back = True
    spawn(order.append, "another")
    settle()
    assert order == ["one", "between", "end", "another"]
    assert other.dead
    one.kill()


def test_what_is_run_next_in_a_critical_step_does_not_run_within_it() -> None:
    thread = spawn(suspend)
    settle()
    with guard:
        thread.switch("value")
        assert not thread.dead
    assert thread.wait() == "value"


def test_another_os_thread_may_switch(in_os_thread: Callable[..., Any]) -> None:
    threads = [spawn(suspend), spawn(sleep, 1000)]
    settle()
    for thread in threads:
        in_os_thread(thread.switch, "value")
    assert [thread.wait() for thread in threads] == ["value", None]


def test_the_main_greenlet_can_be_suspended_too() -> None:
    main = getcurrent()
    spawn(lambda: main.switch("back"))
    assert suspend() == "back"


def test_throw_ends_it_with_an_error() -> None:
    thread = spawn(suspend)
    thread.quiet = True
    settle()
    thread.throw(KeyError, "k")
    with pytest.raises(KeyError, match="k"):
        thread.wait()


def test_throw_without_arguments_is_a_kill() -> None:
    thread = spawn(suspend)
    settle()
    thread.throw()
    with pytest.raises(GreenletExit):
        thread.wait()


def test_a_timeout_ends_it_and_a_switch_that_comes_later_finds_nobody() -> None:
    def impatient() -> object:
        with Timeout(0.01, False):
            suspend()
        return suspend()

    thread = spawn(impatient)
    sleep(0.1)
    thread.switch("second")
    assert thread.wait() == "second"


def test_a_switch_ends_a_sleep(fake: Fake) -> None:
    thread = spawn(sleep, 10)
    settle()
    thread.switch("value")
    before = fake.clock.now()
    assert thread.wait() is None
    assert fake.clock.now() == before


def test_a_switch_ends_the_wait_for_an_event_with_its_value() -> None:
    event = Event()
    threads = [spawn(event.wait) for _ in range(3)]
    settle()
    assert threads[1].switch("early") == ()
    assert threads[1].wait() == "early"
    event.send("sent")
    assert [thread.wait() for thread in threads] == ["sent", "early", "sent"]


@pytest.mark.parametrize("wait", [lambda: sleep(10), Event().wait], ids=["sleep", "event"])
def test_what_is_interrupted_can_wait_for_something_else_afterwards(wait: Any) -> None:
    lock = Lock()
    lock.acquire()

    def patient() -> bool:
        with Timeout(1, False):
            wait()
        return lock.acquire()

    thread = spawn(patient)
    sleep(2)
    thread.switch("not the lock")
    settle()
    assert not thread.dead
    lock.release()
    assert thread.wait() is True


def test_a_switch_to_one_that_waits_for_a_lock_does_nothing() -> None:
    lock = Lock()
    lock.acquire()
    thread = spawn(lock.acquire)
    settle()
    assert thread.switch(True) == ()
    settle()
    assert not thread.dead
    lock.release()
    assert thread.wait() is True


def test_what_is_runnable_new_or_dead_is_left_alone() -> None:
    new = spawn(lambda: "ran")
    assert new.switch() == ()
    assert new.wait() == "ran"
    assert new.switch(3) == ()
    runnable = spawn(sleep, 0)
    sleep(0)
    assert runnable.switch() == ()
    assert runnable.wait() is None


def test_the_running_task_gets_the_value_at_once() -> None:
    assert switch(current(), 5) == 5


def test_each_of_two_switches_counts_if_the_task_can_run_in_between() -> None:
    thread = spawn(lambda: [suspend(), suspend(), suspend()])
    settle()
    thread.switch(1)
    thread.switch(2)
    with guard:  # nobody runs in between
        thread.switch(3)
        thread.switch("lost")
    assert thread.wait() == [1, 2, 3]


def test_tasks_look_like_greenlets_to_those_who_ask() -> None:
    thread = spawn(suspend)
    assert (thread.parent, thread.dead, thread.gr_frame) == (None, False, None)
    settle()
    assert thread.gr_frame is not None
    assert getcurrent().parent is None
    assert getcurrent().dead is False
    thread.kill()
    assert (thread.dead, thread.gr_frame) == (True, None)
