"""The watchdog behind `debug.hub_blocking_detection`: finds green threads that let nobody else run.

Facts: only a signal interrupts a system call that blocks, and Python runs signal handlers in the main OS thread alone.
The hub's loop takes its turn every few milliseconds, unless a green thread lets nobody else run.
Decision: a signal comes several times in each period. Its handler posts a note to the hub. When the hub has not taken
the note within a period, the handler raises in what it has interrupted. So switches cost nothing extra.
"""

import _signal
from types import FrameType
from typing import Any

from greening._core.current import current, get_hub, in_hub
from greening._core.hub import Hub
from greening._originals import monotonic

# Looks in each period: a green thread is caught at most a quarter of a period late.
_LOOKS = 4


class Watchdog:
    """Raises in what blocks the hub of the main OS thread. There is one, since there is one SIGALRM."""

    def __init__(self) -> None:
        self._resolution = 0.0
        self._before: Any = None
        self._hub: Hub | None = None
        # The time at which a note was posted that the hub has not taken yet.
        self._posted: float | None = None

    def start(self, resolution: float) -> None:
        """Look from now on. See `debug.hub_blocking_detection`."""
        if not resolution > 0:
            raise ValueError(f"the resolution is a number of seconds above zero, not {resolution!r}")
        before = _signal.signal(_signal.SIGALRM, self._look)
        if self._hub is None:
            self._before = before
        self._hub = get_hub()
        self._posted = None
        self._resolution = resolution
        _signal.setitimer(_signal.ITIMER_REAL, resolution / _LOOKS, resolution / _LOOKS)

    def stop(self) -> None:
        """Look no more, and give the signal back."""
        if self._hub is None:
            return
        _signal.setitimer(_signal.ITIMER_REAL, 0)
        _signal.signal(_signal.SIGALRM, self._before)
        self._hub = None

    def _look(self, number: int, frame: FrameType | None) -> None:
        hub = self._hub
        if hub is None or not hub.awake_ident or in_hub():
            return
        now = monotonic()
        if self._posted is None:
            self._posted = now
            hub.post(self._taken)
        elif now - self._posted >= self._resolution:
            self._posted = now  # once for each period
            place = "a call in C" if frame is None else f"{frame.f_code.co_filename}, line {frame.f_lineno}"
            raise RuntimeError(
                f"Blocking detector ALARMED at {place}: {current().name} has let nobody else run for "
                f"{self._resolution} seconds or more"
            )

    def _taken(self) -> None:
        self._posted = None


WATCHDOG = Watchdog()
