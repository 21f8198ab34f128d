"""Green locks that look like `_thread`'s, and green locks in the place of real ones that exist already.

    class                                       stands for
    lock, RLock                                 `_thread.lock` and `_thread.RLock`, and thereby those of `threading`
    BargingLock                                 the lock that says that a thread has ended (up to 3.12)
    AdoptedLock, AdoptedRLock                   a real lock that existed before patching
    sync.lock: Lock, RLock                      nothing: greening's own, and the bases of the classes above
    sync.condition: Condition                   nothing: greening's own
    sync.semaphore: Semaphore                   nothing: greening's own; `threading.Semaphore` is the stdlib's code
    threading.Condition                         itself: the stdlib's class, with the `wait` of patches/threading
    sync.queue: LightQueue, Queue               nothing: greening's own; `queue.Queue` is the stdlib's code
    patches/queue: SimpleQueue                  `queue.SimpleQueue`
    threads/semlock: SemLock                    `_multiprocessing.SemLock`, between processes

Facts: while the process is being patched, real locks are in use. The code that releases one may know only the real one:
a `with` block that has begun, a native thread. A hub is not told that a real lock has been released.
Consequence: a green lock in the place of a real one keeps the real one as its state, so that both exclude each other. A
task that waits for it looks again from time to time.
"""

import sys
from typing import Any

from greening._core.critical import guard, uninterruptible
from greening._core.external import Backoff
from greening._core.parking_lot import ParkingLot
from greening._core.waiting import sleep
from greening._originals import RLock as RealRLock
from greening.sync.lock import Lock as GreenLock
from greening.sync.lock import RLock as GreenRLock
from greening.sync.lock import acquire_uninterruptibly, check_timeout, running
from greening.threads.identity import is_os_thread


class lock(GreenLock):
    """`_thread.lock`."""

    __slots__ = ()
    __module__ = "_thread"

    def __init_subclass__(cls) -> None:
        # The C type takes no subclasses. Those of ours say that they are it.
        if cls.__module__ != "_thread":
            raise TypeError("type '_thread.lock' is not an acceptable base type")

    def __reduce__(self) -> str:
        raise TypeError(f"cannot pickle {type(self).__module__ + '.' + type(self).__name__!r} object")


class RLock(GreenRLock):
    """`_thread.RLock`."""

    __slots__ = ()
    __module__ = "_thread"

    def in_use(self) -> bool:
        """True while a green thread has it."""
        return self._owner is not None

    if sys.version_info < (3, 15):

        def __init__(self, *_args: object, **_kwargs: object) -> None:
            # As the C type: arguments are ignored.
            super().__init__()

    def __reduce__(self) -> str:
        raise TypeError(f"cannot pickle {type(self).__module__ + '.' + type(self).__name__!r} object")


@uninterruptible
class BargingLock(lock):
    """A lock that a release really opens: its waiters are woken, and the first that runs takes it.

    `threading` up to 3.12 joins a thread by taking and releasing a lock, and asserts that it is open then.
    """

    __slots__ = ()
    __module__ = "_thread"

    def release(self) -> None:
        """See `Lock.release`."""
        self._real.release()
        self._waiters.unpark_all()

    release_lock = release

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    def _acquire(self, blocking: bool, timeout: float) -> bool:
        seconds = check_timeout(blocking, timeout)
        if self._real.acquire(False):
            return True
        if not blocking or seconds == 0:
            return False
        look = Backoff(seconds)
        while True:
            if self._look_again(look):
                return True
            if look.over():
                return False

    def _look_again(self, look: Backoff) -> bool:
        """Wait until it may be open, and try."""
        with guard:
            task = self._waiters.enter()
            if self._real.acquire(False):
                self._waiters.withdraw(task)
                return True
        self._waiters.wait(task, self._look_interval(look))
        return self._real.acquire(False)

    def _look_interval(self, look: Backoff) -> float | None:
        return look.left()


@uninterruptible
class AdoptedLock(BargingLock):
    """In the place of a real lock, which is its state."""

    __slots__ = ()
    __module__ = "_thread"

    def __init__(self, real: Any) -> None:
        super().__init__()
        self._real = real

    @property
    def original(self) -> Any:
        """The real lock."""
        return self._real

    def _look_interval(self, look: Backoff) -> float | None:
        return look.next()

    def _at_fork_reinit(self) -> None:
        self.original._at_fork_reinit()
        self._waiters = ParkingLot()


@uninterruptible
class AdoptedRLock(RLock):
    """In the place of a real RLock: the owner of this one holds the real one as often.

    The real one may be held without this one being owned: by code that took it before it was adopted, or that knows
    only the real one (a `with` block that has begun, a C function that waits for it). Such code runs in the main
    greenlet of its OS thread. So when this OS thread holds the real lock and this one has no owner, the main greenlet
    holds it, and goes on with the real lock until it has released it altogether.
    """

    __slots__ = ("_gate", "original")
    __module__ = "_thread"

    def __init__(self, real: Any) -> None:
        super().__init__()
        self.original = real
        # Green threads queue up for it before they look at the real one.
        self._gate = GreenLock()

    def in_use(self) -> bool:
        """True while a green thread has it, or is about to."""
        return self._gate.locked()

    def _is_from_before(self) -> bool:
        """True for the main greenlet of an OS thread that holds the real lock and does not own this one."""
        return self._owner is None and self.original._is_owned() and is_os_thread()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """See `RLock.acquire`."""
        seconds = check_timeout(blocking, timeout)
        if self._owner is running():
            self._count += 1
            return bool(self.original.acquire(False))
        if self._is_from_before():
            return bool(self.original.acquire(False))
        look = Backoff(seconds)
        if not self._gate.acquire(blocking, timeout):
            return False
        try:
            taken = self._take_original(look if blocking else None)
        except BaseException:
            self._gate.release()
            raise
        if taken:
            self._owner = running()
            self._count = 1
        else:
            self._gate.release()
        return taken

    def _take_original(self, look: Backoff | None) -> bool:
        # Held by this OS thread's main greenlet, it would let a green thread in.
        while (not is_os_thread() and self.original._is_owned()) or not self.original.acquire(False):
            pause = 0.0 if look is None else look.next()
            if not pause:
                return False
            sleep(pause)
        return True

    def __enter__(self) -> bool:
        return self.acquire()

    _enter = __enter__

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    def release(self) -> None:
        """See `RLock.release`."""
        if self._is_from_before():
            self.original.release()
            return
        if self._owner is not running():
            raise RuntimeError("cannot release un-acquired lock")
        self.original.release()
        self._count -= 1
        if not self._count:
            self._owner = None
            self._gate.release()

    def locked(self) -> bool:
        """See `RLock.locked`."""
        if self._gate.locked() or self.original._is_owned():
            return True
        free = bool(self.original.acquire(False))
        if free:
            self.original.release()
        return not free

    def _is_owned(self) -> bool:
        return super()._is_owned() or self._is_from_before()

    def _recursion_count(self) -> int:
        return _depth(self.original) if self._is_owned() else 0

    def _release_save(self) -> tuple[int, Any]:
        if self._is_from_before():
            state: tuple[int, Any] = self.original._release_save()
            return state
        saved = (self._count, self._owner)
        while self._owner is running():
            self.release()
        return saved

    def _acquire_restore(self, state: tuple[int, Any]) -> None:
        # The real lock's state names its owner by a number. Perhaps it was saved before there was this one.
        interruption = acquire_uninterruptibly(self.acquire)
        count, owner = state
        for _ in range(count - 1):
            self.original.acquire()
        if isinstance(owner, int) and is_os_thread():
            self._owner = None
            self._count = 0
            self._gate.release()
        else:
            self._count = count
        if interruption is not None:
            raise interruption

    def _at_fork_reinit(self) -> None:
        super()._at_fork_reinit()
        self._gate._at_fork_reinit()
        self.original._at_fork_reinit()


def _depth(real: Any) -> int:
    """How often the calling OS thread holds a real RLock."""
    if hasattr(RealRLock, "_recursion_count"):
        return int(real._recursion_count())
    return int(repr(real).rpartition(" count=")[2].partition(" ")[0])


for _kind in (BargingLock, AdoptedLock):
    _kind.__name__ = _kind.__qualname__ = lock.__name__
AdoptedRLock.__name__ = AdoptedRLock.__qualname__ = RLock.__name__
