"""eventlet.greenio.base: green sockets, and helpers for them."""

import errno
import os
import socket
from typing import Any

from greening.net.socket import GreenSocket

__all__ = [
    "CONNECT_ERR",
    "CONNECT_SUCCESS",
    "GreenSocket",
    "SOCKET_BLOCKING",
    "SOCKET_CLOSED",
    "set_nonblocking",
    "shutdown_safe",
    "socket_timeout",
]

# Error numbers: of a connect that is under way, and of one that is done already; of an operation that would have to
# wait; of a connection that is gone.
CONNECT_ERR = {errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK}
CONNECT_SUCCESS = {0, errno.EISCONN}
SOCKET_BLOCKING = {errno.EAGAIN, errno.EWOULDBLOCK}
SOCKET_CLOSED = {errno.ECONNRESET, errno.ENOTCONN, errno.ESHUTDOWN, errno.EPIPE}

socket_timeout = TimeoutError

_NOT_CONNECTED = {errno.ENOTCONN, errno.EBADF, errno.ENOTSOCK}


def set_nonblocking(fd: Any) -> None:
    """Set O_NONBLOCK on an object with a descriptor: by its `setblocking`, or by its `fileno`."""
    if hasattr(fd, "setblocking"):
        fd.setblocking(0)
    else:
        os.set_blocking(fd.fileno(), False)


def shutdown_safe(sock: Any) -> Any:
    """Shut down both directions of a socket, also one of pyOpenSSL's. One that is closed already is left alone.

    Raises:
        OSError: it failed, and the socket was connected.
    """
    try:
        try:
            return sock.shutdown(socket.SHUT_RDWR)
        except TypeError:  # pyOpenSSL's takes no argument
            return sock.shutdown()
    except OSError as error:
        if error.errno not in _NOT_CONNECTED:
            raise
        return None
