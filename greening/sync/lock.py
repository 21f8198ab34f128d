"""Lock and RLock with the interface of `_thread`'s, between green threads, hubs and plain OS threads alike.

A real lock inside (or the accelerator's cell) is the state: taking it without waiting is one atomic step on every OS
thread. Waiters queue up beside it; a release hands the lock to the first of them without opening it (FIFO, no barging).
"""

from collections.abc import Callable
from itertools import cycle
from typing import TYPE_CHECKING, Any, cast

from greenlet import getcurrent, greenlet

from greening._compiled import accelerator
from greening._core.current import current, has_hub, waiting_task
from greening._core.lot import choose, enter, guard, wait_chosen
from greening._core.task import RUNNING, Task
from greening._core.waiting import yield_now
from greening._originals import allocate_lock
from greening.errors import GreeningError

if TYPE_CHECKING:
    from _thread import LockType as RealLock

# A call that may wait and never has to lets others run once in so many times: a loop around a lock that is always free
# must not starve them.
_more = cycle((True,) * 1023 + (False,)).__next__

# The longest timeout `_thread.lock.acquire` takes, in seconds: more is an OverflowError there, so it is here.
_TIMEOUT_MAX = 9223372036.0


def check_timeout(blocking: bool, timeout: float) -> float | None:
    """Seconds to wait, None for ever, by the rules of `_thread.lock.acquire`."""
    if not blocking and timeout != -1:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if timeout < 0 and timeout != -1:
        raise ValueError("timeout value must be a non-negative number")
    if timeout > _TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")
    if timeout != timeout:
        raise ValueError("Invalid value NaN (not a number)")
    return None if timeout == -1 else timeout


def acquire_anyway(acquire: Callable[[], object]) -> BaseException | None:
    """Take a lock however often the wait for it is interrupted (kill, timeout); return the last interruption, if any.

    Raises:
        GreeningError: nobody may wait here, or it would be for ever.
    """
    interruption = None
    while True:
        try:
            acquire()
            return interruption
        except GreeningError:
            raise
        except BaseException as error:  # noqa: BLE001  # kept for the caller, who raises it when things are in order
            interruption = error


def take_turns() -> None:
    """Now and then let others run, and descriptors and timers be looked at: for calls that a loop may make in vain."""
    if not _more() and _may_yield():
        yield_now()


def _may_yield() -> bool:
    return has_hub() and current().state == RUNNING and not guard._is_owned()


if TYPE_CHECKING or accelerator is None:

    class LockMembers:
        """See `Lock`."""

        __slots__ = ("__weakref__", "_real", "_waiters")

        _real: "RealLock"
        _waiters: list[Task]

    class RLockMembers:
        """See `RLock`."""

        __slots__ = ("__weakref__", "_block", "_count", "_owner")

        _block: "Lock"
        _count: int
        _owner: greenlet | None

    make_state = allocate_lock
else:
    LockMembers = accelerator.LockMembers
    RLockMembers = accelerator.RLockMembers
    # A step of C is atomic on every OS thread, and shorter than taking a real lock.
    make_state = accelerator.Cell


class Lock(LockMembers):
    """Mutual exclusion. Not owned: any thread may release it. Interface and errors of `threading.Lock`.

    Thread-safety: complete. `acquire(False)` and `release` never switch. Unlike with the stdlib's, waiters are served
    in order of arrival.
    """

    __slots__ = ()

    def __init__(self) -> None:
        self._real = make_state()
        self._waiters = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; park while somebody else has it.

        Args:
            blocking: False: answer at once.
            timeout: seconds from now; -1: no limit.
        Returns:
            True when it was taken.
        Raises:
            ValueError, OverflowError: as the stdlib's.
        """
        if timeout == -1:
            if self._real.acquire(False):
                return not blocking or _more() or self._share()
            if not blocking:
                return False
        return self._acquire(blocking, timeout)

    def _acquire(self, blocking: bool, timeout: float) -> bool:
        seconds = check_timeout(blocking, timeout)
        if self._real.acquire(False):
            return True
        if not blocking or seconds == 0:
            return False
        task = waiting_task()
        with guard:
            # First enter, then try: `release` lets go and then looks for waiters, without the guard. In the other order
            # another OS thread could do both of that between the two.
            enter(self._waiters, task)
            if self._real.acquire(False):
                self._waiters.remove(task)
                task.unparked()
                return True
        return wait_chosen(self._waiters, task, seconds, self.release)

    def _share(self) -> bool:
        """Let others run before taking the lock, which has been taken."""
        if _may_yield():
            self.release()
            yield_now()
            return self._acquire(True, -1)
        return True

    acquire_lock = acquire

    def release(self) -> None:
        """Hand the lock to the first waiter, or open it.

        Raises:
            RuntimeError: it is not locked.
        """
        if self._waiters:
            self._hand_over()
            return
        self._real.release()
        # Somebody may have queued up between the look and the release.
        if self._waiters and self._real.acquire(False):
            self._hand_over()

    release_lock = release

    def _hand_over(self) -> None:
        with guard:
            if not self._real.locked() or not choose(self._waiters):
                self._real.release()

    def locked(self) -> bool:
        """True while somebody has it."""
        return self._real.locked()

    locked_lock = locked

    def __enter__(self) -> bool:
        if self._real.acquire(False):
            return _more() or self._share()
        return self._acquire(True, -1)

    def _enter(self) -> bool:
        """`acquire()`, which does not switch when the lock is free."""
        return self._real.acquire(False) or self._acquire(True, -1)

    def __exit__(self, *exc_info: object) -> None:
        # `release`, without the call.
        if self._waiters:
            self._hand_over()
            return
        self._real.release()
        if self._waiters and self._real.acquire(False):
            self._hand_over()

    def _at_fork_reinit(self) -> None:
        self._real = make_state()
        self._waiters = []

    def __repr__(self) -> str:
        return f"<{'locked' if self.locked() else 'unlocked'} {_kind(self)} object at {id(self):#x}>"


# The owner, when greenlets are no more: the interpreter is being finalized, and finalisers go on using locks.
_LAST: greenlet = cast("greenlet", object())


def running() -> greenlet:
    """The running greenlet; a stand-in while the interpreter is being finalized."""
    try:
        return getcurrent()
    except RuntimeError:
        return _LAST


class RLock(RLockMembers):
    """A lock that its owner may take again. Interface and errors of `threading.RLock`.

    The owner is the greenlet. Thread-safety: complete; `acquire(False)` and `release` never switch.
    """

    __slots__ = ()

    def __init__(self) -> None:
        self._block = Lock()
        self._owner = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, or take it once more. Arguments, result and errors as `Lock.acquire`."""
        try:
            me = getcurrent()
        except RuntimeError:
            me = _LAST
        if self._owner is me:
            self._count += 1
            return True
        if self._block.acquire(blocking, timeout):
            self._owner = me
            self._count = 1
            return True
        return False

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
        if self._count == 1:
            self._count = 0
            self._owner = None
            self._block.release()
        else:
            self._count -= 1

    def locked(self) -> bool:
        """True while somebody has it (3.14's method, on every version)."""
        return self._block.locked()

    def __enter__(self) -> bool:
        try:
            me = getcurrent()
        except RuntimeError:
            me = _LAST
        if self._owner is me:
            self._count += 1
            return True
        block = self._block
        if block._real.acquire(False):
            if not _more():
                block._share()
        else:
            block._acquire(True, -1)
        self._owner = me
        self._count = 1
        return True

    def _enter(self) -> bool:
        """`acquire()`, which does not switch when the lock is free."""
        try:
            me = getcurrent()
        except RuntimeError:
            me = _LAST
        if self._owner is me:
            self._count += 1
            return True
        if not self._block._real.acquire(False):
            self._block._acquire(True, -1)
        self._owner = me
        self._count = 1
        return True

    def __exit__(self, *exc_info: object) -> None:
        # `release`, without the calls.
        try:
            me = getcurrent()
        except RuntimeError:
            me = _LAST
        if self._owner is not me or self._count != 1:
            self.release()
            return
        self._count = 0
        self._owner = None
        block = self._block
        if block._waiters:
            block._hand_over()
            return
        block._real.release()
        if block._waiters and block._real.acquire(False):
            block._hand_over()

    # What threading.Condition asks of a re-entrant lock

    def _is_owned(self) -> bool:
        return self._owner is running()

    def _release_save(self) -> tuple[int, Any]:
        if self._owner is None:
            raise RuntimeError("cannot release un-acquired lock")
        state = (self._count, self._owner)
        self._count = 0
        self._owner = None
        self._block.release()
        return state

    def _acquire_restore(self, state: tuple[int, Any]) -> None:
        # Whoever waits for a condition counts on having the lock again, even if it is killed a second time here.
        interruption = acquire_anyway(self._block.acquire)
        self._count, self._owner = state
        if interruption is not None:
            raise interruption

    def _recursion_count(self) -> int:
        return self._count if self._owner is running() else 0

    def _at_fork_reinit(self) -> None:
        self._block._at_fork_reinit()
        self._owner = None
        self._count = 0

    def __repr__(self) -> str:
        owner = self._owner
        ident = 0 if owner is None else getattr(getattr(owner, "_greening_task", None), "ident", id(owner))
        state = "locked" if self._block.locked() else "unlocked"
        return f"<{state} {_kind(self)} object owner={ident} count={self._count} at {id(self):#x}>"


def _kind(lock: object) -> str:
    return f"{type(lock).__module__}.{type(lock).__qualname__}"


if accelerator is not None:
    # For what the compiled ones do not do: a wait; the end of the interpreter.
    RLock._acquire = RLock.acquire  # type: ignore[attr-defined]  # see above
    RLock._release = RLock.release  # type: ignore[attr-defined]  # see above
    # They are under these: the members bring them.
    del Lock.acquire, Lock.acquire_lock, Lock.release, Lock.release_lock, Lock.locked, Lock.locked_lock
    del Lock.__enter__, Lock.__exit__
    del RLock.acquire, RLock.release, RLock.__enter__, RLock.__exit__, RLock._is_owned
