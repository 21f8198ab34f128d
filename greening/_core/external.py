"""External waits: for a call in a native thread, a signal, a child. A hub cannot see these: they are no deadlock."""

from greening._originals import monotonic


class ExternalWaits:
    """Counts the external waits of a hub. Use it in the hub's own OS thread only.

    Attributes:
        external_waits: external waits under way.
    """

    external_waits = 0

    def begin_external_wait(self) -> None:
        """A wait begins whose end will be posted. Call `end_external_wait` when it is over."""
        self.external_waits += 1

    def end_external_wait(self) -> None:
        """The wait is over, or given up."""
        self.external_waits -= 1

    def external_wait(self) -> "ExternalWait":
        """`with hub.external_wait():` around the park."""
        return ExternalWait(self)


class ExternalWait:
    """One external wait, from `__enter__` to `__exit__`."""

    __slots__ = ("_hub",)

    def __init__(self, hub: ExternalWaits) -> None:
        self._hub = hub

    def __enter__(self) -> None:
        self._hub.external_waits += 1

    def __exit__(self, *exc_info: object) -> None:
        self._hub.external_waits -= 1


# Polling, for what sends no event: soon at first, then less often.


# Seconds until the second look; the most seconds between two looks.
FIRST = 0.0005
LONGEST = 0.02


class Backoff:
    """The pauses between looks, until `seconds` from now have passed. None: for ever."""

    __slots__ = ("_deadline", "_longest", "_pause")

    def __init__(self, seconds: float | None, first: float = FIRST, longest: float = LONGEST) -> None:
        self._deadline = None if seconds is None else monotonic() + seconds
        self._pause = first
        self._longest = longest

    def left(self) -> float | None:
        """Seconds until the deadline; None: there is none."""
        return None if self._deadline is None else max(0.0, self._deadline - monotonic())

    def over(self) -> bool:
        """True when the deadline has passed."""
        return self.left() == 0

    def next(self) -> float:
        """Seconds until the next look; 0 when the time is up."""
        pause = self._pause
        self._pause = min(pause * 2, self._longest)
        left = self.left()
        return pause if left is None else min(pause, left)
