"""`greening.green.zmq`: pyzmq with green sockets, contexts, pollers and proxies, for a process that is not patched.

    from greening.green import zmq

    context = zmq.Context()
    socket = context.socket(zmq.REQ)

Everything else is pyzmq's. In a patched process pyzmq's own classes are green already (see the plug-in), and these are
the same with another name.

Raises ImportError where pyzmq is not installed.
"""

import importlib
import inspect
from collections.abc import Iterable
from typing import Any

from greening.ext.zmq import PROXIES, context_members, green_poll, in_thread, socket_members

try:
    _module: Any = importlib.import_module("zmq")
except ModuleNotFoundError as error:
    if error.name != "zmq":
        raise
    raise ImportError(
        "green sockets of ZeroMQ need pyzmq, which is not installed: pip install pyzmq", name="zmq"
    ) from error

__all__ = ["Context", "Poller", "Socket", "select", *PROXIES]

_poll = green_poll(_module, _module.zmq_poll)


class Poller(_module.Poller):  # type: ignore[misc]  # pyzmq need not be installed where types are checked
    """A `zmq.Poller` whose `poll` parks. Green sockets may be registered, and descriptors."""

    def poll(self, timeout: float | None = None) -> list[tuple[Any, int]]:
        """Park until something is ready.

        Args:
            timeout: milliseconds from now; None or less than 0: no limit.
        Returns:
            (socket or descriptor, events) pairs; none: the time ran out.
        """
        return _poll(self.sockets, -1 if timeout is None else timeout)  # type: ignore[no-any-return]  # as above


class Socket(_module.Socket):  # type: ignore[misc]  # as above
    """A `zmq.Socket` whose `send`, `recv`, `poll` and what is made of them park.

    Args, results and errors: as pyzmq's. ZMQ_SNDTIMEO and ZMQ_RCVTIMEO are kept.
    Thread-safety: green threads of one OS thread may share it.
    """

    _poller_class = Poller


for _name, _member in socket_members(_module, _module.Socket).items():
    setattr(Socket, _name, _member)


class Context(_module.Context):  # type: ignore[misc]  # as above
    """A `zmq.Context` whose sockets are green. `term` lets others run while messages are still to be sent."""

    _socket_class = Socket


for _name, _member in context_members(_module.Context).items():
    setattr(Context, _name, _member)


for _name in PROXIES:  # in an OS thread once, also where pyzmq's own are
    globals()[_name] = in_thread(inspect.unwrap(getattr(_module, _name)))


def select(
    rlist: Iterable[Any], wlist: Iterable[Any], xlist: Iterable[Any], timeout: float | None = None
) -> tuple[list[Any], list[Any], list[Any]]:
    """`zmq.select`, which parks.

    Args:
        rlist, wlist, xlist: sockets or descriptors. timeout: seconds from now; None: no limit.
    Returns:
        Those that can be read, that can be written, and that have errors.
    """
    events = (_module.POLLIN, _module.POLLOUT, _module.POLLERR)
    wanted: dict[Any, int] = {}
    for event, items in zip(events, (rlist, wlist, xlist), strict=True):
        for item in items:
            wanted[item] = wanted.get(item, 0) | event
    ready = _poll(list(wanted.items()), -1 if timeout is None else timeout * 1000)
    readable, writable, broken = ([item for item, found in ready if found & event] for event in events)
    return readable, writable, broken


def __getattr__(name: str) -> Any:
    return getattr(_module, name)


def __dir__() -> list[str]:
    return sorted({*dir(_module), *__all__})
