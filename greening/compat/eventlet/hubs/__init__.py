"""eventlet.hubs: the scheduler of an OS thread, under eventlet's names.

There is one scheduler here, greening's, whatever `use_hub` or EVENTLET_HUB ask for. What `get_hub()` gives shows it
with the interface of eventlet's hubs, and is of the class that was asked for.
"""

import errno
import importlib
import os
import warnings
from typing import Any

from greening._core.current import current, in_hub
from greening._core.poller import IN, OUT
from greening._core.suspend import SWITCHABLE
from greening._core.waiting import wait_fd
from greening._originals import real_local
from greening.compat.eventlet.hubs import epolls, poll, selects
from greening.compat.eventlet.hubs.hub import BaseHub
from greening.compat.eventlet.hubs.listener import READ, WRITE, FdListener, IOClosed, closed
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

builtin_hub_names = ("epolls", "poll", "selects")
builtin_hub_modules = (epolls, poll, selects)

# `Hub`: the class that was asked for in this OS thread. `hub`: its instance, if there is one. Programs replace these.
_threadlocal = real_local()


class HubError(Exception):
    """A hub was asked for that there is not."""


def get_hub() -> BaseHub:
    """The hub of this OS thread, made on first use. The same object each time, until `use_hub` is called."""
    try:
        return _threadlocal.hub  # type: ignore[no-any-return]  # whatever was asked for
    except AttributeError:
        if not hasattr(_threadlocal, "Hub"):
            use_hub()
        _threadlocal.hub = _threadlocal.Hub()
        return _threadlocal.hub  # type: ignore[no-any-return]  # as above


def get_default_hub() -> Any:
    """The module of the default hub."""
    return epolls


def use_hub(mod: Any = None) -> None:
    """Choose the class of what `get_hub` gives in this OS thread. The scheduler is greening's, whatever is chosen.

    Args:
        mod: a module with a class `Hub`, or such a class; the name of a hub ("epolls", "poll", "selects", "asyncio"),
            or "package.module:Class"; None: what EVENTLET_HUB names, or else the default.
    Raises:
        HubError: the module says that its hub is not available. RuntimeError: an empty name. ImportError,
        AttributeError: there is no such module, or class.
    Warns:
        RuntimeWarning: the class is not derived from eventlet's hubs: its methods are not those of the scheduler.
    """
    if mod is None:
        mod = os.environ.get("EVENTLET_HUB", epolls)
    attribute = ""
    if isinstance(mod, str):
        name = mod.strip()
        if not name:
            raise RuntimeError("use_hub needs the name of a hub: " + ", ".join(builtin_hub_names))
        module, colon, attribute = name.partition(":")
        mod = importlib.import_module(module if "." in module or colon else f"{__name__}.{module}")
    if hasattr(mod, "is_available") and not mod.is_available():
        raise HubError(f"the hub of {mod!r} says that it is not available on this system")
    hub = mod if isinstance(mod, type) else getattr(mod, attribute or "Hub")
    if not (isinstance(hub, type) and issubclass(hub, BaseHub)):
        warnings.warn(
            f"get_hub() will give what {hub!r} makes, but greening goes on scheduling with its own hub: a hub of "
            "somebody else cannot take its place",
            RuntimeWarning,
            stacklevel=2,
        )
    vars(_threadlocal).pop("hub", None)
    _threadlocal.Hub = hub


def trampoline(
    fd: Any,
    read: Any = None,
    write: Any = None,
    timeout: float | None = None,
    timeout_exc: Any = Timeout,
    mark_as_closed: Any = None,
) -> int:
    """Park until a descriptor is ready, or somebody switches to the caller.

    Args:
        fd: a descriptor, or an object with `fileno()`. Borrowed.
        read: true: until it can be read. write: true: until it can be written. One of them.
        timeout: seconds from now; None: no limit.
        timeout_exc: what is raised when the time runs out: an exception, or a class of one.
        mark_as_closed: called, without an argument, if the descriptor is closed meanwhile.
    Returns:
        The descriptor.
    Raises:
        IOClosed: the descriptor is closed, or was closed meanwhile.
        RuntimeError: neither or both of `read` and `write`; or it is called in the hub, where nothing may wait.
    """
    if in_hub():
        raise RuntimeError("do not call blocking functions from the mainloop")
    if bool(read) == bool(write):
        raise RuntimeError("trampoline() waits either for reading or for writing: say read=True or write=True")
    number: int = fd.fileno() if hasattr(fd, "fileno") else fd
    mask = IN if read else OUT
    ready = _wait_told(number, mask, timeout, mark_as_closed) if mark_as_closed else _wait(number, mask, timeout)
    if not ready:
        raise timeout_exc
    return number


def _wait(fd: int, mask: int, timeout: float | None) -> int:
    me = current()
    me.value = SWITCHABLE
    try:
        return wait_fd(fd, mask, timeout)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
    finally:
        me.value = None
    raise closed(fd)


def _wait_told(fd: int, mask: int, timeout: float | None, mark_as_closed: Any) -> int:
    """`wait_fd` for one who is told at once, by a call of `mark_as_closed`, that the descriptor is closed."""
    task, waiting = current(), get_hub().watches
    listener = FdListener(READ if mask == IN else WRITE, fd, task.switch, task.throw, mark_as_closed, task)
    waiting.add(listener)
    try:
        return _wait(fd, mask, timeout)
    except IOClosed:
        listener.defang()
        raise
    finally:
        waiting.discard(listener)


def notify_close(fd: int) -> None:
    """A descriptor is about to be closed, or has been: those that wait for it get an error.

    Thread-safety: green threads of every OS thread are told; listeners of `hub.add`, those of the caller's.
    """
    get_hub().notify_close(fd)


def notify_opened(fd: int) -> None:
    """A descriptor has just been opened: those that wait for a file that had its number before get an error.

    Thread-safety: as `notify_close`.
    """
    get_hub().mark_as_reopened(fd)
