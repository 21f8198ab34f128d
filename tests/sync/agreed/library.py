"""The two libraries under the names of one: neither is imported before it is asked for."""

from types import SimpleNamespace
from typing import Any

# Passes of the hub after which nothing is runnable in any scenario. eventlet wakes a waiter in up to three of them.
_PASSES = 20


def library(name: str) -> Any:
    """The library of this name: "eventlet" or "greening". Nothing is patched."""
    found = _eventlet() if name == "eventlet" else _greening()

    def settle() -> None:
        for _ in range(_PASSES):
            found.sleep(0)

    found.settle = settle
    return found


def _greening() -> SimpleNamespace:
    import greening
    from greening.compat.eventlet import dagpool, db_pool, pools

    found = SimpleNamespace(**{name: getattr(greening, name) for name in greening.__all__})
    _add_pools(found, pools, dagpool, db_pool)
    return found


def _eventlet() -> SimpleNamespace:
    import eventlet
    import eventlet.dagpool
    import eventlet.db_pool
    import eventlet.event
    import eventlet.pools
    import eventlet.queue
    import eventlet.semaphore
    import eventlet.timeout
    from greenlet import GreenletExit

    names = "spawn spawn_n spawn_after sleep getcurrent kill GreenPool GreenPile Timeout with_timeout".split()
    found = SimpleNamespace(**{name: getattr(eventlet, name) for name in names})
    for room, more in (
        (eventlet.event, ("Event",)),
        (eventlet.queue, ("Queue", "LightQueue", "PriorityQueue", "LifoQueue")),
        (eventlet.semaphore, ("Semaphore", "BoundedSemaphore")),
    ):
        for name in more:
            setattr(found, name, getattr(room, name))
    found.GreenletExit = GreenletExit
    _add_pools(found, eventlet.pools, eventlet.dagpool, eventlet.db_pool)
    return found


def _add_pools(found: SimpleNamespace, pools: Any, dagpool: Any, db_pool: Any) -> None:
    for room, names in (
        (pools, ("Pool", "TokenPool")),
        (dagpool, ("DAGPool", "Collision", "PropagateError")),
        (db_pool, ("RawConnectionPool", "TpooledConnectionPool", "DatabaseConnector", "ConnectTimeout")),
    ):
        for name in names:
            setattr(found, name, getattr(room, name))
