"""The server: its settings, its connections, and how it ends."""

import os
import time
from dataclasses import replace
from typing import Any

from greening.net.stream_server import StreamServer
from greening.wsgi.environ import template
from greening.wsgi.headers import Answer, compose
from greening.wsgi.limits import Limits
from greening.wsgi.log import DEFAULT_FORMAT, Entry, Log
from greening.wsgi.protocol import HttpProtocol
from greening.wsgi.request_head import Head

# Applications repeat themselves: answers whose field lines have up to so many bytes are remembered, so many of them.
_SHORT = 1024
_REMEMBERED = 256


class Server:
    """Serves a WSGI application on a listening socket.

        server = Server(greening.listen(("127.0.0.1", 8000)), app)
        server.start()
        ...
        server.stop(30)

    Args:
        listener: bound and listening; closed by `stop`. app: PEP 3333.
        ssl_context: TLS for every connection. Others: see `greening.wsgi.server`.
    Attributes:
        address: what the listener is bound to. closing: `stop` was called.
    Thread-safety: use it in one OS thread.
    """

    def __init__(
        self,
        listener: Any,
        app: Any,
        *,
        log: Any = None,
        environ: dict[str, Any] | None = None,
        max_size: int | None = None,
        max_http_version: str | None = "HTTP/1.1",
        protocol: type[HttpProtocol] = HttpProtocol,
        minimum_chunk_size: int | None = None,
        log_x_forwarded_for: bool = False,
        custom_pool: Any = None,
        keepalive: bool | float = True,
        log_output: bool = True,
        log_format: str = DEFAULT_FORMAT,
        url_length_limit: int | None = None,
        debug: bool = False,
        socket_timeout: float | None = None,
        capitalize_response_headers: bool = True,
        limits: Limits | None = None,
        ssl_context: Any = None,
    ) -> None:
        if max_http_version not in ("HTTP/1.1", "HTTP/1.0", None):
            raise ValueError(f"not a version of HTTP: {max_http_version!r}")
        log_format % Entry(("", 0), False, {}, "", 0, 0, 0.0)  # a mistake in it is to be known now
        self.app = app
        self.log = Log(log, log_output, debug)
        self.log_format = log_format
        self.log_x_forwarded_for = log_x_forwarded_for
        self.debug = debug
        self.one = max_http_version != "HTTP/1.0"
        self.keepalive = bool(keepalive)
        self.minimum_chunk_size = minimum_chunk_size or 0
        self.capitalize = capitalize_response_headers
        self.limits = _limits(limits or Limits(), url_length_limit, socket_timeout)
        self.idle_timeout = self.limits.idle_timeout if isinstance(keepalive, bool) else keepalive
        self.address = listener.getsockname()
        tls = ssl_context is not None or hasattr(listener, "do_handshake")
        self.environ = template(self.address, tls, environ)
        self.closing = False
        self.heads: dict[bytes, Head] = {}
        self.answers: dict[tuple[Any, ...], Answer] = {}
        self.connections: set[HttpProtocol] = set()
        self._protocol = protocol
        self._stamped = 0
        self._stamp = b""
        pool = {"concurrency": max_size or 1024} if custom_pool is None else {"pool": custom_pool}
        self._streams = StreamServer(listener, self._handle, ssl_context=ssl_context, **pool)

    def start(self) -> None:
        """Accept connections, in green threads of their own. Returns at once."""
        self._streams.start()
        self.log.info(f"({os.getpid()}) wsgi starting up on {self.address}")

    def stop(self, timeout: float | None = None) -> None:
        """Accept no more, finish what is under way, and return when all connections are closed.

        Args:
            timeout: seconds; then what still runs is killed. None: however long it takes.
        """
        self._close_idle()
        self._streams.stop(timeout)
        self.log.info(f"({os.getpid()}) wsgi exited")

    def serve_forever(self) -> None:
        """`start`, and wait until somebody calls `stop`."""
        self.log.info(f"({os.getpid()}) wsgi starting up on {self.address}")
        self._streams.serve_forever()

    def _close_idle(self) -> None:
        self.closing = True
        for connection in tuple(self.connections):
            if connection.idle:
                connection.hang_up()

    def _handle(self, sock: Any, address: Any) -> None:
        """Body of a connection's green thread."""
        connection = self._protocol(self, sock, address)
        self.connections.add(connection)
        try:
            connection.run()
        finally:
            self.connections.discard(connection)

    def learn_answer(self, status: str, headers: list[tuple[str, str]], head: Head) -> Answer:
        """`compose`, and remember it, for what is no secret and not too long. Raises: as `compose`."""
        answer = compose(status, headers, head, self.capitalize)
        if len(answer[2]) <= _SHORT and answer[0] != 101 and b"\r\nset-cookie:" not in b"\r\n" + answer[2].lower():
            if len(self.answers) >= _REMEMBERED:
                self.answers.clear()
            self.answers[status, *headers] = answer
        return answer

    def date_header(self) -> bytes:
        """Date and Server, as field lines."""
        now = int(time.time())
        if now != self._stamped:
            self._stamped = now
            self._stamp = b"Date: %b\r\nServer: greening\r\n" % http_date(now)
        return self._stamp

    def partial_stamp(self, date: bool, name: bool) -> bytes:
        """One of the two, or none: the application has the others."""
        lines = self.date_header().splitlines(keepends=True)
        return (lines[0] if date else b"") + (lines[1] if name else b"")


_DAYS = b"Mon Tue Wed Thu Fri Sat Sun".split()
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def http_date(timestamp: float) -> bytes:
    """RFC 9110 5.6.7, whatever the locale."""
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(timestamp)
    return b"%b, %02d %b %04d %02d:%02d:%02d GMT" % (
        _DAYS[weekday],
        day,
        _MONTHS[month - 1],
        year,
        hour,
        minute,
        second,
    )


def _limits(limits: Limits, target: int | None, timeout: float | None) -> Limits:
    """eventlet's arguments, as limits."""
    changes: dict[str, Any] = {}
    if target is not None:
        changes["target"] = target
    if timeout is not None:
        changes |= {"body_timeout": timeout, "write_timeout": timeout}
    return replace(limits, **changes) if changes else limits


# `greening.wsgi.server`: eventlet's function.


def server(
    sock: Any,
    site: Any,
    log: Any = None,
    environ: dict[str, Any] | None = None,
    max_size: int | None = None,
    max_http_version: str | None = "HTTP/1.1",
    protocol: type[HttpProtocol] = HttpProtocol,
    server_event: Any = None,
    minimum_chunk_size: int | None = None,
    log_x_forwarded_for: bool = False,
    custom_pool: Any = None,
    keepalive: bool | float = True,
    log_output: bool = True,
    log_format: str = DEFAULT_FORMAT,
    url_length_limit: int | None = None,
    debug: bool = False,
    socket_timeout: float | None = None,
    capitalize_response_headers: bool = True,
    *,
    limits: Limits | None = None,
    ssl_context: Any = None,
) -> None:
    """Serve a WSGI application until the green thread that is in here is killed, or interrupted, or the server stopped.

    Args:
        sock: a listening socket; closed at the end. With TLS (`wrap_ssl`), or `ssl_context` for it.
        site: the application.
        log: a `logging.Logger` or a file; None: standard error.
        environ: added to the environ of every request.
        max_size: connections at once, 1,024 by default; further ones wait in the backlog.
        max_http_version: "HTTP/1.0": never answer in HTTP/1.1.
        protocol: a subclass of `HttpProtocol`.
        server_event: a greening.Event that is sent the `Server`, which can be stopped by whoever gets it.
        minimum_chunk_size: gather an iterable's pieces until there are so many bytes, against PEP 3333; a request may
            say so by `environ["eventlet.minimum_write_chunk_size"]`.
        log_x_forwarded_for: believe that field, and name its addresses in the log.
        custom_pool: a `GreenPool` for the connections; `max_size` does not matter then.
        keepalive: False: one request for each connection; a number: seconds to wait for the next one.
        log_output: False: no line for each request. Errors are told all the same.
        log_format: for `%`, with client_ip, client_port, date_time, request_line, status_code, body_length,
            wall_seconds, referer, user_agent.
        url_length_limit: bytes of a request's target, 8,192 by default; more is 414.
        debug: tracebacks to clients, and a log line for each client that was refused.
        socket_timeout: seconds for a body to come and for a response to be taken, in place of those of `limits`.
        capitalize_response_headers: `content-type` is sent as `Content-Type`.
    Raises:
        OSError: accept failed for good.
    Difference from eventlet: PEP 3333 before speed (`minimum_chunk_size`), and safe first (`debug`,
        `log_x_forwarded_for`, time limits); SERVER_PROTOCOL is the request's.
    """
    settings = dict(locals())
    del settings["server_event"]
    serving = Server(settings.pop("sock"), settings.pop("site"), **settings)
    if server_event is not None:
        server_event.send(serving)
    try:
        serving.serve_forever()
    finally:
        serving.stop()
