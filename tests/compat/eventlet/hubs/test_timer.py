"""Timers of eventlet's hubs: a call later, once, unless it is cancelled."""

import gc
import threading
from contextvars import ContextVar
from typing import Any

import pytest

from greening._core.greenthread import GreenThread, getcurrent, spawn
from greening._core.waiting import sleep
from greening.compat.eventlet import hubs
from greening.compat.eventlet.hubs.timer import LocalTimer, Timer
from greening.errors import GreenletExit
from greening.testing import settle
from greening.timeout import Timeout

pytestmark = pytest.mark.usefixtures("fake")


def test_it_calls_once_when_its_time_has_come() -> None:
    calls: list[tuple[Any, ...]] = []
    timer = Timer(1, lambda *args, **kw: calls.append((args, kw)), 1, x=2)
    assert (timer.pending, timer.called, timer.scheduled_time) == (True, False, None)
    assert timer.schedule() is timer
    sleep(0.5)
    assert calls == []
    sleep(1)
    timer()
    assert calls == [((1,), {"x": 2})]
    assert (timer.pending, timer.called) == (False, True)


@pytest.mark.parametrize("seconds", [0, -1])
def test_one_that_is_due_has_called_after_the_next_turn(seconds: int) -> None:
    calls: list[int] = []
    Timer(seconds, calls.append, 1).schedule()
    sleep(0)
    assert calls == [1]


def test_cancelled_it_never_calls() -> None:
    calls: list[int] = []
    timer = Timer(1, calls.append, 1).schedule()
    timer.cancel()
    timer.cancel()
    timer()
    sleep(2)
    assert (calls, timer.pending) == ([], False)


def test_it_makes_a_green_thread_when_its_time_has_come_and_none_if_it_is_cancelled() -> None:
    def green_threads() -> int:
        return sum(isinstance(one, GreenThread) for one in gc.get_objects())

    before = green_threads()
    timers = [Timer(1, print).schedule() for _ in range(5)]
    assert green_threads() == before
    for timer in timers:
        timer.cancel()
    assert hubs.get_hub().get_timers_count() == hubs.get_hub().timers_canceled


def test_another_os_thread_may_cancel_it() -> None:
    calls: list[int] = []
    timer = Timer(1, calls.append, 1).schedule()
    other = threading.Thread(target=timer.cancel)
    other.start()
    other.join()
    sleep(2)
    assert (calls, timer.called) == ([], True)


@pytest.mark.parametrize("seconds", [0, 1])
def test_the_call_has_the_context_of_the_one_that_started_the_timer(seconds: int) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="none")
    found: list[str] = []

    def make() -> None:
        variable.set("the maker's")
        Timer(seconds, lambda: found.append(variable.get())).schedule()

    spawn(make)
    sleep(2)
    assert found == ["the maker's"]


def test_a_copy_calls_for_itself() -> None:
    calls: list[int] = []
    timer = Timer(1, calls.append, 1)
    timer.copy().schedule()
    sleep(2)
    assert (calls, timer.called) == ([1], False)
    timer()
    with pytest.raises(RuntimeError, match="has made its call"):
        timer.copy()


def test_the_call_may_wait() -> None:
    order: list[str] = []
    Timer(0, lambda: (sleep(1), order.append("call"))).schedule()
    spawn(order.append, "other")
    sleep(2)
    assert order == ["other", "call"]


def test_a_local_timer_dies_with_the_green_thread_that_made_it() -> None:
    calls: list[int] = []
    made: list[LocalTimer] = []

    def maker(number: int) -> None:
        made.append(LocalTimer(1, calls.append, number))
        made[-1].schedule()
        sleep(number)

    for number in (0, 2):
        spawn(maker, number)
    settle()
    assert [timer.pending for timer in made] == [False, True]
    sleep(3)
    assert calls == [2]


def test_a_local_timer_can_be_cancelled() -> None:
    calls: list[int] = []
    LocalTimer(1, calls.append, 1).schedule().cancel()
    sleep(2)
    assert calls == []


def test_an_error_says_where_the_timer_was_made_if_that_is_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    monkeypatch.setattr("threading.excepthook", reported.append)
    Timer(0, lambda: 1 / 0).schedule()
    monkeypatch.setattr(Timer, "remember_stacks", True)
    Timer(0, lambda: 1 / 0).schedule()
    sleep(0)
    notes = ["".join(getattr(report.exc_value, "__notes__", ())) for report in reported]
    assert [__file__ in note for note in notes] == [False, True]
    assert __file__ in repr(Timer(0, print))


def test_it_shows_its_call_and_has_an_order() -> None:
    timer = Timer(1, print)
    assert "print" in repr(timer)
    assert __file__ not in repr(timer)
    assert sorted([timer, Timer(2, print)])


def test_what_callbacks_resume_runs_within_their_turn() -> None:
    """As in eventlet, whose hub makes the calls itself."""
    hub = hubs.get_hub()
    order: list[object] = []

    def wait(name: str) -> None:
        order.append((name, hub.switch()))

    one, other, third = (spawn(wait, name) for name in ("one", "other", "third"))
    sleeper = spawn(sleep, 1000)
    sleeper.link(order.append)
    sleep(0)

    def call() -> None:
        other.switch(2)
        order.append("in the callback")
        third.throw(GreenletExit)
        order.append("end of the callback")

    for callback, *args in (
        (one.switch, 1),
        (order.append, "between"),
        (call,),
        (sleeper.switch,),
        (order.append, "last"),
    ):
        hub.schedule_call_global(0, callback, *args)
    sleep(0)
    calls = ["in the callback", "end of the callback"]
    assert order == [("one", 1), "between", ("other", 2), *calls, sleeper, "last"]
    assert third.dead


def test_a_green_thread_may_have_itself_resumed_and_switch_to_another() -> None:
    hub = hubs.get_hub()
    order: list[str] = []
    thread = spawn(lambda: order.append(hub.switch()))
    sleep(0)
    hub.schedule_call_global(0, getcurrent().switch)
    thread.switch("first")
    order.append("caller")
    with Timeout(20):
        sleep(0.001)  # which the switch must not end: it was meant for the wait above
    assert order == ["first", "caller"]
