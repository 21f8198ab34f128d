"""The heap of deadlines, with plain numbers for times."""

import math

import pytest

from greening._core import timers as module
from greening._core.timers import SLACK, TimerHeap, deadline_after


def fired(heap: TimerHeap, now: float) -> list[object]:
    """Calls that are due, in order; each is made, and returns a name."""
    names = []
    while (timer := heap.pop_due(now)) is not None:
        names.append(timer.call(*timer.args))
    return names


def name(what: object) -> object:
    return what


def test_due_in_the_order_of_their_times() -> None:
    heap = TimerHeap()
    for when in (3, 1, 2):
        heap.add(when, name, when)
    assert fired(heap, 2) == [1, 2]
    assert fired(heap, 3) == [3]


def test_equal_times_in_the_order_of_adding() -> None:
    heap = TimerHeap()
    for letter in "abc":
        heap.add(7.0, name, letter)
    assert fired(heap, 7.0) == ["a", "b", "c"]


def test_a_cancelled_timer_is_never_due() -> None:
    heap = TimerHeap()
    timer = heap.add(1, name, "gone")
    heap.add(2, name, "stays")
    timer.cancel()
    timer.cancel()
    assert not timer.pending
    assert len(heap) == 1
    assert heap.next_deadline() == 2
    assert fired(heap, 5) == ["stays"]


def test_cancelling_after_the_call_changes_nothing() -> None:
    heap = TimerHeap()
    timer = heap.add(1, name, "a")
    assert fired(heap, 1) == ["a"]
    timer.cancel()
    assert len(heap) == 0


def test_cancelling_frees_what_the_call_refers_to() -> None:
    heap = TimerHeap()
    timer = heap.add(1, name, object())
    timer.cancel()
    assert timer.args == ()
    assert timer.call is not name


def test_no_timer_no_deadline() -> None:
    heap = TimerHeap()
    assert heap.next_deadline() is None
    heap.add(1, name, 1).cancel()
    assert heap.next_deadline() is None
    assert fired(heap, math.inf) == []


def test_the_dead_are_thrown_out_when_they_outnumber_the_living() -> None:
    heap = TimerHeap()
    keep = [heap.add(n, name, n) for n in range(100)]
    for n in range(10 * SLACK):
        heap.add(1000 + n, name, n).cancel()
        assert len(heap._entries) <= 2 * max(SLACK, len(keep)) + 2
    assert len(heap) == 100
    assert fired(heap, 1e9) == list(range(100))


def test_cancelled_timers_within_the_slack_cost_no_rebuild(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "heapify", lambda entries: pytest.fail("rebuilt"))
    heap = TimerHeap()
    for n in range(SLACK):
        heap.add(n, name, n).cancel()
    assert len(heap) == 0


def test_what_is_added_after_the_mark_is_not_due_this_time() -> None:
    heap = TimerHeap()
    heap.add(1, name, "before")
    mark = heap.mark()
    heap.add(1, name, "after")
    timer = heap.pop_due(1, mark)
    assert timer is not None
    assert timer.args == ("before",)
    assert heap.pop_due(1, mark) is None
    assert fired(heap, 1) == ["after"]


def test_nan_has_no_place_in_the_order() -> None:
    heap = TimerHeap()
    with pytest.raises(ValueError, match="nan"):
        heap.add(math.nan, name, 1)
    assert len(heap) == 0


def test_clear_forgets_everything() -> None:
    heap = TimerHeap()
    timers = [heap.add(n, name, n) for n in range(5)]
    timers[0].cancel()
    heap.clear()
    assert len(heap) == 0
    assert not any(timer.pending for timer in timers)
    timers[1].cancel()
    assert len(heap) == 0


@pytest.mark.parametrize("seconds", ["5", None, object(), [1]])
def test_a_time_to_wait_must_be_a_number(seconds: object) -> None:
    with pytest.raises(TypeError, match="number of seconds"):
        deadline_after(1.0, seconds)  # type: ignore[arg-type]  # the point of the test


def test_a_time_to_wait_must_not_be_nan() -> None:
    with pytest.raises(ValueError, match="nan"):
        deadline_after(1.0, math.nan)
    assert deadline_after(1.0, math.inf) == math.inf
