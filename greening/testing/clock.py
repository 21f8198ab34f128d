"""A clock that a test moves."""

import math


class FakeClock:
    """Monotonic time that stands still until it is moved. Pass it where the engine wants a clock.

        with fake_hub() as fake:
            ...
            fake.clock.advance(3600)     # what waits for less than an hour is due now

    Args:
        start: the absolute time it begins at, in seconds.
        autojump: when every green thread waits, jump to the next deadline at once instead of standing still. A program
            of sleeps and timeouts then runs through in no time, in the order in which it would have run.
    Thread-safety: move it in one OS thread only.
    """

    __slots__ = ("_now", "autojump")

    def __init__(self, start: float = 1000.0, *, autojump: bool = True) -> None:
        self._now = float(start)
        self.autojump = autojump

    def now(self) -> float:
        """Absolute time in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the time on. Nothing runs by this alone: timers that are now due fire when the caller next parks.

        Raises:
            ValueError: negative, or not finite: time does not go back, and does not end.
        """
        if not 0 <= seconds < math.inf:
            raise ValueError(f"time moves forward by a finite number of seconds, not by {seconds!r}")
        self._now += seconds

    def __repr__(self) -> str:
        return f"<FakeClock at {self._now} s{', autojump' if self.autojump else ''}>"
