"""Time, as the engine sees it: one monotonic number in seconds. Tests pass a clock of their own."""

from typing import Protocol

from greening._originals import monotonic


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
