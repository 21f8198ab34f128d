"""Lock and RLock with the interface of `_thread`'s, between green threads, hubs and plain OS threads alike.

To take a free lock is one atomic step for all OS threads: the state of a Lock is a real lock inside it (or the
accelerator's cell), and the state of an RLock is its owner. Waiters are in a parking lot. A release hands the lock to
the first of them without opening it (FIFO, no barging).

Law: the step that hands an RLock over also sets its new owner. A finaliser that interrupts the old owner or the new
one, and takes the lock, finds itself the owner, or waits for a task that can run.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from greenlet import getcurrent, greenlet

from greening._compiled import accelerator, double
from greening._core.critical import guard, uninterruptible
from greening._core.fairness import yield_if_used_up
from greening._core.parking_lot import ParkingLot, make_ready
from greening._core.running import task_of
from greening._core.slices import SLICE
from greening._core.task import TIMED_OUT, Task
from greening._core.timers import stdlib_number
from greening._originals import allocate_lock, monotonic
from greening.errors import GreeningError

if TYPE_CHECKING:
    from _thread import LockType as RealLock

# Seconds: the longest timeout of `_thread.lock.acquire`. More is an OverflowError there, and so it is here.
_TIMEOUT_MAX = 9223372036.0


def check_timeout(blocking: bool, timeout: float) -> float | None:
    """Seconds to wait (None: for ever), by the rules of `_thread.lock.acquire`."""
    seconds = stdlib_number(timeout)
    if seconds is None:
        raise TypeError(f"'{type(timeout).__name__}' object cannot be interpreted as an integer")
    if seconds != seconds:
        raise ValueError("Invalid value NaN (not a number)")
    if not -_TIMEOUT_MAX < seconds <= _TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")
    if not blocking and seconds != -1:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if seconds < 0 and seconds != -1:
        raise ValueError("timeout value must be a non-negative number")
    return None if seconds == -1 else seconds


@uninterruptible
def acquire_uninterruptibly(acquire: Callable[[], object]) -> BaseException | None:
    """Take a lock however often the wait for it is interrupted (kill, timeout); return the last interruption, if any.

    Raises:
        GreeningError: no task may wait here, or it would be for ever.
    """
    interruption = None
    while True:
        try:
            acquire()
            return interruption
        except GreeningError:
            raise
        except BaseException as error:  # noqa: BLE001  # kept for the caller, which raises it when things are in order
            interruption = error


# Makes the state of a Lock. A step of C is atomic for all OS threads, and shorter than taking a real lock.
make_state = allocate_lock if accelerator is None else accelerator.Cell


@double
@uninterruptible
class LockOps:
    """What a Lock does when no task has to wait. `Lock` adds the rest."""

    __slots__ = ("__weakref__", "_real", "_waiters")

    _real: "RealLock"
    _waiters: ParkingLot

    # Defined by Lock.
    _acquire: Callable[[bool, float], bool]
    _hand_over: Callable[[], None]

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; park while it is taken.

        Args:
            blocking: False: answer at once. (A loop of such calls lets others run now and then: see fairness.)
            timeout: seconds from now; -1: no limit.
        Returns:
            True when it was taken.
        Raises:
            TypeError, ValueError, OverflowError: as the stdlib's.
        """
        # `fairness_tick` without its frame, here and below: 13 % of the row `lock` in pure Python.
        if monotonic() >= SLICE.until:
            yield_if_used_up()
        if timeout == -1:
            if self._real.acquire(False):
                return True
            if not blocking:
                return False
        return self._acquire(blocking, timeout)

    def acquire_lock(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Old name of `acquire`."""
        return LockOps.acquire(self, blocking, timeout)

    def release(self) -> None:
        """Hand the lock to the first waiter, or open it.

        Raises:
            RuntimeError: it is not locked.
        """
        if self._waiters:
            self._hand_over()
            return
        self._real.release()
        # A waiter may have entered between the check and the release.
        if self._waiters and self._real.acquire(False):
            self._hand_over()

    def release_lock(self) -> None:
        """Old name of `release`."""
        LockOps.release(self)

    def locked(self) -> bool:
        """True while it is taken."""
        return self._real.locked()

    def locked_lock(self) -> bool:
        """Old name of `locked`."""
        return LockOps.locked(self)

    def __enter__(self) -> bool:
        if monotonic() >= SLICE.until:
            yield_if_used_up()
        return self._real.acquire(False) or self._acquire(True, -1)

    def __exit__(self, *exc_info: object) -> None:
        LockOps.release(self)


@uninterruptible
class Lock(LockOps):
    """Mutual exclusion. Not owned: any thread may release it. Interface and errors of `threading.Lock`.

    Thread-safety: complete. `release` never switches.
    Difference from `threading.Lock`: waiters are served in order of arrival.
    """

    __slots__ = ()

    def __init__(self) -> None:
        self._real = make_state()
        self._waiters = ParkingLot()

    def _acquire(self, blocking: bool, timeout: float) -> bool:
        seconds = check_timeout(blocking, timeout)
        if self._real.acquire(False):
            return True
        if not blocking or seconds == 0:
            return False
        waiters = self._waiters
        with guard:
            # First enter, then try: `release` opens the lock and then looks for waiters, without the guard. In the
            # other order another OS thread could do both between our two steps.
            task = waiters.enter()
            if self._real.acquire(False):
                # Any thread may release it meanwhile, and hand it to this task again.
                waiters.withdraw(task, self._pass_on)
                return True
        return waiters.wait(task, seconds, self._pass_on) is not TIMED_OUT

    def _hand_over(self) -> None:
        with guard:
            task = self._waiters.unpark() if self._real.locked() else None
            if task is None:
                self._real.release()
            elif accelerator is not None:
                self._real.holder = task.serial  # type: ignore[attr-defined]  # of a Cell

    def _pass_on(self, value: object) -> None:
        """A waiter that was given the lock is interrupted: release it."""
        self.release()

    def _at_fork_reinit(self) -> None:
        self._real = make_state()
        self._waiters = ParkingLot()

    def __repr__(self) -> str:
        return f"<{'locked' if self.locked() else 'unlocked'} {_kind(self)} object at {id(self):#x}>"


# The owner when there are no greenlets any more: the interpreter is being finalized, but finalisers still use locks.
_LAST: greenlet = cast("greenlet", object())


def running() -> greenlet:
    """The running greenlet; `_LAST` when there are no greenlets any more."""
    try:
        return getcurrent()
    except RuntimeError:
        return _LAST


@double
@uninterruptible
class RLockOps:
    """What an RLock does when no task has to wait. `RLock` adds the rest."""

    __slots__ = ("__weakref__", "_count", "_owner", "_waiters")

    _count: int
    _owner: greenlet | None
    _waiters: ParkingLot

    # Defined by RLock.
    _acquire: Callable[[greenlet, bool, float], bool]
    _hand_over: Callable[[], None]

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, or take it once more. Arguments, result and errors as `Lock.acquire`."""
        # `running` and `fairness_tick` without their frames, here and below: 23 % of the row `rlock` in pure Python.
        try:
            me = getcurrent()
        except RuntimeError:
            me = _LAST
        if self._owner is me:
            self._count += 1
            return True
        if monotonic() >= SLICE.until:
            yield_if_used_up()
        if timeout == -1:
            # Atomic for all OS threads, and for finalisers: no call in it.
            if self._owner is None:
                self._owner = me
                self._count = 1
                return True
            if not blocking:
                return False
        return self._acquire(me, blocking, timeout)

    def release(self) -> None:
        """Undo one `acquire`; the last one hands the lock on.

        Raises:
            RuntimeError: the caller does not own it.
        """
        try:
            me = getcurrent()
        except RuntimeError:
            me = _LAST
        if self._owner is not me:
            raise RuntimeError("cannot release un-acquired lock")
        if self._count > 1:
            self._count -= 1
        elif self._waiters:
            self._hand_over()
        else:
            # Atomic with the check for waiters: see `_acquire`.
            self._count = 0
            self._owner = None

    def __enter__(self) -> bool:
        try:
            me = getcurrent()
        except RuntimeError:
            me = _LAST
        if self._owner is me:
            self._count += 1
            return True
        if monotonic() >= SLICE.until:
            yield_if_used_up()
        if self._owner is None:  # atomic, as in `acquire`
            self._owner = me
            self._count = 1
            return True
        return self._acquire(me, True, -1)

    def __exit__(self, *exc_info: object) -> None:
        RLockOps.release(self)

    # What threading.Condition calls of a re-entrant lock

    def _is_owned(self) -> bool:
        return self._owner is running()

    def _release_save(self) -> tuple[int, Any]:
        if self._owner is None:
            raise RuntimeError("cannot release un-acquired lock")
        state = (self._count, self._owner)
        self._hand_over()
        return state

    def _acquire_restore(self, state: tuple[int, Any]) -> None:
        # A waiter of a condition must have the lock again, even if it is killed a second time here.
        interruption = acquire_uninterruptibly(self.acquire)
        self._count, self._owner = state
        if interruption is not None:
            raise interruption


@uninterruptible
class RLock(RLockOps):
    """A lock that its owner may take again. Interface and errors of `threading.RLock`.

    Thread-safety: complete. `release` never switches.
    Difference from `threading.RLock`: the owner is a greenlet, and waiters are served in order of arrival.
    """

    __slots__ = ()

    def __init__(self) -> None:
        self._owner = None
        self._count = 0
        self._waiters = ParkingLot()

    def _acquire(self, me: greenlet, blocking: bool, timeout: float) -> bool:
        """Take it for `me`, the running greenlet."""
        seconds = check_timeout(blocking, timeout)
        if self._owner is None:  # atomic, as in `acquire`
            self._owner = me
            self._count = 1
            return True
        if not blocking or seconds == 0:
            return False
        waiters = self._waiters
        with guard:
            # First enter, then try: `release` looks for waiters without the guard.
            task = waiters.enter()
            if self._owner is None:
                self._owner = me
                self._count = 1
                waiters.withdraw(task)
                return True
        return waiters.wait(task, seconds, self._pass_on) is not TIMED_OUT

    def _hand_over(self) -> None:
        with guard:
            task = self._waiters.choose()
            if task is None:
                self._count = 0
                self._owner = None
            else:
                self._owner = task.greenlet
                self._count = 1
                make_ready(task)

    def _pass_on(self, value: object) -> None:
        """A waiter that was given the lock is interrupted: release it."""
        self.release()

    def locked(self) -> bool:
        """True while it is taken (3.14's method, on every version)."""
        return self._owner is not None

    def _recursion_count(self) -> int:
        return self._count if self._owner is running() else 0

    def _at_fork_reinit(self) -> None:
        self._owner = None
        self._count = 0
        self._waiters = ParkingLot()

    def __repr__(self) -> str:
        owner = self._owner
        ident = 0 if owner is None else getattr(task_of(owner), "ident", id(owner))
        state = "unlocked" if owner is None else "locked"
        return f"<{state} {_kind(self)} object owner={ident} count={self._count} at {id(self):#x}>"


def holder_of(lock: Lock | RLock) -> Task | int | None:
    """Which task has the lock. Thread-safe.

    Returns:
        The task, or its `serial`; a number that no living task has: the task has ended. 0: an OS thread took it that
        had no hub by then. None: the lock is free, or the holder is unknown. The Python source does not note who takes
        a Lock: to ask for the running greenlet takes 8 % of the row `lock` there, and less than 1 % of it in C.
    """
    if isinstance(lock, RLock):
        owner = lock._owner
        return None if owner is None else task_of(owner) or -1
    return getattr(lock._real, "holder", None) if lock.locked() else None


def _kind(lock: object) -> str:
    return f"{type(lock).__module__}.{type(lock).__qualname__}"
