"""eventlet.coros: what is left of it."""

from greening.sync.event import Event

__all__ = ["metaphore"]


class metaphore:  # eventlet's name
    """A counter that can be waited for until it is zero: a semaphore the other way round."""

    def __init__(self) -> None:
        self.counter = 0
        self.event = Event()
        self.event.send()  # zero: nobody has to wait

    def inc(self, by: int = 1) -> None:
        """Add to the counter. `by`: how much, above zero."""
        self._check(by)
        if not self.counter:
            self.event.reset()
        self.counter += by

    def dec(self, by: int = 1) -> None:
        """Take from the counter; at zero all waiters go on.

        Args:
            by: how much, above zero.
        Raises:
            AssertionError: less would be left than zero.
        """
        self._check(by)
        if by > self.counter:
            raise AssertionError(f"the counter is at {self.counter}: {by} cannot be taken from it")
        self.counter -= by
        if not self.counter:
            self.event.send()

    def wait(self) -> None:
        """Park until the counter is zero."""
        self.event.wait()

    @staticmethod
    def _check(by: int) -> None:
        if by <= 0:
            raise AssertionError(f"a number above zero is needed, not {by}")
