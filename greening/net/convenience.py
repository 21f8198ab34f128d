"""eventlet's short-cuts: `connect`, `listen`, `serve` (`wrap_ssl` is in wrap_ssl.py).

Their sockets are cooperative whether or not anything is patched.
"""

import socket as _stdlib
from collections.abc import Callable
from typing import Any

from greening._core.current import current
from greening._core.greenthread import GreenThread, kill
from greening._core.task import Task
from greening._core.unhandled import report_unhandled
from greening.errors import StopServe
from greening.net.accept import HANDSHAKE_TIMEOUT, Acceptor
from greening.net.socket import GreenSocket
from greening.pool.greenpool import GreenPool


def connect(addr: Any, family: int = _stdlib.AF_INET, bind: Any = None) -> GreenSocket:
    """A client connection.

    Args:
        addr: (host, port), or a path for AF_UNIX. bind: the local address, if it matters.
    Raises:
        OSError: as `socket.connect`. Nothing stays open then.
    """
    sock = GreenSocket(family, _stdlib.SOCK_STREAM)
    try:
        if bind is not None:
            sock.bind(bind)
        sock.connect(addr)
    except BaseException:
        sock.close()
        raise
    return sock


def listen(
    addr: Any,
    family: int = _stdlib.AF_INET,
    backlog: int = 50,
    reuse_addr: bool = True,
    reuse_port: bool = False,
) -> GreenSocket:
    """A listening socket.

    Args:
        addr: (host, port) - port 0: the system chooses - or a path for AF_UNIX, which must not exist.
        backlog: connections that wait for `accept` (listen(2)).
        reuse_addr: SO_REUSEADDR (not for AF_UNIX).
        reuse_port: SO_REUSEPORT. Difference from eventlet: only when asked for, so that two servers on one port are an
            error.
    Raises:
        OSError: as `bind` and `listen`.
    """
    sock = GreenSocket(family, _stdlib.SOCK_STREAM)
    try:
        if reuse_addr and family != _stdlib.AF_UNIX:
            sock.setsockopt(_stdlib.SOL_SOCKET, _stdlib.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(_stdlib.SOL_SOCKET, _stdlib.SO_REUSEPORT, 1)
        sock.bind(addr)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def serve(sock: Any, handle: Callable[[Any, Any], object], concurrency: int = 1000) -> None:
    """Accept connections for ever and call `handle(connection, address)` for each in a green thread of its own.

    A handler's return closes its connection. Raise `StopServe` in a handler to make `serve` return; any other exception
    of a handler ends `serve`, which raises it (eventlet's rule). Handlers that are at work then go on; what they raise
    is reported. Out of descriptors or memory, it pauses and goes on.

    Over a TLS listener the handshake is the green thread's work, too, and has ten seconds: a client that is silent or
    talks nonsense costs a place for so long, and nothing else.

    Args:
        sock: a listening socket.
        concurrency: connections at once; further ones wait in the backlog.
    Raises:
        what a handler raised; OSError: `accept` failed for good, e.g. because `sock` was closed.
    """
    acceptor = Acceptor(sock, handshake_timeout=HANDSHAKE_TIMEOUT)
    serving = _Serving(acceptor, handle)
    pool = GreenPool(concurrency)
    try:
        while True:
            connection, address = acceptor.accept()
            try:
                thread = pool.spawn(serving.handle, connection, address)
            except BaseException:
                connection.close()
                raise
            thread.quiet = True
            thread.link(serving.ended)
            del connection, thread
    except StopServe:
        return
    finally:
        serving.task = None


class _Serving:
    """One call of `serve`. `task`: the green thread that is in it, None once somebody has ended it."""

    def __init__(self, acceptor: Acceptor, handle: Callable[[Any, Any], object]) -> None:
        self.acceptor = acceptor
        self.handler = handle
        self.task: Task | None = current()

    def handle(self, connection: Any, address: Any) -> None:
        """Body of a connection's green thread."""
        if self.acceptor.tls:
            connection = self.acceptor.secure(connection)
            if connection is None:
                return
        try:
            self.handler(connection, address)
        finally:
            try:
                connection.close()
            except OSError:
                pass

    def ended(self, thread: GreenThread[Any]) -> None:
        """A connection's green thread has ended: what it raised ends `serve`, the first time."""
        error = thread.failure
        if not isinstance(error, Exception):
            return
        task, self.task = self.task, None
        if task is not None:
            kill(task, error)
        elif not isinstance(error, StopServe):
            report_unhandled(error, thread)
