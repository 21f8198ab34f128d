"""`put`, `release`, `task_done` and `set` of the stdlib's queues, semaphores and events: a kill does not prevent them.

Facts: the stdlib's `queue.Queue`, `threading.Semaphore` and `threading.Event` change under a lock of their own, which
they hold for a moment. In a green program it may be held for longer: a waiter that was notified has been given it, and
has not run yet. A green thread that gives something back then waits for the lock. A kill or a Timeout that strikes in
this wait leaves a pool that has lost a connection, or a waiter that nothing wakes: the call stands in a `finally`, and
is not repeated. OS threads cannot be killed, so no library is prepared for it.
Decision: as long as the lock is held, kills and Timeouts wait for the end of the call (see `greening.shield`). Only a
`put` that has to wait for room can be interrupted, in that wait.
"""

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from greening._core.shield import shield
from greening.sync.lock import Lock

Method = Callable[..., Any]


def queue_methods(module: ModuleType) -> dict[str, object]:
    """Members for the class `Queue` of `queue`, or of a copy of it."""
    put: Method = module.Queue.put
    full: type[Exception] = module.Full

    @wraps(put)
    def put_back(self: Any, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if self.mutex.locked():
            with shield():
                try:
                    put(self, item, False)
                    return
                except full:
                    if not block:
                        raise
        put(self, item, block, timeout)

    return {"put": put_back, "task_done": _undisturbed(module.Queue.task_done, lambda owner: owner.mutex)}


def threading_methods(module: ModuleType) -> dict[str, dict[str, object]]:
    """Members for classes of `threading`, or of a copy of it."""

    def lock_of(owner: Any) -> Any:
        return owner._cond._lock

    return {
        "Semaphore": {"release": _undisturbed(module.Semaphore.release, lock_of)},
        "BoundedSemaphore": {"release": _undisturbed(module.BoundedSemaphore.release, lock_of)},
        "Event": {"set": _undisturbed(module.Event.set, lock_of)},
    }


def is_owned(self: Any) -> bool:
    """`Condition._is_owned`, where the lock has none. `notify` calls it with the lock held, and may let nobody run."""
    lock = self._lock
    if isinstance(lock, Lock):
        return lock.locked()
    if lock.acquire(False):
        lock.release()
        return False
    return True


def _undisturbed(method: Method, lock_of: Callable[[Any], Any]) -> Method:
    @wraps(method)
    def undisturbed(self: Any, *args: Any, **kwargs: Any) -> Any:
        if lock_of(self).locked():
            with shield():
                return method(self, *args, **kwargs)
        return method(self, *args, **kwargs)

    return undisturbed
