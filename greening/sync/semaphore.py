"""Semaphores: permits, handed out in order of arrival."""

from collections.abc import Callable

from greening._compiled import double
from greening._core.critical import guard, uninterruptible
from greening._core.fairness import yield_if_used_up
from greening._core.parking_lot import ParkingLot
from greening._core.slices import SLICE
from greening._core.task import TIMED_OUT
from greening._originals import monotonic


@double
@uninterruptible
class SemaphoreOps:
    """What a semaphore does when nothing has to wait. See `Semaphore`, which is the whole."""

    __slots__ = ("__weakref__", "_waiters", "counter")

    counter: int
    _waiters: ParkingLot

    # What Semaphore has.
    _acquire: Callable[[bool, float | None], bool]
    _give_back: Callable[[], None]

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Take a permit; park while there is none.

        Args:
            blocking: False: answer at once.
            timeout: seconds from now; None or -1: no limit; 0: answer at once.
        Returns:
            True when a permit was taken.
        Raises:
            ValueError: a timeout with `blocking=False`, or a negative one.
        """
        # `fairness_tick` without its frame, here and below: 20 % of the row `semaphore` in pure Python.
        if monotonic() >= SLICE.until:
            yield_if_used_up()
        # One step for every OS thread: no call in it.
        if self.counter > 0 and timeout is None:
            self.counter -= 1
            return True
        return self._acquire(blocking, timeout)

    def release(self) -> bool:
        """Give a permit back: to the first waiter, if any. Never switches.

        Returns:
            True (eventlet's convention).
        """
        if self._waiters:
            self._give_back()
        else:  # one step with the look
            self.counter += 1
        return True

    def __enter__(self) -> None:
        if monotonic() >= SLICE.until:
            yield_if_used_up()
        if self.counter > 0:  # one step, as in `acquire`
            self.counter -= 1
        else:
            self._acquire(True, None)

    def __exit__(self, *exc_info: object) -> None:
        if self._waiters:
            self._give_back()
        else:
            self.counter += 1


@uninterruptible
class Semaphore(SemaphoreOps):
    """A number of permits. eventlet's interface; usable across hubs and OS threads.

    Difference from `threading.Semaphore`: waiters are served first come, first served, and a permit that is released
    while tasks wait is handed to the first of them, never left for a passer-by to take.

    Args:
        value: permits at the start.
    Raises:
        ValueError: `value` is negative. TypeError: it is not an integer.
    """

    __slots__ = ()

    def __init__(self, value: int = 1) -> None:
        if not isinstance(value, int):
            raise TypeError(f"semaphore value must be an integer, not {value!r}")
        if value < 0:
            raise ValueError(f"semaphore must be initialized with a positive number, got {value}")
        self.counter = value
        self._waiters = ParkingLot()

    @property
    def balance(self) -> int:
        """Permits left, or minus the number of waiters."""
        return self.counter - len(self._waiters)

    def locked(self) -> bool:
        """True when there is no permit left."""
        return self.counter <= 0

    def bounded(self) -> bool:
        """False: more permits may be released than there were."""
        return False

    def _acquire(self, blocking: bool, timeout: float | None) -> bool:
        if timeout == -1:
            timeout = None
        if timeout is not None and (not blocking or timeout < 0):
            raise ValueError("a timeout needs blocking=True and a number of seconds >= 0 (or -1)")
        if self.counter > 0:
            self.counter -= 1
            return True
        if not blocking or timeout == 0:
            return False
        waiters = self._waiters
        with guard:
            # First enter, then look: `release` looks for waiters without the guard. Two may do so meanwhile: one adds a
            # permit, the other, which sees a waiter, hands one to it.
            task = waiters.enter()
            if self.counter > 0:
                self.counter -= 1
                waiters.withdraw(task, self._pass_on)
                return True
        return waiters.wait(task, timeout, self._pass_on) is not TIMED_OUT

    def _give_back(self) -> None:
        with guard:
            if self._waiters.unpark() is None:
                self.counter += 1

    def _pass_on(self, value: object) -> None:
        """A waiter was given a permit, and is interrupted."""
        self._give_back()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} permits={self.counter} waiters={len(self._waiters)}>"


@uninterruptible
class BoundedSemaphore(Semaphore):
    """A semaphore that refuses more releases than there were acquires: an extra one is a bug of the caller's."""

    __slots__ = ("_limit",)

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._limit = value

    def bounded(self) -> bool:
        """True."""
        return True

    def release(self) -> bool:
        """As `Semaphore.release`.

        Raises:
            ValueError: every permit is back already.
        """
        with guard:
            if self.counter >= self._limit:
                raise ValueError("Semaphore released too many times")
            self._give_back()
        return True

    def __exit__(self, *exc_info: object) -> None:
        self.release()
