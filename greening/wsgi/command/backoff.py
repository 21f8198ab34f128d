"""How long the supervisor waits before it forks the next worker.

Workers that die while they load would otherwise be forked without a pause: the time doubles from one to the next. One
that has served shows that the next one can, too, and a request that kills its worker must not take the service away.
"""

from time import monotonic

_FIRST_DELAY, _LAST_DELAY = 0.1, 10.0  # seconds; it doubles in between
_ATTEMPTS = 5  # deaths in a row until it makes no sense to go on, when no worker has ever got ready


class Backoff:
    """Counts deaths.

    Attributes:
        not_before: when the next worker may be forked, on the monotonic clock.
    """

    def __init__(self) -> None:
        self.not_before = 0.0
        self._deaths = 0  # in a row, of workers that never got ready
        self._forked = 0.0  # when the last one was

    @property
    def is_hopeless(self) -> bool:
        """One more death is one too many, if no worker has ever got ready."""
        return self._deaths + 1 >= _ATTEMPTS

    def forks(self) -> None:
        """A worker is being forked."""
        self._forked = monotonic()

    def died_early(self) -> None:
        """One could not be forked, or never got ready."""
        now = monotonic()
        if now >= self.not_before:  # else it died with the one that is waited for already
            self.not_before = now + min(_FIRST_DELAY * 2**self._deaths, _LAST_DELAY)
            self._deaths += 1

    def served(self) -> None:
        """One that got ready serves no more."""
        self.not_before = max(self.not_before, self._forked + _FIRST_DELAY)

    def is_ready(self) -> None:
        """One got ready."""
        self._deaths = 0

    def begin_anew(self) -> None:
        """There is another application to be loaded."""
        self.not_before, self._deaths = 0.0, 0
