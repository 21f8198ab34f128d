"""Tasks: a place to resume, with a value or an error, exactly once per park."""

import gc
import re
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from greenlet import getcurrent

from greening._core.critical import guard
from greening._core.current import current
from greening._core.greenthread import spawn
from greening._core.task import DEAD, NEW, PARKED, READY, RUNNING, TIMED_OUT, Task
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.sync.semaphore import Semaphore
from greening.testing import Fake, FakePoller, settle


def test_one_wake_up_per_park(fake: Fake[FakePoller]) -> None:
    def thread() -> list[object]:
        me = current()
        me.state = PARKED
        got = [me.park()]
        me.state = PARKED
        with pytest.raises(LookupError, match="first"):
            me.park()
        return got

    started = spawn(thread)
    settle()
    assert started.wake("first") is True
    assert started.wake("second") is False
    settle()
    assert started.wake("third") is True
    assert started.interrupt(LookupError("first")) is True, "before it runs, an error takes precedence"
    assert started.interrupt(LookupError("second")) is False
    assert started.wait() == ["first"]
    assert started.wake() is False
    assert started.interrupt(LookupError()) is False


def test_a_deadline_and_a_wake_up(fake: Fake[FakePoller]) -> None:
    def thread() -> list[object]:
        me = current()
        got = []
        for seconds in (5, 1, 10):
            me.state = PARKED
            got.append(me.park(fake.clock.now() + seconds))
        return got

    started = spawn(thread)
    settle()
    started.wake("woken")
    assert started.wait() == ["woken", TIMED_OUT, TIMED_OUT]
    assert fake.clock.now() == 1011.0


def test_one_timer_per_waiter_however_often_it_waits(fake: Fake[FakePoller]) -> None:
    event = Event()

    def waits() -> None:
        for _ in range(500):
            semaphore.acquire(timeout=60)

    semaphore = Semaphore(0)
    thread = spawn(waits)
    settle()
    for _ in range(500):
        assert len(fake.hub.timers) <= 1
        semaphore.release()
        settle()
    thread.wait()
    event.send()
    assert len(fake.hub.timers) == 0, "what has ended leaves no timer behind"


def test_a_deadline_that_is_nan_leaves_the_task_running(fake: Fake[FakePoller]) -> None:
    me = current()
    me.state = PARKED
    with pytest.raises(ValueError, match="nan"):
        me.park(float("nan"))
    assert spawn(lambda: 5).wait() == 5


def park_until(deadline: float) -> Any:
    me = current()
    me.state = PARKED
    return me.park(deadline)


def test_a_deadline_that_comes_later_than_the_one_before_is_kept(fake: Fake[FakePoller]) -> None:
    """The alarm of the wait before rings too early, and is set again."""
    thread = spawn(lambda: [park_until(1010.0), park_until(1020.0), fake.clock.now()])
    settle()
    thread.wake("early")
    assert thread.wait() == ["early", TIMED_OUT, 1020.0]


def test_an_alarm_that_nothing_waits_for_any_more_rings_for_nothing(fake: Fake[FakePoller]) -> None:
    thread = spawn(lambda: [park_until(1010.0), sleep(0), "done"])
    settle()
    thread.wake("early")
    sleep(20)
    assert thread.wait() == ["early", None, "done"]


def test_a_sooner_deadline_than_the_one_before_is_kept(fake: Fake[FakePoller]) -> None:
    thread = spawn(lambda: [park_until(1050.0), park_until(1010.0), fake.clock.now()])
    settle()
    thread.wake("early")
    assert thread.wait() == ["early", TIMED_OUT, 1010.0]


def test_an_error_that_was_kept_is_raised_by_the_next_wait(fake: Fake[FakePoller]) -> None:
    me = current()
    me.error = LookupError("kept")
    me.state = PARKED
    with pytest.raises(LookupError, match="kept"):
        me.park()
    assert (me.state, me.error) == (RUNNING, None)


def test_a_park_that_does_not_happen_leaves_nothing_behind(fake: Fake[FakePoller]) -> None:
    me = current()
    me.state = PARKED
    generation = me.generation
    assert me.wake("value")
    assert list(fake.hub.ready) == [me]
    me.error = LookupError()
    me.cancel_park(keep_error=True)
    assert (me.state, me.value, list(fake.hub.ready)) == (RUNNING, None, [])
    assert me.generation > generation
    assert me.error is not None
    me.cancel_park()
    assert me.error is None


def test_a_turn_that_is_passed_is_no_point_of_interruption(fake: Fake[FakePoller]) -> None:
    def body() -> list[str]:
        current().pass_turn()
        got = ["passed"]
        try:
            sleep(1)
        except LookupError as error:
            got.append(str(error))
        return got

    thread = spawn(body)
    spawn(lambda: thread.interrupt(LookupError("meanwhile")))
    assert thread.wait() == ["passed", "meanwhile"]


def test_a_critical_step_is_given_away_while_its_task_waits(fake: Fake[FakePoller]) -> None:
    depths: list[int] = []
    spawn(lambda: depths.append(guard.depth))
    with guard, guard:
        sleep(0)
        depths.append(guard.depth)
    assert depths == [0, 2]


# What a task is


def test_states_and_names_are_shown(fake: Fake[FakePoller]) -> None:
    thread = spawn(sleep, 1)
    thread.name = "worker"
    shown = [repr(thread)]
    settle()
    shown.append(repr(thread))
    thread.wake()
    shown.append(repr(thread))
    thread.wait()
    shown.append(repr(thread))
    kinds = [re.fullmatch(r"<GreenThread 'worker' (\w+) at 0x[0-9a-f]+>", text) for text in shown]
    assert [kind and kind[1] for kind in kinds] == ["new", "parked", "ready", "dead"]
    assert repr(current()).startswith("<Task 'main greenlet' running ")
    assert repr(TIMED_OUT) == "TIMED_OUT"


def test_a_task_is_new_until_it_has_a_greenlet(fake: Fake[FakePoller]) -> None:
    task = Task(fake.hub)
    assert (task.state, task.greenlet) == (NEW, None)
    assert fake.hub.main.greenlet is getcurrent()
    assert fake.hub.main.state == RUNNING


def test_the_greenlet_of_a_task_is_the_one_that_runs_it(fake: Fake[FakePoller]) -> None:
    seen: list[object] = []
    thread = spawn(lambda: (seen.append(getcurrent()), sleep(1)))
    assert thread.greenlet is None
    settle()
    assert thread.greenlet is seen[0]
    thread.wait()
    assert thread.greenlet is None


def test_values_of_locals_are_made_on_first_use_and_freed_at_the_end(fake: Fake[FakePoller]) -> None:
    class Value:
        pass

    def body() -> "weakref.ref[Value]":
        mine = current().locals
        assert mine is current().locals
        mine["key"] = value = Value()
        return weakref.ref(value)

    found = spawn(body).wait()
    gc.collect()
    assert found() is None
    assert "key" not in current().locals


def test_a_task_that_is_lost_is_woken_by_nothing(fake: Fake[FakePoller]) -> None:
    task = Task(fake.hub)
    task.state = PARKED
    task.orphan("its OS thread has ended")
    assert task.state == DEAD
    assert not task.wake()
    assert not task.interrupt(GreenletExit())
    assert not fake.hub.ready


def test_a_task_that_was_chosen_gets_an_error_all_the_same(fake: Fake[FakePoller]) -> None:
    task = Task(fake.hub)
    task.state = READY
    assert task.interrupt(LookupError("first"))
    assert not task.interrupt(LookupError("second"))
    assert str(task.error) == "first"


def test_a_wake_up_from_another_os_thread_is_posted(fake: Fake[FakePoller], in_os_thread: Callable[..., Any]) -> None:
    thread = spawn(park_until, 1e6)
    settle()
    assert in_os_thread(thread.wake, "from afar")
    assert thread not in fake.hub.ready
    assert thread.wait() == "from afar"


def test_an_error_that_foreign_code_throws_into_a_greenlet_that_waits_ends_the_wait(fake: Fake[FakePoller]) -> None:
    event = Event()
    thread = spawn(event.wait)
    settle()
    glet: Any = thread.greenlet

    def throw() -> None:
        me = current()
        me.state = READY
        fake.hub.ready.append(me)  # or nothing would come back here
        glet.throw(GreenletExit("from afar"))

    spawn(throw).wait()
    with pytest.raises(GreenletExit, match="from afar"):
        thread.wait()
    event.send()
    assert not fake.hub.ready
