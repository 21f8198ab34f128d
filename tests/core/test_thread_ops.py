"""The life of a green thread: it runs, its end is told, and what it had is let go."""

from typing import Any

import pytest

from greening._core.current import current
from greening._core.greenthread import GreenThread, spawn
from greening._core.task import DEAD, NEW, READY, RUNNING
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.testing import Fake, FakePoller, settle

pytestmark = pytest.mark.usefixtures("fake")


def error_at(depth: int) -> None:
    if depth:
        error_at(depth - 1)
    raise LookupError("deep")


def test_a_thread_is_new_then_runs_and_is_dead_at_the_end() -> None:
    states: list[int] = []
    thread = spawn(lambda: states.append(current().state))
    assert (thread.state, bool(thread), thread.started, thread.dead) == (NEW, False, False, False)
    thread.link(lambda gt: states.append(gt.state))
    thread.wait()
    settle()
    assert states[0] == RUNNING
    assert (thread.state, bool(thread), thread.started, thread.dead) == (DEAD, False, False, True)


def test_the_traceback_begins_with_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.excepthook", lambda args: None)
    thread = spawn(error_at, 2)
    with pytest.raises(LookupError) as caught:
        thread.wait()
    names = [entry.name for entry in caught.traceback]
    assert names[-3:] == ["error_at"] * 3
    assert "execute" not in names


def test_the_waiters_are_woken_before_the_links_are_called_and_in_links_it_has_ended() -> None:
    order: list[Any] = []

    def link(gt: GreenThread[int]) -> None:
        order.append(("link", gt.dead, gt.wait()))
        sleep(1)  # a link may park: the waiters go on meanwhile
        order.append("link ends")

    thread = spawn(int, 5)
    thread.link(link)
    waiter = spawn(lambda: order.append(("waiter", thread.wait())))
    waiter.wait()
    sleep(2)
    assert order == [("link", True, 5), ("waiter", 5), "link ends"]


def test_what_a_thread_had_is_let_go() -> None:
    thread = spawn(sleep, 1)
    thread.locals["key"] = "value"
    settle()
    assert thread.timer is not None
    thread.wake()
    thread.wait()
    settle()
    assert (thread.timer, thread.context, thread.resume, thread.greenlet) == (None, None, None, None)
    assert thread.locals == {}


def test_an_error_that_came_before_the_start_is_raised_instead_of_the_call() -> None:
    ran: list[int] = []
    thread = spawn(ran.append, 1)
    thread.error = GreenletExit("before")
    with pytest.raises(GreenletExit, match="before"):
        thread.wait()
    assert ran == []


def test_waiting_for_one_that_ends_before_the_wait_is_entered(
    fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = spawn(int, 5)
    thread.wait()
    assert thread.wait(0) == 5
    assert current().state == RUNNING
    assert not fake.hub.timers


def test_a_thread_that_was_killed_between_its_turn_and_its_start_does_nothing() -> None:
    ran: list[int] = []
    thread = spawn(ran.append, 1)
    thread.kill()
    thread.execute()
    assert ran == []
    assert thread.resume is None
    assert thread.state != READY


def test_the_age_of_a_thread_is_counted_from_its_spawn() -> None:
    thread = spawn(int)
    assert 0 <= thread.age() < 60
