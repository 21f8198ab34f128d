"""greening: ordinary blocking Python, cooperative and massively concurrent.

Call `greening.monkey_patch()` first thing, or run a script with `python -m greening script.py`, or import single
modules green: `from greening.green import socket`.

The house, from the ground up:
    _entrance _compiled        where greening may be imported; compiled or pure
    _originals errors          the stdlib before patching; every exception
    _core                      the engine: hub, tasks, green threads, timers, descriptors
    sync timeout               locks, events, queues; timeouts
    pool threads patcher       pools and piles; real OS threads; how to patch
    fdio readiness interop     pipes, files, children; select and its kin; asyncio, uvloop, the import lock
    net                        sockets, TLS, names, servers
    patches                    what is patched: one file per module of the stdlib
    monkey debug green         the patcher's face; instruments; green imports
    wsgi websocket             servers, and a client
    ext backdoor               a worker for gunicorn; a prompt inside a running process
    compat                     eventlet's names for all of it
"""

import os as _os
from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from greening import _entrance as _entrance  # first: it refuses where greening cannot work

# In a checkout the patch modules lie beside the package, not inside it.
if not _os.path.isdir(_os.path.join(__path__[0], "patches")):
    __path__.append(_os.path.dirname(__path__[0]))

from greening._core.greenthread import GreenThread, getcurrent, kill, spawn, spawn_after, spawn_after_local, spawn_n
from greening._core.shield import shield
from greening._core.waiting import sleep
from greening.errors import Deadlock, GreeningError, GreenletExit, PatchError, PatchWarning, StopServe
from greening.monkey import import_patched, is_monkey_patched, monkey_patch, original, unpatch
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
    from greening import tpool
    from greening.net.convenience import connect, listen, serve
    from greening.net.exchange import exchange
    from greening.net.stream_server import StreamServer
    from greening.net.wrap_ssl import wrap_ssl

# The version of the distribution as well: see pyproject.toml.
__version__ = "0.1.0.dev0"

# `pytest -p greening` imports this module as a plug-in of pytest; the plug-in is there.
pytest_plugins = ("greening.ext.pytest",)

# Fetched when they are asked for: `socket` and `ssl` are heavy, and most programs patch before they need them.
_LAZY = {
    "connect": "greening.net.convenience",
    "exchange": "greening.net.exchange",
    "listen": "greening.net.convenience",
    "load_ipython_extension": "greening.ext.ipython",
    "serve": "greening.net.convenience",
    "unload_ipython_extension": "greening.ext.ipython",
    "StreamServer": "greening.net.stream_server",
    "wrap_ssl": "greening.net.wrap_ssl",
}

# Imported when they are asked for as an attribute: `import greening` and `greening.debug.info()`.
_SUBMODULES = frozenset({"aio", "backdoor", "debug", "green", "testing", "tpool", "websocket", "wsgi"})


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        try:
            return _import_module(f"greening.{name}")
        except ImportError as error:  # an extra is not installed; `import greening.wsgi` says so, too
            raise AttributeError(str(error)) from error
    if name in _LAZY:
        value = globals()[name] = getattr(_import_module(_LAZY[name]), name)
        return value
    raise AttributeError(f"module 'greening' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})


__all__ = [
    "BoundedSemaphore",
    "Condition",
    "Deadlock",
    "Event",
    "GreenPile",
    "GreenPool",
    "GreenThread",
    "GreeningError",
    "GreenletExit",
    "LifoQueue",
    "LightQueue",
    "Lock",
    "PatchError",
    "PatchWarning",
    "PriorityQueue",
    "Queue",
    "RLock",
    "Semaphore",
    "StopServe",
    "StreamServer",
    "Timeout",
    "connect",
    "exchange",
    "getcurrent",
    "import_patched",
    "is_monkey_patched",
    "kill",
    "listen",
    "local",
    "monkey_patch",
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
    "with_timeout",
    "wrap_ssl",
]
