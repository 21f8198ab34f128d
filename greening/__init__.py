"""greening: ordinary blocking Python, cooperative and massively concurrent.

Ten names to begin with:

    monkey_patch()            make the standard library cooperative; or run a program by `python -m greening SCRIPT`
    spawn(f, x)               run f(x) in a green thread; .wait() gives the result, .kill() ends it
    sleep(seconds)            let the others run
    GreenPool(50)             fifty at once: .imap_unordered(f, items), .spawn(f, x), .waitall(), .kill()
    nursery()                 `with nursery() as n: n.spawn(f)`: none outlives the block, and a failure ends them all
    Timeout(5)                `with Timeout(5): ...`: not longer than five seconds
    Queue()                   hand things over; Event, Lock and Semaphore are there as well
    serve(listen(addr), f)    f(connection, address) in a green thread for each client; StreamServer for more
    tpool.execute(f, x)       f(x) in a native thread: for what computes, or waits in C
    debug                     what runs, what waits, what blocks

`greening.aio` runs coroutines beside green threads, `greening.wsgi` and `greening.websocket` serve, `greening.testing`
drives the clock in tests, and `from greening.green import socket` makes single modules green.
"""

import os as _os
import sys
from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from greening import _entrance as _entrance  # first: it refuses where greening cannot work

# In a checkout the patch modules lie beside the package, not inside it.
if not _os.path.isdir(_os.path.join(__path__[0], "patches")):
    __path__.append(_os.path.dirname(__path__[0]))

from greening._core.greenthread import GreenThread, getcurrent, kill, spawn, spawn_after, spawn_after_local, spawn_n
from greening._core.shield import shield
from greening._core.waiting import sleep, wait_read, wait_write
from greening.errors import (
    Cancelled,
    Deadlock,
    GreeningError,
    GreenletExit,
    PatchError,
    PatchWarning,
    StopServe,
)
from greening.monkey import import_patched, is_monkey_patched, monkey_patch, original, unpatch
from greening.pool.collect import as_completed, joinall, wait
from greening.pool.greenpile import GreenPile
from greening.pool.greenpool import GreenPool
from greening.sync.condition import Condition
from greening.sync.event import Event
from greening.sync.local import local
from greening.sync.lock import Lock, RLock
from greening.sync.queue import LifoQueue, LightQueue, PriorityQueue, Queue
from greening.sync.semaphore import BoundedSemaphore, Semaphore
from greening.timeout import Timeout, with_timeout

if TYPE_CHECKING:
    from queue import Empty, Full

    from greening import tpool
    from greening.net.convenience import connect, listen, serve
    from greening.net.exchange import exchange
    from greening.net.stream_server import StreamServer
    from greening.net.wrap_ssl import wrap_ssl
    from greening.pool.nursery import nursery
    from greening.sync.limits import KeyedSemaphore, RateLimiter

    if sys.version_info >= (3, 13):
        from queue import ShutDown
    else:
        from greening.errors import ShutDown

# The version of the distribution as well: see pyproject.toml.
__version__ = "0.1.0.dev0"

# `pytest -p greening` imports this module as a plug-in of pytest; the plug-in is there.
pytest_plugins = ("greening.ext.pytest",)

# Fetched when they are asked for: `socket`, `ssl` and `queue`, which imports `threading`, are heavy, and most programs
# patch before they need them.
_LAZY = {
    "Empty": "_queue",
    "Full": "queue",
    "KeyedSemaphore": "greening.sync.limits",
    "RateLimiter": "greening.sync.limits",
    "ShutDown": "queue" if sys.version_info >= (3, 13) else "greening.errors",
    "connect": "greening.net.convenience",
    "exchange": "greening.net.exchange",
    "listen": "greening.net.convenience",
    "load_ipython_extension": "greening.ext.ipython",
    "nursery": "greening.pool.nursery",
    "serve": "greening.net.convenience",
    "unload_ipython_extension": "greening.ext.ipython",
    "StreamServer": "greening.net.stream_server",
    "wrap_ssl": "greening.net.wrap_ssl",
}

# Imported when they are asked for as an attribute: `import greening` and `greening.debug.info()`.
_SUBMODULES = frozenset({"aio", "backdoor", "debug", "green", "testing", "tpool", "websocket", "wsgi"})

# What users of eventlet, gevent, trio and asyncio look for, for the error that they get.
_OF_EVENTLET = frozenset(
    "corolocal coros db_pool event greenio greenpool greenthread hubs patcher pools queue semaphore".split()
)
_HERE = {
    "AsyncResult": "Event",
    "Channel": "Queue(0)",
    "Greenlet": "GreenThread",
    "Pool": "GreenPool",
    "TaskGroup": "nursery",
    "Thread": "spawn",
    "ThreadPool": "tpool",
    "create_task": "spawn",
    "fail_after": "Timeout",
    "gather": "joinall",
    "iwait": "as_completed",
    "killall": "GreenPool.kill",
    "move_on_after": "Timeout",
    "open_nursery": "nursery",
    "patch_all": "monkey_patch",
    "run": "aio.run",
    "spawn_later": "spawn_after",
    "spawn_raw": "spawn_n",
    "start_soon": "nursery",
    "waitall": "joinall",
}


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        try:
            return _import_module(f"greening.{name}")
        except ImportError as error:  # an extra is not installed; `import greening.wsgi` says so, too
            raise AttributeError(str(error)) from error
    if name in _LAZY:
        value = globals()[name] = getattr(_import_module(_LAZY[name]), name)
        return value
    problem = f"module 'greening' has no attribute {name!r}"
    if name in _OF_EVENTLET:
        raise AttributeError(f"{problem}: it is a module of eventlet's, and greening.compat.eventlet.{name} here")
    if name in _HERE:
        raise AttributeError(f"{problem}: here it is greening.{_HERE[name]}")
    raise AttributeError(problem, name=name, obj=sys.modules[__name__])  # the interpreter adds "Did you mean"


def __dir__() -> list[str]:
    special = (name for name in globals() if name.startswith("__"))
    return sorted({*special, *__all__, *_SUBMODULES})


# Instruments that the environment asks for.
if any(_os.environ.get(_name) for _name in ("GREENING_DEBUG", "GREENING_DUMP", "GREENING_INSPECT", "GREENING_WATCH")):
    _import_module("greening.debug.environment")

__all__ = [
    "BoundedSemaphore",
    "Cancelled",
    "Condition",
    "Deadlock",
    "Empty",
    "Event",
    "Full",
    "GreenPile",
    "GreenPool",
    "GreenThread",
    "GreeningError",
    "GreenletExit",
    "KeyedSemaphore",
    "LifoQueue",
    "LightQueue",
    "Lock",
    "PatchError",
    "PatchWarning",
    "PriorityQueue",
    "Queue",
    "RLock",
    "RateLimiter",
    "Semaphore",
    "ShutDown",
    "StopServe",
    "StreamServer",
    "Timeout",
    "as_completed",
    "connect",
    "exchange",
    "getcurrent",
    "import_patched",
    "is_monkey_patched",
    "joinall",
    "kill",
    "listen",
    "local",
    "monkey_patch",
    "nursery",
    "original",
    "serve",
    "shield",
    "sleep",
    "spawn",
    "spawn_after",
    "spawn_after_local",
    "spawn_n",
    "tpool",
    "unpatch",
    "wait",
    "wait_read",
    "wait_write",
    "with_timeout",
    "wrap_ssl",
]
