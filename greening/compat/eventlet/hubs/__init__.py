"""eventlet.hubs: the scheduler of an OS thread, under eventlet's names.

There is one kind of hub here, greening's, whatever `use_hub` or EVENTLET_HUB ask for. What `get_hub()` gives shows it
with the interface of eventlet's.
"""

import errno
import importlib
from typing import Any

from greening._core.current import current, in_hub
from greening._core.poller import IN, OUT
from greening._core.suspend import SWITCHABLE
from greening._core.waiting import forget_fd, wait_fd
from greening._originals import real_local
from greening.compat.eventlet.hubs.hub import BaseHub
from greening.compat.eventlet.hubs.listener import IOClosed
from greening.timeout import Timeout

__all__ = [
    "HubError",
    "IOClosed",
    "get_default_hub",
    "get_hub",
    "notify_close",
    "notify_opened",
    "trampoline",
    "use_hub",
]

builtin_hub_names = ("epolls", "poll", "selects", "asyncio")

_thread = real_local()


class HubError(Exception):
    """A hub was asked for that there is not."""


def get_hub() -> BaseHub:
    """The hub of this OS thread, made on first use. The same object each time."""
    try:
        return _thread.hub  # type: ignore[no-any-return]  # set below
    except AttributeError:
        hub = _thread.hub = BaseHub()
        return hub


def get_default_hub() -> Any:
    """The module of the default hub."""
    return importlib.import_module(f"{__name__}.epolls")


def use_hub(mod: Any = None) -> None:
    """Accept a choice among eventlet's hubs: all of them are greening's here.

    Args:
        mod: the name of a hub ("epolls", "poll", "selects", "asyncio"), its module or class; None: the default.
    Raises:
        HubError: a hub of somebody else. RuntimeError: an empty name. ImportError: there is no such module.
    """
    if mod is None:
        return
    if isinstance(mod, str):
        name = mod.strip()
        if not name:
            raise RuntimeError("use_hub needs the name of a hub: " + ", ".join(builtin_hub_names))
        if name in builtin_hub_names:
            return
        module, _, attribute = name.partition(":")
        mod = importlib.import_module(module if "." in name or attribute else f"{__name__}.{module}")
        mod = getattr(mod, attribute or "Hub")
    hub = mod if isinstance(mod, type) else getattr(mod, "Hub", None)
    if not (isinstance(hub, type) and issubclass(hub, BaseHub)):
        raise HubError(f"{mod!r} cannot be the hub: greening has its own, one for each OS thread, and takes no other")


def trampoline(
    fd: Any,
    read: Any = None,
    write: Any = None,
    timeout: float | None = None,
    timeout_exc: Any = Timeout,
    mark_as_closed: Any = None,
) -> None:
    """Park until a descriptor is ready, or somebody switches to the caller.

    Args:
        fd: a descriptor, or an object with `fileno()`. Borrowed.
        read: true: until it can be read. write: true: until it can be written. One of them.
        timeout: seconds from now; None: no limit.
        timeout_exc: what is raised when the time runs out: an exception, or a class of one.
        mark_as_closed: called, without an argument, if the descriptor is closed meanwhile.
    Raises:
        IOClosed: the descriptor is closed, or was closed meanwhile.
        RuntimeError: neither or both of `read` and `write`; or it is called in the hub, where nothing may wait.
    """
    if in_hub():
        raise RuntimeError("do not call blocking functions from the mainloop")
    if bool(read) == bool(write):
        raise RuntimeError("trampoline() waits either for reading or for writing: say read=True or write=True")
    number = fd.fileno() if hasattr(fd, "fileno") else fd
    me = current()
    me.value = SWITCHABLE
    try:
        ready = wait_fd(number, IN if read else OUT, timeout)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        if mark_as_closed is not None:
            mark_as_closed()
        raise IOClosed(errno.EBADF, f"descriptor {number} is closed") from None
    finally:
        me.value = None
    if not ready:
        raise timeout_exc


def notify_close(fd: int) -> None:
    """A descriptor is about to be closed, or has been: those that wait for it get an error. Thread-safe."""
    forget_fd(fd)


def notify_opened(fd: int) -> None:
    """A descriptor has just been opened: those that wait for a file that had its number before get an error."""
    forget_fd(fd)
