"""eventlet's names, on greening: what `import eventlet` gives after `install()`.

    import greening.compat.eventlet
    greening.compat.eventlet.install()

    import eventlet                      # from here on: this package
    eventlet.monkey_patch()

Without a change to the program: `python -m greening --as-eventlet (SCRIPT | -m MODULE) ...`.

There is one file for each module of eventlet's. Where greening has the thing, the name means the very object.
Submodules are attributes, too, and are imported when they are asked for.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

import greenlet as greenlet

from greening._core.greenthread import getcurrent, kill, spawn, spawn_after, spawn_n
from greening._core.waiting import sleep_or_look as sleep
from greening.compat.eventlet.greenthread import TimeoutError, call_after_global, exc_after
from greening.compat.eventlet.patcher import monkey_patch
from greening.compat.eventlet.semaphore import CappedSemaphore
from greening.compat.eventlet.timeout import is_timeout, wrap_is_timeout
from greening.errors import StopServe
from greening.monkey import import_patched
from greening.pool.greenpile import GreenPile
from greening.pool.greenpool import GreenPool
from greening.sync.event import Event
from greening.sync.queue import Queue
from greening.sync.semaphore import BoundedSemaphore, Semaphore
from greening.timeout import Timeout, with_timeout

if TYPE_CHECKING:
    from greening.compat.alias import install
    from greening.compat.eventlet.convenience import listen
    from greening.net.convenience import connect, serve
    from greening.net.wrap_ssl import wrap_ssl

# Above every release of eventlet, so that a program that asks for a new one is content.
version_info = (0, 99, 0)
__version__ = ".".join(map(str, version_info))

# Fetched when they are asked for: `socket` and `ssl` are heavy, and most programs patch before they need them.
_LAZY = {
    "connect": "greening.net.convenience",
    "install": "greening.compat.alias",
    "listen": "greening.compat.eventlet.convenience",
    "serve": "greening.net.convenience",
    "wrap_ssl": "greening.net.wrap_ssl",
}


class EventletDeprecationWarning(Warning):
    """The warning of eventlet that it is on its way out. Programs name it in their filters; greening does not warn."""


_SUBMODULES = frozenset(
    "asyncio backdoor convenience corolocal coros dagpool db_pool debug event green greenio greenpool greenthread hubs "
    "lock patcher pools queue semaphore support timeout tpool websocket wsgi".split()
)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = globals()[name] = getattr(importlib.import_module(_LAZY[name]), name)
        return value
    if name in _SUBMODULES:
        # By the name that it was asked for, if there is one: programs find it in `sys.modules`.
        package = "eventlet" if sys.modules.get("eventlet") is sys.modules[__name__] else __name__
        try:
            return importlib.import_module(f"{package}.{name}")
        except ImportError as error:  # an extra is not installed; `import eventlet.wsgi` says so, too
            raise AttributeError(str(error)) from error
    raise AttributeError(f"module 'eventlet' (greening's) has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})


__all__ = [
    "BoundedSemaphore",
    "CappedSemaphore",
    "Event",
    "EventletDeprecationWarning",
    "GreenPile",
    "GreenPool",
    "Queue",
    "Semaphore",
    "StopServe",
    "Timeout",
    "TimeoutError",
    "call_after_global",
    "connect",
    "exc_after",
    "getcurrent",
    "import_patched",
    "install",
    "is_timeout",
    "kill",
    "listen",
    "monkey_patch",
    "serve",
    "sleep",
    "spawn",
    "spawn_after",
    "spawn_n",
    "with_timeout",
    "wrap_is_timeout",
    "wrap_ssl",
]
