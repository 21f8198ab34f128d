"""eventlet.greenio: green sockets and pipes."""

from greening.compat.eventlet.greenio.base import (
    CONNECT_ERR,
    CONNECT_SUCCESS,
    SOCKET_BLOCKING,
    SOCKET_CLOSED,
    set_nonblocking,
    shutdown_safe,
    socket_timeout,
)
from greening.compat.eventlet.greenio.py3 import GreenPipe, _fileobject
from greening.fdio.rawfile import GreenFileIO
from greening.net.socket import GreenSocket

__all__ = [
    "CONNECT_ERR",
    "CONNECT_SUCCESS",
    "GreenFileIO",
    "GreenPipe",
    "GreenSocket",
    "SOCKET_BLOCKING",
    "SOCKET_CLOSED",
    "_fileobject",
    "set_nonblocking",
    "shutdown_safe",
    "socket_timeout",
]
