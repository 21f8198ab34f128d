"""eventlet.green.zmq: pyzmq whose sockets let others run while they wait. See `greening.ext.green_zmq`."""

from typing import Any

from greening.ext import green_zmq
from greening.ext.green_zmq import Context, Poller, Socket

__all__ = ["Context", "Poller", "Socket"]


def __getattr__(name: str) -> Any:
    return getattr(green_zmq, name)


def __dir__() -> list[str]:
    return dir(green_zmq)
