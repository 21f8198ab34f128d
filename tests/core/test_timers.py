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


def test_an_heir_gets_the_timers_of_one_alone() -> None:
    heap, heir = TimerHeap(), TimerHeap()
    mine, other = object(), object()
    late, soon = heap.add(9, name, mine, 1), heap.add(3, name, mine)
    gone = heap.add(1, name, mine)
    gone.cancel()
    others = [heap.add(2, name, other), heap.add(4, name)]
    heap.hand_over(heir, mine)
    assert len(heap) == 0
    assert heap.next_deadline() is None
    assert (len(heir), heir.next_deadline()) == (2, 3)
    assert soon.pending and late.pending
    assert not any(timer.pending for timer in others)
    late.cancel()
    assert len(heir) == 1, "they know where they belong"
    heir.add(3, name, "later")
    assert heir.pop_due(3) is soon, "the order of adding goes on"


def test_a_heap_that_is_cleared_forgets_its_timers() -> None:
    heap = TimerHeap()
    timers = [heap.add(when, name, "x") for when in range(3)]
    timers[0].cancel()
    heap.clear()
    assert len(heap) == 0
    assert not any(timer.pending for timer in timers)
    timers[1].cancel()
    assert len(heap) == 0


def test_a_cancelled_timer_that_is_called_all_the_same_does_nothing() -> None:
    """Its call may have been taken out, and not made yet."""
    timer = TimerHeap().add(1, name, "x")
    timer.cancel()
    assert timer.call(*timer.args) is None


def test_the_live_timers_are_listed_by_their_time() -> None:
    heap = TimerHeap()
    late, dead, early = heap.add(3, print), heap.add(2, print), heap.add(1, print)
    dead.cancel()
    assert heap.pending() == [early, late]
