"""Semaphores: permits, given to tasks in order of arrival."""

from collections.abc import Callable

from greening._compiled import double
from greening._core.critical import guard, uninterruptible
from greening._core.fairness import yield_if_used_up
from greening._core.parking_lot import ParkingLot
from greening._core.slices import SLICE
from greening._core.task import TIMED_OUT
from greening._core.timers import real_number
from greening._originals import monotonic


@double
@uninterruptible
class SemaphoreOps:
    """What a semaphore does when no task has to wait. `Semaphore` adds the rest."""

    __slots__ = ("__weakref__", "_waiters", "counter")

    counter: int
    _waiters: ParkingLot

    # Defined by Semaphore.
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
            ValueError: a timeout with `blocking=False`, or a negative one. TypeError: it is no number of seconds.
        """
        # `fairness_tick` without its frame, here and below: 20 % of the row `semaphore` in pure Python.
        if monotonic() >= SLICE.until:
            yield_if_used_up()
        # Atomic for all OS threads: no call in it.
        if self.counter > 0 and timeout is None:
            self.counter -= 1
            return True
        return self._acquire(blocking, timeout)

    def release(self) -> bool:
        """Give a permit to the first waiter; if there is none, back. Never switches.

        Returns:
            True (eventlet's convention).
        """
        if self._waiters:
            self._give_back()
        else:  # atomic with the check
            self.counter += 1
        return True

    def __enter__(self) -> None:
        if monotonic() >= SLICE.until:
            yield_if_used_up()
        if self.counter > 0:  # atomic, as in `acquire`
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
    """A number of permits, with eventlet's interface.

    Thread-safety: complete. `release` never switches.
    Difference from `threading.Semaphore`: waiters are served in order of arrival. A permit that is released while tasks
    wait goes to the first of them: no other task can take it first.

    Args:
        value: permits at the start; a number with a fraction is cut off, and text is read (as `int` does both).
    Raises:
        ValueError: `value` is negative. TypeError: it is no number, and no text of one.
    """

    __slots__ = ()

    def __init__(self, value: float | str = 1) -> None:
        self.counter = _permits(value)
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
        timeout = None if timeout == -1 or timeout is None else real_number(timeout)
        if timeout is not None and (not blocking or timeout < 0):
            raise ValueError("a timeout needs blocking=True and a number of seconds >= 0 (or -1)")
        if self.counter > 0:
            self.counter -= 1
            return True
        if not blocking or timeout == 0:
            return False
        waiters = self._waiters
        with guard:
            # First enter, then check: `release` looks for waiters without the guard. Two OS threads may release
            # meanwhile: one adds a permit, the other sees this waiter and gives it one.
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
        """A waiter that was given a permit is interrupted: pass the permit on."""
        self._give_back()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} permits={self.counter} waiters={len(self._waiters)}>"


def _permits(value: float | str) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"the value of a semaphore must be a number, not {value!r}") from None
    if number < 0:
        raise ValueError(f"the value of a semaphore must not be negative, got {value!r}")
    return number


@uninterruptible
class BoundedSemaphore(Semaphore):
    """A semaphore that refuses more releases than there were acquires: an extra one is the caller's bug."""

    __slots__ = ("_limit",)

    def __init__(self, value: float | str = 1) -> None:
        super().__init__(value)
        self._limit = self.counter

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
