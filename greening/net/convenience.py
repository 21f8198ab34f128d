"""eventlet's short-cuts: `connect`, `listen`, `serve` (`wrap_ssl` is in wrap_ssl.py).

Their sockets are cooperative whether or not anything is patched.
"""

import socket as _stdlib
from collections.abc import Callable, Iterable
from typing import Any

from greening._core.current import current
from greening._core.greenthread import GreenThread, kill
from greening._core.mistakes import address_error, check_handler, check_listener, listen_remedy, two_arguments
from greening._core.task import Task
from greening._core.unhandled import report_unhandled
from greening.errors import StopServe
from greening.net.accept import HANDSHAKE_TIMEOUT, Acceptor
from greening.net.socket import GreenSocket
from greening.pool.greenpool import GreenPool


def connect(addr: Any, family: int = _stdlib.AF_INET, bind: Any = None) -> GreenSocket:
    """Make a TCP connection (or one of another family); park until it is made.

    Args:
        addr: (host, port), or a path for AF_UNIX.
        family: the address family, of socket.AF_*.
        bind: the local address; None: the system chooses.
    Returns:
        A blocking cooperative socket.
    Raises:
        OSError: as `socket.connect` and `socket.bind`; a note names the address. No descriptor stays open then.
        TypeError: it is no address.
    Difference from `socket.create_connection`: it tries one address of a name, and has no timeout of its own.
    """
    sock = _socket(addr, family, "greening.connect")
    try:
        if bind is not None:
            sock.bind(bind)
        sock.connect(addr)
    except BaseException as error:
        sock.close()
        if isinstance(error, TypeError):
            raise address_error(addr, "greening.connect", error) from None
        if isinstance(error, (OSError, OverflowError)):
            error.add_note(f"greening.connect({addr!r})")
        raise
    return sock


def _socket(addr: object, family: int, call: str) -> GreenSocket:
    try:
        return GreenSocket(family, _stdlib.SOCK_STREAM)
    except (OSError, TypeError):
        if isinstance(addr, str) and isinstance(family, (int, str)):
            raise two_arguments(addr, family, call) from None
        raise


def listen(
    addr: Any,
    family: int = _stdlib.AF_INET,
    backlog: int = 1024,
    reuse_addr: bool = True,
    reuse_port: bool = False,
) -> GreenSocket:
    """Make a listening socket.

    Args:
        addr: (host, port), where port 0 means that the system chooses; a path, which must not exist, for AF_UNIX.
        family: the address family, of socket.AF_*.
        backlog: the number of connections that may wait for `accept` (listen(2)); the system has a limit of its own,
            net.core.somaxconn. Difference from eventlet, which has 50: connections beyond that come a second late.
        reuse_addr: True: set SO_REUSEADDR (not for AF_UNIX).
        reuse_port: True: set SO_REUSEPORT. Difference from eventlet: it is not set unless asked for, so that two
            servers on one port are an error.
    Returns:
        A blocking cooperative socket.
    Raises:
        OSError: as `socket.bind` and `socket.listen`; a note names the address. No descriptor stays open then.
        TypeError: it is no address, or `backlog` no number.
    Source: socket(7).
    """
    if not isinstance(backlog, int):
        raise TypeError(f"backlog is a number of connections, not {backlog!r}")
    sock = _socket(addr, family, "greening.listen")
    options = []
    if reuse_addr and family != _stdlib.AF_UNIX:
        options.append((_stdlib.SOL_SOCKET, _stdlib.SO_REUSEADDR))
    if reuse_port:
        options.append((_stdlib.SOL_SOCKET, _stdlib.SO_REUSEPORT))
    try:
        begin_to_listen(sock, addr, backlog, options)
    except TypeError as error:
        raise address_error(addr, "greening.listen", error) from None
    except (OSError, OverflowError) as error:
        error.add_note(f"greening.listen({addr!r}){listen_remedy(error)}")
        raise
    return sock


def begin_to_listen(sock: Any, addr: Any, backlog: int, options: Iterable[tuple[int, int]]) -> None:
    """Switch options on, bind, and listen. The socket is closed if one of it fails.

    Args:
        options: (level, option) of setsockopt(2).
    Raises:
        OSError: as `socket.bind` and `socket.listen`.
    """
    try:
        for option in options:
            sock.setsockopt(*option, 1)
        sock.bind(addr)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise


def serve(sock: Any, handle: Callable[[Any, Any], object], concurrency: int = 1000) -> None:
    """Accept connections for ever and call `handle(connection, address)` for each in a green thread of its own.

    When a handler returns, its connection is closed. A handler that raises `StopServe` makes `serve` return. Any other
    exception of a handler ends `serve`, which raises it (eventlet's rule). Handlers that are at work then go on, and
    what they raise is reported. Out of descriptors or memory, `serve` pauses and goes on.

    Over a TLS listener the connection's green thread also shakes hands, and has ten seconds for that. A client that is
    silent or talks nonsense costs one place for so long.

    Args:
        sock: a listening socket.
        handle: called with a connection and the address of its peer.
        concurrency: the number of connections at once; further ones wait in the backlog.
    Raises:
        Exception: what a handler raised.
        OSError: `accept` failed for good, for example because `sock` was closed.
        TypeError: `sock` cannot listen, `handle` cannot be called, or is an `async def`.
    Thread-safety: call it, and close `sock`, in one OS thread.
    """
    check_listener(sock, "serve()")
    check_handler(handle, "serve()", "(connection, address)")
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
    """One call of `serve`. `task` is the green thread in that call; None: a handler has ended it.

    The green threads of its connections are named after the handler.
    """

    def __init__(self, acceptor: Acceptor, handle: Callable[[Any, Any], object]) -> None:
        self.acceptor = acceptor
        self.handler = self.named_after = handle
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
        """A connection's green thread has ended. The first exception of one ends `serve`; the others are reported."""
        error = thread.failure
        if not isinstance(error, Exception):
            return
        task, self.task = self.task, None
        if task is not None:
            kill(task, error)
        elif not isinstance(error, StopServe):
            report_unhandled(error, thread)
