"""Condition: wait, under a lock, until another thread says that what the lock protects has changed."""

from collections.abc import Callable
from typing import Any

from greening._core.critical import guard, uninterruptible
from greening._core.parking_lot import ParkingLot
from greening._core.running import waiting_task
from greening._core.task import TIMED_OUT
from greening._core.timers import deadline_after
from greening.sync.lock import Lock, RLock, acquire_uninterruptibly


@uninterruptible
class Condition:
    """A lock with a queue of threads that wait until what it protects has changed. `threading.Condition`'s interface.

    A waiter that is killed or times out takes the lock again before it goes. If it had been notified, the notification
    goes to the next. `notify` never switches.

    Args:
        lock: a `Lock` or `RLock`; None: an RLock of its own.
    Thread-safety: complete, between green threads, hubs and OS threads.
    Difference from `threading.Condition`: no notification is lost with the waiter that was chosen for it.
    """

    __slots__ = ("__weakref__", "_lock", "_waiters")

    def __init__(self, lock: Lock | RLock | None = None) -> None:
        self._lock: Lock | RLock = RLock() if lock is None else lock
        self._waiters = ParkingLot()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock. Arguments, result and errors as `Lock.acquire`."""
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        """Give the lock back.

        Raises:
            RuntimeError: it is free, or it is an RLock that another thread owns.
        """
        self._lock.release()

    def __enter__(self) -> bool:
        return self._lock.__enter__()

    def __exit__(self, *exc_info: object) -> None:
        self._lock.__exit__(*exc_info)

    def _is_owned(self) -> bool:
        return self._lock._is_owned() if isinstance(self._lock, RLock) else self._lock.locked()

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock, park until notified, take the lock again.

        Args:
            timeout: seconds from now; None: no limit; 0 or less: no wait.
        Returns:
            False when the time ran out.
        Raises:
            RuntimeError: the caller does not hold the lock. TypeError, ValueError: `timeout` is no number of seconds.
        """
        if not self._is_owned():
            raise RuntimeError("cannot wait on un-acquired lock")
        if timeout is not None:
            deadline_after(0.0, timeout)  # an odd timeout is an error before the lock is given up
        saved: Any = None
        task = self._waiters.enter()
        if isinstance(self._lock, RLock):
            saved = self._lock._release_save()
        else:
            self._lock.release()
        try:
            return self._waiters.wait(task, timeout, self._pass_on) is not TIMED_OUT
        finally:
            if isinstance(self._lock, RLock):
                self._lock._acquire_restore(saved)
            elif (interruption := acquire_uninterruptibly(self._lock.acquire)) is not None:
                raise interruption

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait, again and again, until `predicate()` is true. It is called with the lock held.

        Args:
            timeout: seconds from now, for all waits together; None: no limit.
        Returns:
            What the predicate returned last: something false when the time ran out.
        Raises:
            as `wait`, and whatever the predicate raises.
        """
        hub = waiting_task().hub
        deadline = None if timeout is None else deadline_after(hub.now(), timeout)
        result = predicate()
        while not result:
            left = None if deadline is None else deadline - hub.now()
            if left is not None and left <= 0:
                break
            self.wait(left)
            result = predicate()
        return result

    def notify(self, n: int = 1) -> None:
        """Wake the first `n` waiters. They run once they have the lock.

        Raises:
            RuntimeError: the caller does not hold the lock.
        """
        if not self._is_owned():
            raise RuntimeError("cannot notify on un-acquired lock")
        with guard:
            while n > 0 and self._waiters.unpark() is not None:
                n -= 1

    def notify_all(self) -> None:
        """Wake every waiter. Errors as `notify`."""
        self.notify(len(self._waiters))

    def _pass_on(self, value: object) -> None:
        """A waiter was notified, and is interrupted."""
        self._waiters.unpark()

    def __repr__(self) -> str:
        return f"<Condition({self._lock!r}, {len(self._waiters)})>"
