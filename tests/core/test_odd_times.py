"""A time that is not a real number is refused at the door, and nothing has changed."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import greening
from greening._core.current import current, get_hub
from greening._core.task import PARKED, RUNNING
from greening._core.timers import TimerHeap, deadline_after, real_number, stdlib_number
from greening._core.waiting import wait_fd

pytestmark = pytest.mark.usefixtures("fake")


class Contrary:
    """Takes part in every addition and comparison, and is no number."""

    def __radd__(self, other: object) -> object:
        return 1j

    def __lt__(self, other: object) -> bool:
        return False

    __gt__ = __le__ = __ge__ = __lt__


class ContraryFloat(float):
    """A float that adds and compares in its own way."""

    def __radd__(self, other: object) -> Any:
        return "sum"

    def __lt__(self, other: object) -> bool:
        raise AssertionError

    __gt__ = __le__ = __ge__ = __lt__


class Real:
    def __float__(self) -> float:
        return 0.001


REFUSED = [
    (1j, TypeError),
    ("0.001", TypeError),
    (b"1", TypeError),
    ([1], TypeError),
    (object(), TypeError),
    (Contrary(), TypeError),
    (float("nan"), ValueError),
    (Decimal("nan"), (TypeError, ValueError, ArithmeticError)),
    (10**400, OverflowError),
]


def on_empty_queue(timeout: Any) -> object:
    return greening.Queue[int]().get(timeout=timeout)


def on_full_queue(timeout: Any) -> object:
    full = greening.Queue[int](1)
    full.put(1)
    return full.put(2, timeout=timeout)


def on_unfinished_queue(timeout: Any) -> object:
    queue = greening.Queue[int]()
    queue.put(1)
    return queue.join(timeout)


def on_condition(timeout: Any) -> object:
    condition = greening.Condition()
    with condition:
        return condition.wait(timeout)


def on_predicate(timeout: Any) -> object:
    condition = greening.Condition()
    with condition:
        return condition.wait_for(lambda: False, timeout)


def on_taken_lock(timeout: Any) -> object:
    lock = greening.Lock()
    lock.acquire()
    return lock.acquire(timeout=timeout)


def on_thread(timeout: Any) -> object:
    thread = greening.spawn(greening.sleep, 60)
    try:
        return thread.wait(timeout)
    finally:
        thread.kill()


def park(deadline: Any) -> object:
    current().state = PARKED
    return current().park(deadline)


DOORS: dict[str, Callable[[Any], object]] = {
    "sleep": greening.sleep,
    "spawn_after": lambda time: greening.spawn_after(time, int),
    "spawn_after_local": lambda time: greening.spawn_after_local(time, int),
    "Timeout": greening.Timeout,
    "with_timeout": lambda time: greening.with_timeout(time, int),
    "Event": lambda time: greening.Event().wait(time),
    "Queue.get": on_empty_queue,
    "Queue.put": on_full_queue,
    "Queue.join": on_unfinished_queue,
    "Semaphore": lambda time: greening.Semaphore(0).acquire(timeout=time),
    "Condition.wait": on_condition,
    "Condition.wait_for": on_predicate,
    "Lock": on_taken_lock,
    "GreenThread.wait": on_thread,
    "wait_fd": lambda time: wait_fd(0, 1, time),
    "Hub.call_at": lambda time: get_hub().call_at(time, int),
    "Task.park": park,
}


@pytest.mark.parametrize(("wrong", "error"), REFUSED, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("door", DOORS)
def test_it_is_refused_and_nothing_has_changed(door: str, wrong: Any, error: Any) -> None:
    hub = get_hub()
    before = len(hub.timers)
    with pytest.raises(error):
        DOORS[door](wrong)
    assert len(hub.timers) == before and current().state == RUNNING
    fired: list[str] = []
    greening.spawn_after(0.0005, fired.append, "later")
    greening.spawn_after(-1, fired.append, "first")
    greening.sleep(0.001)
    assert fired == ["first", "later"]


@pytest.mark.parametrize("door", ["sleep", "spawn_after", "Timeout", "Event", "Task.park"])
@pytest.mark.parametrize("odd", [ContraryFloat(0.001), Fraction(1, 1000), Decimal("0.001"), Real(), True - 1])
def test_any_real_number_is_a_time(door: str, odd: Any) -> None:
    made = DOORS[door](odd)
    if isinstance(made, (greening.Timeout, greening.GreenThread)):
        made.cancel()


def test_a_deadline_is_exactly_a_float() -> None:
    for odd in (ContraryFloat(2.0), Fraction(2), Decimal(2), 2, True + 1):
        assert type(deadline_after(1.0, odd)) is float
        assert deadline_after(1.0, odd) == 3.0


def test_the_heap_takes_real_numbers_only() -> None:
    heap = TimerHeap()
    for wrong in (1j, "1", None, Contrary(), float("nan")):
        with pytest.raises((TypeError, ValueError)):
            heap.add(wrong, int)  # type: ignore[arg-type]
    assert len(heap) == 0
    heap.add(ContraryFloat(1.0), int)
    heap.add(Fraction(1, 2), int)  # type: ignore[arg-type]
    assert heap.next_deadline() == 0.5


def test_a_string_is_no_number_although_float_reads_it() -> None:
    with pytest.raises(TypeError, match="number of seconds"):
        real_number("1")
    assert stdlib_number("1") is None
    assert type(stdlib_number(ContraryFloat(1.0))) is float
    assert type(stdlib_number(True)) is int
