"""Timers: a heap of absolute deadlines. Pure data: no clock, no hub, tested with plain numbers.

Most timers are cancelled long before they are due (a timeout around a call that succeeds), so cancelling must be
cheap: it only marks the timer. The heap is rebuilt when more than half of it, and more than `SLACK` entries, are dead.
Amortised cost: O(log n) to add, O(1) to cancel.
"""

import sys
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from operator import index
from typing import Any, Protocol

from greening._originals import monotonic

# Time, as the engine sees it: one monotonic number in seconds. Tests pass a clock of their own.


class Clock(Protocol):
    """Anything with a `now()` that never goes back."""

    def now(self) -> float:
        """Absolute monotonic time in seconds."""
        ...


class MonotonicClock:
    """CLOCK_MONOTONIC. A step of the wall clock moves no timer."""

    __slots__ = ()
    # The builtin itself, not a method around it: the hub reads the clock on every timed wait.
    now = staticmethod(monotonic)


# What counts as a number of seconds.
#
# A number that is not real, or whose class has its own arithmetic, would put the heap of timers out of order for good.
# So every time is made a true `float` first.

# Whether the stdlib's calls take any real number (3.15 and later) or only floats and integers.
_TAKES_REAL_NUMBERS = sys.version_info >= (3, 15)


def real_number(value: Any) -> float:
    """`value`, an integer, a Fraction, a Decimal, anything with `__float__` or `__index__`, as an exact `float`.

    Raises:
        TypeError: it is not a real number. A string is none, although `float` takes it.
        OverflowError: it is an integer that is too large.
    """
    kind = type(value)
    if not (hasattr(kind, "__float__") or hasattr(kind, "__index__")):
        raise TypeError(f"a time to wait is a number of seconds or None, not {value!r}")
    return float(value)


def stdlib_number(value: Any) -> float | None:
    """A timeout as the stdlib's calls read it: an exact float or integer. None: they refuse it."""
    if isinstance(value, float):
        return float.__float__(value)
    try:
        return index(value)
    except TypeError:
        return real_number(value) if _TAKES_REAL_NUMBERS and hasattr(type(value), "__float__") else None


# Dead entries that are not worth a rebuild. 512 tuples are about 50 KiB.
SLACK = 512


class Timer:
    """A call that is due at an absolute time. `cancel()` is idempotent and may come after the call."""

    __slots__ = ("args", "call", "heap", "when")

    def __init__(self, heap: "TimerHeap", when: float, call: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.heap: TimerHeap | None = heap
        self.when = when
        self.call = call
        self.args = args

    @property
    def pending(self) -> bool:
        """True until the timer is due or cancelled."""
        return self.heap is not None

    def cancel(self) -> None:
        """Forget the call. Not thread-safe: call it in the hub's own OS thread."""
        heap = self.heap
        if heap is not None:
            self.heap = None
            self.call = _nothing
            self.args = ()
            heap._dead += 1
            if heap._dead > SLACK:
                heap.clear_away()


def _nothing() -> None:
    return None


def deadline_after(now: float, seconds: float) -> float:
    """The absolute time that is `seconds` after `now`.

    Every timeout that a user gives comes through here: the heap can order what is returned.

    Raises:
        TypeError: `seconds` is not a real number. ValueError: it is nan. OverflowError: it is an integer that is too
            large.
    """
    kind = type(seconds)
    deadline = now + (seconds if kind is float or kind is int else real_number(seconds))
    if deadline != deadline:
        raise ValueError("a time to wait must be a number of seconds, not nan")
    return deadline


class TimerHeap:
    """Deadlines in order; equal deadlines in the order in which they were added."""

    __slots__ = ("_dead", "_entries", "_order")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._dead = 0

    def __len__(self) -> int:
        """Number of live timers."""
        return len(self._entries) - self._dead

    @property
    def dead(self) -> int:
        """Number of cancelled timers that are still in the heap."""
        return self._dead

    def add(self, when: float, call: Callable[..., object], *args: Any) -> Timer:
        """Have `call(*args)` returned by `pop_due` once `when` (absolute seconds) has come.

        Raises:
            TypeError, ValueError, OverflowError: `when` is not a real number, or is nan. It has no place in the order,
                and would hold up all other timers.
        """
        if type(when) is not float:
            when = real_number(when)
        if when != when:
            raise ValueError("a time must be a number of seconds, not nan")
        timer = Timer(self, when, call, args)
        heappush(self._entries, (when, next(self._order), timer))
        return timer

    def next_deadline(self) -> float | None:
        """Absolute time of the earliest live timer, or None."""
        entries = self._entries
        while entries:
            if entries[0][2].heap is not None:
                return entries[0][0]
            heappop(entries)
            self._dead -= 1
        return None

    def pending(self) -> list[Timer]:
        """The live timers, by the time that they are due."""
        return [timer for _, _, timer in sorted(self._entries) if timer.heap is not None]

    def mark(self) -> int:
        """A point in the order of adding: `pop_due(now, mark)` leaves alone what is added from now on."""
        return next(self._order)

    def pop_due(self, now: float, mark: float = inf) -> Timer | None:
        """Take out the earliest timer that is due at `now`, or None.

        Args:
            mark: as `mark()` gave it: stop before a timer that was added later. A call that adds a timer for this very
                moment (to try again) is then not called again at once, and for ever.
        """
        entries = self._entries
        while entries:
            when, order, timer = entries[0]
            if timer.heap is None:
                heappop(entries)
                self._dead -= 1
            elif when > now or order > mark:
                return None
            else:
                heappop(entries)
                timer.heap = None
                return timer
        return None

    def clear_away(self) -> None:
        """Many timers of this heap were cancelled: rebuild it if they outnumber the living."""
        if self._dead * 2 > len(self._entries):
            self._entries = [entry for entry in self._entries if entry[2].heap is not None]
            heapify(self._entries)
            self._dead = 0

    def hand_over(self, heir: "TimerHeap", owner: object) -> None:
        """Forget every timer, but give to `heir` the living ones that have `owner` as their first argument."""
        for when, order, timer in self._entries:
            if timer.heap is not None and timer.args and timer.args[0] is owner:
                timer.heap = heir
                heappush(heir._entries, (when, order, timer))
            else:
                timer.heap = None
        heir._order = self._order
        self._entries.clear()
        self._dead = 0

    def clear(self) -> None:
        """Forget every timer."""
        for _, _, timer in self._entries:
            timer.heap = None
        self._entries.clear()
        self._dead = 0
