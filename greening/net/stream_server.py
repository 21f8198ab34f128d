"""`StreamServer`: `serve` as an object that can be started and stopped."""

import os
import ssl
from _socket import AF_INET, AF_INET6, AF_UNIX
from collections.abc import Callable
from typing import Any

from greening._core.current import current
from greening._core.greenthread import GreenThread, spawn, throw_into
from greening._core.timers import deadline_after
from greening._core.unhandled import report_unhandled
from greening.errors import GreenletExit, StopServe
from greening.net.accept import HANDSHAKE_TIMEOUT, Acceptor
from greening.net.convenience import listen
from greening.pool.greenpool import GreenPool
from greening.sync.event import Event
from greening.timeout import Timeout


class StreamServer:
    """Accepts connections and runs `handle(connection, address)` for each in a green thread of its own.

    When a handler returns, its connection is closed. An exception of a handler is reported and closes its connection,
    and the server goes on. A handler that raises `StopServe` stops the server. With TLS the handshake is made before
    `handle` is called.

    Args:
        listener: a listening socket, or what `greening.listen` takes to make one: (host, port), or a path for a Unix
            socket.
        handle: called with a connection and the address of its peer.
        concurrency: the number of connections at once; further ones wait in the backlog.
        pool: a GreenPool for the handlers, in place of `concurrency`. Other code may use it as well.
        ssl_context: TLS for all connections. Certificates that are loaded into it later count for later connections.
            Its `sni_callback` is called as always.
        handshake_timeout: seconds for a whole handshake, relative; None: no limit.
    Raises:
        OSError: as `greening.listen`.
    Thread-safety: use it in one OS thread.
    Difference from `socketserver`: a connection costs a green thread, and handlers are functions.
    """

    def __init__(
        self,
        listener: Any,
        handle: Callable[[Any, Any], object],
        *,
        concurrency: int = 1000,
        pool: Any = None,
        ssl_context: ssl.SSLContext | None = None,
        handshake_timeout: float | None = HANDSHAKE_TIMEOUT,
    ) -> None:
        self.listener = _listening(listener)
        self.address: Any = self.listener.getsockname()
        self.closed = False
        self._handle = handle
        self._pool = GreenPool(concurrency) if pool is None else pool
        self._acceptor = Acceptor(self.listener, ssl_context, handshake_timeout)
        self._accepting: GreenThread[None] | None = None
        # What each handler's green thread serves: one that is killed before it begins cannot close it.
        self._connections: dict[GreenThread[Any], Any] = {}
        self._stopped = Event()
        self._failure: OSError | None = None
        self._drained: Event | None = None
        # Green threads that wait in `stop`: handlers among them would wait for each other.
        self._stopping: list[Any] = []

    def start(self) -> None:
        """Begin to accept, and return at once. A second call does nothing.

        Raises:
            RuntimeError: the server was stopped.
        """
        if self.closed:
            raise RuntimeError("a server that was stopped cannot be started again")
        if self._accepting is None:
            self._accepting = spawn(self._accept)
            self._accepting.name = "accept"

    def serve_forever(self) -> None:
        """Call `start`, and park until the server is stopped.

        Raises:
            OSError: accept(2) failed for good.
            RuntimeError: the server was stopped before.
        """
        self.start()
        self._stopped.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self, timeout: float | None = None) -> None:
        """Accept no more, close the listener, and wait until the handlers have returned. So does a second call.

        A handler that stops its own server is not waited for.

        Args:
            timeout: seconds, relative; handlers that still run then are killed. None: no limit. 0: they are killed at
                once.
        Raises:
            TypeError, ValueError: `timeout` is no number of seconds; nothing has been done.
        """
        if timeout is not None:
            deadline_after(0.0, timeout)  # what is not a number of seconds is refused before anything is closed
        self.close()
        self._stopping.append(current())
        try:
            if self._others() and timeout != 0:
                self._wait_for(timeout)
            left = self._others()
            for thread in left:
                thread.quiet = True
                if thread.started:
                    thread.interrupt(GreenletExit())
                else:
                    throw_into(thread, GreenletExit())
            if left:
                self._wait_for(None)
        finally:
            self._stopping.remove(current())

    def _others(self) -> set[Any]:
        """The green threads of handlers that do not stop the server themselves."""
        return self._connections.keys() - set(self._stopping)

    def close(self) -> None:
        """Accept no more, and close the listener. Connections go on. A second call does nothing."""
        if self.closed:
            return
        self.closed = True
        accepting, self._accepting = self._accepting, None
        if accepting is not None and accepting is not current():
            accepting.quiet = True
            throw_into(accepting, GreenletExit())
        self.listener.close()
        self._stopped.send()

    def _wait_for(self, timeout: float | None) -> None:
        """Park until no handler is left but the caller, or the time is up."""
        with Timeout(timeout, False):
            while self._others():
                self._drained = self._drained or Event()
                self._drained.wait()

    def _accept(self) -> None:
        acceptor, pool = self._acceptor, self._pool
        body = self._secured if acceptor.tls else self._served
        try:
            while True:
                connection, address = acceptor.accept()
                try:
                    thread = pool.spawn(body, connection, address)
                except BaseException:
                    connection.close()
                    raise
                self._connections[thread] = connection
                thread.quiet = True
                thread.link(self._ended)
                del connection, thread
        except OSError as error:
            self._failure = error
            self.close()

    def _secured(self, connection: Any, address: Any) -> None:
        secured = self._acceptor.secure(connection)
        if secured is not None:
            del connection
            self._served(secured, address)

    def _served(self, connection: Any, address: Any) -> None:
        """Body of a connection's green thread."""
        try:
            self._handle(connection, address)
        finally:
            _close(connection)

    def _ended(self, thread: GreenThread[Any]) -> None:
        try:
            _close(self._connections.pop(thread, None))
        finally:
            drained, self._drained = self._drained, None
            if drained is not None:
                drained.send()
        error = thread.failure
        if isinstance(error, StopServe):
            self.close()
        elif isinstance(error, Exception):
            report_unhandled(error, thread)


def _close(connection: Any) -> None:
    try:
        if connection is not None:
            connection.close()
    except OSError:
        pass


def _listening(listener: Any) -> Any:
    if isinstance(listener, tuple):
        family = AF_INET6 if ":" in listener[0] else AF_INET
        return listen(listener, family, backlog=1024)
    if isinstance(listener, (str, os.PathLike)):
        return listen(os.fspath(listener), AF_UNIX, backlog=1024)
    return listener
