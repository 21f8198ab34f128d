"""Many green threads that wait for results of Celery's at once: one of them reads, and each is woken for its own.

Facts: the results that a process waits for come on one connection of the result backend. By default every waiting
thread reads it. One that reads another's result does not tell it: that one looks again when its interval of a second
is over. And each message wakes all of them, which for two thousand is four million wake-ups. Celery's answer for gevent
and eventlet is a green thread for each backend that reads for ever, and keeps the backend alive with it.
Decision: the thread that comes first reads. A result wakes the thread that waits for it. When the reader has its own or
is interrupted, the one that has waited longest reads on.

The backend for Redis raises MaxConnectionsError when more than a hundred threads ask it at once. Hundreds of OS threads
are rare, green ones are not: here they wait for a connection.
"""

import logging
from collections.abc import Callable, Iterator
from time import monotonic
from types import ModuleType
from typing import Any

from greening._core.waiting import sleep
from greening.ext.classes import patch_methods
from greening.monkey import patch_module
from greening.patcher.spec import Patch
from greening.sync.lock import Lock
from greening.sync.semaphore import Semaphore

# Connections of a result backend for Redis, where `redis_max_connections` is not set; redis-py's own number.
_CONNECTIONS = 100
_PATIENCE = 60.0  # seconds for one of them to be free

logger = logging.getLogger("celery.backends.asynchronous")


def patch(module: ModuleType) -> None:
    """`celery.backends.asynchronous` has been imported: result backends that are made from now on wait so."""
    drainer = type("GreenDrainer", (_Draining, module.Drainer), {"__module__": __name__})
    replaces = {"drainers": {**module.drainers, "default": drainer}}
    patch_module(Patch(target=module.__name__, flag="thread", replaces=replaces), module)


def patch_redis(module: ModuleType) -> None:
    """`celery.backends.redis` has been imported: a thread without a free connection waits for one, a minute at most."""
    redis: Any = module.redis  # None: it is not installed
    if redis is None:
        return
    by_celery = module.RedisBackend._get_pool

    def _get_pool(self: Any, **params: Any) -> Any:
        if self.ConnectionPool is not redis.ConnectionPool:  # the program's own
            return by_celery(self, **params)
        params["max_connections"] = params.get("max_connections") or _CONNECTIONS
        return redis.BlockingConnectionPool(timeout=_PATIENCE, **params)

    patch_methods(module, {"RedisBackend": {"_get_pool": _get_pool}})


class _Draining:
    """The part of a drainer that is ours. One belongs to each result backend. Thread-safety: complete."""

    result_consumer: Any

    def __init__(self, result_consumer: Any) -> None:
        super().__init__(result_consumer)  # type: ignore[call-arg]  # Celery's Drainer comes behind it
        self._reading = Lock()
        self._waiting: dict[Semaphore, None] = {}  # in the order in which they came

    def drain_events_until(
        self,
        p: Any,
        timeout: float | None = None,
        interval: float = 1,
        on_interval: Callable[[], object] | None = None,
        wait: Callable[..., object] | None = None,
    ) -> Iterator[None]:
        """Wait until a promise is kept. Yields now and then; the caller may end it there.

        Args:
            p: the promise of a result.
            timeout: seconds from now; None: no limit. It is kept to, where Celery's may take an interval longer.
            interval: seconds between calls of `on_interval` at most.
            wait: what reads, if not the result consumer.
        Raises:
            TimeoutError: it was not kept in time.
        """
        wait = wait or self.result_consumer.drain_events
        deadline = None if timeout is None else monotonic() + timeout
        turn = Semaphore(0)
        self._waiting[turn] = None
        try:
            p.then(lambda *_: turn.release())
            while not p.ready:
                seconds = interval if deadline is None else min(interval, deadline - monotonic())
                if seconds <= 0:
                    raise TimeoutError("no result in time")
                if self._reading.acquire(blocking=False):
                    self._read(turn, wait, seconds)
                else:
                    turn.acquire(timeout=seconds)
                yield
                if on_interval:
                    on_interval()
        finally:
            del self._waiting[turn]

    def _read(self, turn: Semaphore, wait: Callable[..., object], seconds: float) -> None:
        """Read once, and let the next one see whether it has to go on."""
        try:
            wait(timeout=seconds)
        except TimeoutError:
            pass
        except OSError:  # what `wait` could not mend by connecting anew
            logger.warning("The result backend is lost; it is tried again.", exc_info=True)
            sleep(seconds)
        finally:
            self._reading.release()
            following = next((other for other in self._waiting if other is not turn), None)
            if following is not None:
                following.release()
