"""eventlet.semaphore."""

from greening.sync.semaphore import BoundedSemaphore, Semaphore

__all__ = ["BoundedSemaphore", "CappedSemaphore", "Semaphore"]


class CappedSemaphore:
    """A number of permits with an upper limit: `acquire` waits while there is none, `release` while there are `limit`.

    Thread-safety: complete. Waiters of each kind are served in order of arrival.
    Difference from `BoundedSemaphore`: a release too many waits, and is no error.

    Args:
        count: permits at the start.
        limit: permits at most.
    Raises:
        ValueError: `count` is negative, or greater than `limit`.
    """

    def __init__(self, count: int, limit: int) -> None:
        if count > limit:
            raise ValueError(f"a CappedSemaphore of {count} permits may not have a limit of {limit}, which is less")
        self.lower_bound = Semaphore(count)
        self.upper_bound = Semaphore(limit - count)

    def acquire(self, blocking: bool = True) -> bool:
        """Take a permit; park while there is none. One who waits for room to release goes on.

        Args:
            blocking: False: answer at once.
        Returns:
            True when a permit was taken.
        """
        return self._exchange(self.upper_bound, self.lower_bound, blocking)

    def release(self, blocking: bool = True) -> bool:
        """Give a permit back; park while there are as many as there may be. One who waits for a permit goes on.

        Args:
            blocking: False: answer at once.
        Returns:
            True when the permit was given back.
        """
        return self._exchange(self.lower_bound, self.upper_bound, blocking)

    @staticmethod
    def _exchange(given: Semaphore, taken: Semaphore, blocking: bool) -> bool:
        # First give: with a limit of 0, one who acquires and one who releases wait for each other.
        if not blocking and taken.locked():
            return False
        given.release()
        try:
            return taken.acquire()
        except BaseException:
            # What was given is taken back. If somebody has it already, the next one that is given makes up for it.
            if not given.acquire(blocking=False):
                given.counter -= 1
            raise

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    @property
    def balance(self) -> int:
        """Permits left, less the room for more. Waiters count as minus one on their side."""
        return self.lower_bound.balance - self.upper_bound.balance

    def locked(self) -> bool:
        """True when there is no permit left."""
        return self.lower_bound.locked()

    def bounded(self) -> bool:
        """True when a release would have to wait."""
        return self.upper_bound.locked()

    def __repr__(self) -> str:
        counts = f"permits={self.lower_bound.counter} room={self.upper_bound.counter}"
        return f"<{type(self).__name__} at {id(self):#x} {counts}>"
