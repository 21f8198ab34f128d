"""`eventlet.wsgi`: a server for WSGI applications, whose protocol can be subclassed, on the parser of greening.wsgi.

Differences from eventlet: requests that are not well-formed are refused (no Host, lines that end in LF alone, chunks in
HTTP/1.0 ...), unless a subclass of `HttpProtocol` parses heads itself; nothing that a client sends breaks a line of the
log, and `body_length` in it does not count the head; a connection that ends within a request lingers for a moment, so
that its client gets to read the answer.
"""

import os
import sys
from functools import partial
from socket import SHUT_RDWR
from typing import Any

from greening._originals import raw_socket
from greening.compat.eventlet.wsgi_environ import addr_to_host_port
from greening.compat.eventlet.wsgi_head import (
    HeaderLineTooLong,
    HeadersTooLarge,
    without_length,
)
from greening.compat.eventlet.wsgi_input import ChunkReadError, Input
from greening.compat.eventlet.wsgi_log import LoggerFileWrapper, LoggerNull, RequestLine, get_logger
from greening.compat.eventlet.wsgi_protocol import (
    MINIMUM_CHUNK_SIZE,
    STATE_CLOSE,
    STATE_IDLE,
    STATE_REQUEST,
    HttpProtocol,
)
from greening.compat.eventlet.wsgi_response import ALREADY_HANDLED, WSGI_LOCAL, Warner
from greening.net.accept import HANDSHAKE_TIMEOUT, Acceptor
from greening.net.places import cut
from greening.pool.greenpool import GreenPool
from greening.wsgi.limits import Limits
from greening.wsgi.log import DEFAULT_FORMAT as DEFAULT_LOG_FORMAT
from greening.wsgi.request_head import Head, read_head
from greening.wsgi.server import http_date

__all__ = [
    "server",
    "format_date_time",
    "Server",
    "HttpProtocol",
    "HeaderLineTooLong",
    "HeadersTooLarge",
    "Input",
    "LoggerFileWrapper",
    "LoggerNull",
    "addr_to_host_port",
    "get_logger",
    "socket_repr",
    "ChunkReadError",
    "WSGI_LOCAL",
    "ALREADY_HANDLED",
    "STATE_IDLE",
    "STATE_REQUEST",
    "STATE_CLOSE",
    "MINIMUM_CHUNK_SIZE",
]

DEFAULT_MAX_SIMULTANEOUS_REQUESTS = 1024
DEFAULT_MAX_HTTP_VERSION = "HTTP/1.1"
MAX_REQUEST_LINE = 8192  # bytes, as the two below

_SHORT = 1024  # bytes: heads up to here are remembered
_REMEMBERED = 128  # heads

# Programs set these, before or after they import what uses them: each request looks here.
MAX_HEADER_LINE = 8192
MAX_TOTAL_HEADER_SIZE = 65536
is_accepting = True


def format_date_time(timestamp: float) -> str:
    """A time, in seconds since the epoch, as HTTP writes it."""
    return http_date(timestamp).decode("ascii")


def socket_repr(sock: Any) -> str:
    """Where a listening socket is reached, as the log says it; of a Unix socket "http:" and its path."""
    scheme = "https" if hasattr(sock, "do_handshake") else "http"
    address = sock.getsockname()
    if not isinstance(address, tuple):
        return f"{scheme}:{os.fsdecode(address)}"
    host, port = address[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class Server:
    """What the connections of a server share. `server` makes one.

    Args:
        socket: the listening socket. address: what it is bound to. app: the application.
        log: a logger or a file; None: standard error. log_output: False: nothing is said at all.
        environ: added to the environ of every request.
        max_http_version: "HTTP/1.0": never answer in HTTP/1.1.
        protocol: a subclass of `HttpProtocol`.
        minimum_chunk_size: bytes; the pieces of an iterable are gathered until there are so many, 4,096 by default. A
            request may say so by `environ["eventlet.minimum_write_chunk_size"]`.
        log_x_forwarded_for: name the addresses of that field in the log.
        keepalive: False: one request for each connection; a number: seconds to wait for the line of the next one.
        log_format: for `%`; see greening.wsgi.ServerSettings.
        url_length_limit: bytes of a request line; with so many it is refused with 414.
        debug: tracebacks to clients, and more lines in the log.
        socket_timeout: seconds for each piece that a client sends or takes, heads among them; None: no limit.
        capitalize_response_headers: `content-type` is sent as `Content-Type`.
    Attributes:
        log: with `info`, `debug` and `error`. pid: of this process. outstanding_requests: how many are under way.
        limits: those of greening.wsgi, for heads and bodies. warn: see `Warner`.
    Difference from eventlet: it is no `http.server.HTTPServer`; of that, it had only the name.
    """

    def __init__(
        self,
        socket: Any,
        address: Any,
        app: Any,
        log: Any = None,
        environ: dict[str, Any] | None = None,
        max_http_version: str | None = None,
        protocol: type[HttpProtocol] = HttpProtocol,
        minimum_chunk_size: int | None = None,
        log_x_forwarded_for: bool = True,
        keepalive: bool | float = True,
        log_output: bool = True,
        log_format: str = DEFAULT_LOG_FORMAT,
        url_length_limit: int = MAX_REQUEST_LINE,
        debug: bool = True,
        socket_timeout: float | None = None,
        capitalize_response_headers: bool = True,
    ) -> None:
        self.outstanding_requests = 0
        self.socket = socket
        self.address = address
        self.log = get_logger(log, debug) if log_output else LoggerNull()
        self.app = app
        self.keepalive = keepalive
        self.environ = environ
        self.max_http_version = max_http_version
        self.protocol = protocol
        self.pid = os.getpid()
        self.minimum_chunk_size = minimum_chunk_size
        self.log_x_forwarded_for = log_x_forwarded_for
        self.log_output = log_output
        self.log_format = log_format
        self.url_length_limit = url_length_limit
        self.debug = debug
        self.socket_timeout = socket_timeout
        self.capitalize_response_headers = capitalize_response_headers
        # What an application does not read is read to the end, and how long a head is `MAX_TOTAL_HEADER_SIZE` says.
        self.limits = Limits(target=url_length_limit, head=sys.maxsize, drain=sys.maxsize)
        self.warn = Warner(app)
        self._heads: dict[bytes, Head] = {}

    def head_of(self, raw: bytes, strict: bool) -> Head:
        """`read_head`, and remember it, since clients repeat themselves.

        Args:
            strict: False: let a missing Host pass, and Content-Length beside Transfer-Encoding.
        Raises: as `read_head`.
        """
        if not strict:
            return read_head(without_length(raw), self.limits, any_method=True, needs_host=False)
        head = self._heads.get(raw)
        if head is None:
            head = read_head(raw, self.limits, any_method=True)
            if head.plain and len(raw) <= _SHORT:
                if len(self._heads) >= _REMEMBERED:
                    self._heads.clear()
                self._heads[raw] = head
        return head

    def line_of(self, entry: RequestLine) -> str:
        """The line of a request for the log."""
        return entry.default() if self.log_format is DEFAULT_LOG_FORMAT else self.log_format % entry

    @property
    def max_header_line(self) -> int:
        """Bytes of one field line."""
        return MAX_HEADER_LINE

    @property
    def max_total_header_size(self) -> int:
        """Bytes of the field lines of one head."""
        return MAX_TOTAL_HEADER_SIZE

    def get_environ(self) -> dict[str, Any]:
        """What is the same for all requests, anew for each."""
        tls = hasattr(self.socket, "do_handshake")
        common: dict[str, Any] = {
            "wsgi.errors": sys.stderr,
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.url_scheme": "https" if tls else "http",
        }
        if tls:
            common["HTTPS"] = "on"
        return {**common, **(self.environ or {})}

    def process_request(self, conn_state: list[Any]) -> None:
        """Serve one connection, until it ends.

        Args:
            conn_state: see `HttpProtocol`.
        """
        try:
            self.protocol(conn_state, self)
        except TimeoutError:
            conn_state[1].close()
            self.log.debug(f"({self.pid}) timed out {conn_state[0]!r}")


class _Connections:
    """The connections of one server.

    Args:
        pool: gives each a green thread.
    """

    def __init__(self, serving: Server, acceptor: Acceptor, pool: Any) -> None:
        self._serving = serving
        self._acceptor = acceptor
        self._pool = pool
        self._open: dict[int, list[Any]] = {}

    def accept(self) -> None:
        """Wait for one, and have it served. Raises: OSError: accept(2) failed for good."""
        serving = self._serving
        sock, address = self._acceptor.accept()
        sock.settimeout(serving.socket_timeout)
        serving.log.debug(f"({serving.pid}) accepted {address!r}")
        state = [address, sock, STATE_IDLE]
        self._open[id(state)] = state
        self._pool.spawn(self._serve, state).link(self._ended, state)

    def stop(self) -> None:
        """End those that are idle, and wait for the others."""
        for state in self._open.values():
            idle = state[2] == STATE_IDLE
            state[2] = STATE_CLOSE
            if idle:
                _shut_down(state[1])
        self._pool.waitall()

    def _serve(self, state: list[Any]) -> None:
        if self._acceptor.tls:
            if self._acceptor.secure(state[1], partial(state.__setitem__, 1)) is None:
                return
            state[1].settimeout(self._serving.socket_timeout)
        self._serving.process_request(state)

    def _ended(self, thread: Any, state: list[Any]) -> None:
        self._open.pop(id(state), None)
        state[2] = STATE_CLOSE
        if state[1].fileno() >= 0:  # the protocol has not closed it
            _shut_down(state[1])
            state[1].close()


def _shut_down(sock: Any) -> None:
    if isinstance(sock, raw_socket):
        cut(sock)
        return
    try:
        sock.shutdown(SHUT_RDWR)
    except OSError:
        pass


def server(
    sock: Any,
    site: Any,
    log: Any = None,
    environ: dict[str, Any] | None = None,
    max_size: int | None = None,
    max_http_version: str | None = DEFAULT_MAX_HTTP_VERSION,
    protocol: type[HttpProtocol] = HttpProtocol,
    server_event: Any = None,
    minimum_chunk_size: int | None = None,
    log_x_forwarded_for: bool = True,
    custom_pool: Any = None,
    keepalive: bool | float = True,
    log_output: bool = True,
    log_format: str = DEFAULT_LOG_FORMAT,
    url_length_limit: int = MAX_REQUEST_LINE,
    debug: bool = True,
    socket_timeout: float | None = None,
    capitalize_response_headers: bool = True,
) -> None:
    """Serve a WSGI application until the calling green thread is killed, or `is_accepting` is made false.

    At the end it accepts no more, closes idle connections, waits for the requests under way, and closes `sock`.

    Args:
        sock: a listening socket. site: the application.
        max_size: connections at once; 1,024 by default. custom_pool: a GreenPool in place of it.
        server_event: an Event that is sent the `Server`.
        others: see `Server`.
    Raises:
        OSError: accept failed for good. AttributeError: `custom_pool` has no `spawn`, or no `waitall`.
    Difference from greening.wsgi.server: eventlet's defaults, and a protocol that is a `BaseHTTPRequestHandler`.
    """
    serving = Server(
        sock,
        sock.getsockname(),
        site,
        log,
        environ,
        max_http_version,
        protocol,
        minimum_chunk_size,
        log_x_forwarded_for,
        keepalive,
        log_output,
        log_format,
        url_length_limit,
        debug,
        socket_timeout,
        capitalize_response_headers,
    )
    if server_event is not None:
        server_event.send(serving)
    pool = GreenPool(max_size or DEFAULT_MAX_SIMULTANEOUS_REQUESTS) if custom_pool is None else custom_pool
    if not (hasattr(pool, "spawn") and hasattr(pool, "waitall")):
        raise AttributeError(f"custom_pool has to have `spawn` and `waitall`, as a GreenPool: {pool!r}")
    acceptor = Acceptor(sock, None, HANDSHAKE_TIMEOUT if socket_timeout is None else socket_timeout)
    connections = _Connections(serving, acceptor, pool)
    _serve(serving, connections, socket_repr(sock))


def _serve(serving: Server, connections: _Connections, where: str) -> None:
    serving.log.info(f"({serving.pid}) wsgi starting up on {where}")
    try:
        while is_accepting:
            connections.accept()
    except (KeyboardInterrupt, SystemExit):
        serving.log.info("wsgi exiting")
    finally:
        connections.stop()
        serving.log.info(f"({serving.pid}) wsgi exited, is_accepting={is_accepting}")
        serving.socket.close()
