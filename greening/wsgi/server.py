"""The server: its settings, its connections, and how it ends."""

import os
import time
from inspect import Parameter, Signature, signature
from typing import Any

from greening._core.mistakes import check_handler, check_listener
from greening.net.idle import Idle
from greening.net.stream_server import StreamServer
from greening.wsgi.environ import template, url
from greening.wsgi.headers import Answer, compose
from greening.wsgi.log import DEFAULT_FORMAT, Log
from greening.wsgi.metrics import ACCEPTED
from greening.wsgi.protocol import HttpProtocol
from greening.wsgi.proxy_protocol import ProxyProtocol
from greening.wsgi.request_head import Head
from greening.wsgi.settings import ServerSettings
from greening.wsgi.tls import PLAIN_HTTP

_SHORT = 1024  # bytes: answers whose field lines are no longer are remembered, since applications repeat themselves
_REMEMBERED = 256  # answers
_BUSY = 1.0  # seconds between the requests of a client that asks often


class Server:
    """Serves a WSGI application on a listening socket.

        server = Server(greening.listen(("127.0.0.1", 8000)), app)
        server.start()
        ...
        server.stop(30)

    Args:
        listener: bound and listening; closed by `stop`. TLS: of `wrap_ssl`, or with `ssl_context`.
        app: PEP 3333.
        settings: the fields of `ServerSettings`, as keywords.
    Raises:
        TypeError: no such setting; `listener` cannot listen; `app` cannot be called, or is an `async def`, as an ASGI
            application is. Others: as `ServerSettings`.
    Attributes:
        address: what the listener is bound to. closing: connections are closed after the requests under way.
        log: where lines go. meter: what counts.
    Thread-safety: use it in one OS thread.
    """

    def __init__(self, listener: Any, app: Any, **settings: Any) -> None:
        check_listener(listener, "wsgi.Server")
        if app is not None:  # a protocol of the user's own may need none
            check_handler(app, "wsgi.Server", "(environ, start_response)")
        given = ServerSettings(**settings)
        self.app = app
        self.log = Log(given.log, given.log_output, given.debug)
        self.access_line = given.access_line()
        self.log_x_forwarded_for = given.log_x_forwarded_for
        self.debug = given.debug
        self.one = given.max_http_version != "HTTP/1.0"
        self.keepalive = bool(given.keepalive)
        self.minimum_chunk_size = given.minimum_chunk_size or 0
        self.capitalize = given.capitalize_response_headers
        self.limits = given.effective_limits()
        self.idle_timeout = given.idle_timeout(self.limits)
        # See HttpProtocol: how long a green thread waits for the next request, and how long none does then.
        self.busy_timeout = _BUSY if self.idle_timeout is None else min(_BUSY, self.idle_timeout)
        self.rest_timeout = None if self.idle_timeout is None else self.idle_timeout - self.busy_timeout
        self.address = listener.getsockname()
        self._tls = given.ssl_context is not None or hasattr(listener, "do_handshake")
        self.proxies = given.proxies()
        self.meter = given.meter()
        self.environ = template(self.address, self._tls, given.environ)
        self.environ.setdefault("greening.limits", self.limits)
        self.closing = False
        self.heads: dict[bytes, Head] = {}
        self.answers: dict[tuple[Any, ...], Answer] = {}
        self._protocol = given.protocol
        self._stamped = 0
        self._stamp = b""
        pool = {"concurrency": given.max_size or 1024} if given.custom_pool is None else {"pool": given.custom_pool}
        preface = None
        if given.proxy_protocol is not None:
            preface = ProxyProtocol(given.proxy_protocol, lambda: self.log).client_of
        self._streams = StreamServer(
            listener, self._handle, ssl_context=given.ssl_context, plain_answer=PLAIN_HTTP, preface=preface, **pool
        )

    def start(self) -> None:
        """Accept connections, each in a green thread of its own. Returns at once.

        Raises:
            RuntimeError: the server was stopped.
        """
        self.meter.start(self._look)
        self._streams.start()
        self.log.info(f"({os.getpid()}) wsgi starting up on {url(self.address, self._tls)}")

    def stop(self, timeout: float | None = None) -> None:
        """Accept no more, finish what is under way, and return when all connections are closed.

        Args:
            timeout: seconds from now; then what still runs is killed. None: however long it takes.
        """
        self.closing = True
        self._streams.stop(timeout)
        self.meter.stop()
        self.log.info(f"({os.getpid()}) wsgi exited")

    def serve_forever(self) -> None:
        """`start`, and park until `stop` is called.

        Raises:
            OSError: accept failed for good.
        """
        self.start()
        self._streams.serve_forever()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} {url(self.address, self._tls)} {self._streams.state}>"

    @property
    def connections(self) -> list[Idle]:
        """What serves the open connections: an `HttpProtocol` each, or what another protocol has put in its place."""
        return self._streams.connections

    @property
    def idle(self) -> int:
        """How many connections wait for their next request."""
        return sum(isinstance(one, HttpProtocol) and one.idle for one in self.connections)

    @property
    def expects_requests(self) -> bool:
        """Whether a request may be on its way: on an idle connection, or one that was accepted just now."""
        return self._streams.new > 0 or self.idle > 0

    @property
    def dismissed(self) -> int:
        """How many connections had to go because others needed their places."""
        return self._streams.dismissed

    def _look(self) -> tuple[int, int, int]:
        """How many connections are idle, how many are not, and how many had to go."""
        idle = self.idle
        return idle, len(self.connections) - idle, self.dismissed

    def _handle(self, sock: Any, address: Any) -> Idle | None:
        """Body of a connection's first green thread."""
        connection = self._protocol(self, sock, address)
        if self.meter.counters is not None:
            self.meter.counters.count(ACCEPTED)
        connection.run()
        return connection.following

    def compose_answer(self, status: str, headers: list[tuple[str, str]], head: Head) -> Answer:
        """What an application gave to `start_response`, as bytes. Raises: as `compose`."""
        return compose(status, headers, head, self.capitalize)

    def learn_answer(self, status: str, headers: list[tuple[str, str]], head: Head) -> Answer:
        """`compose_answer`, and remember the answer unless it is long or holds a secret. Raises: as that."""
        answer = self.compose_answer(status, headers, head)
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
        """Date, Server, or neither, as field lines: the application has the others."""
        lines = self.date_header().splitlines(keepends=True)
        return (lines[0] if date else b"") + (lines[1] if name else b"")


_DAYS = b"Mon Tue Wed Thu Fri Sat Sun".split()
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def http_date(timestamp: float) -> bytes:
    """A time, in seconds since the epoch, as RFC 9110 5.6.7 writes it, whatever the locale."""
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
    **settings: Any,
) -> None:
    """Serve a WSGI application until the calling green thread is killed or interrupted, or the server is stopped.

    Ctrl-C: it accepts no more, finishes what is under way, and returns. A second one ends what is under way.

    Args:
        sock: a listening socket; closed at the end. TLS: of `wrap_ssl`, or with `ssl_context`.
        site: the application.
        server_event: a greening.Event that is sent the `Server`; what waits for it can stop the server.
        settings, and all others: the fields of `ServerSettings`.
    Raises:
        OSError: accept failed for good. Others: as `ServerSettings`.
    Difference from eventlet: PEP 3333 before speed (`minimum_chunk_size`), and safe first (`debug`,
        `log_x_forwarded_for`, time limits); SERVER_PROTOCOL is the request's.
    """
    serving = Server(
        sock,
        site,
        log=log,
        environ=environ,
        max_size=max_size,
        max_http_version=max_http_version,
        protocol=protocol,
        minimum_chunk_size=minimum_chunk_size,
        log_x_forwarded_for=log_x_forwarded_for,
        custom_pool=custom_pool,
        keepalive=keepalive,
        log_output=log_output,
        log_format=log_format,
        url_length_limit=url_length_limit,
        debug=debug,
        socket_timeout=socket_timeout,
        capitalize_response_headers=capitalize_response_headers,
        **settings,
    )
    _serve(serving, server_event)


def _serve(serving: Server, server_event: Any) -> None:
    if server_event is not None:
        server_event.send(serving)
    try:
        serving.serve_forever()
    except KeyboardInterrupt:
        serving.log.info(f"({os.getpid()}) wsgi exiting: requests are finished; to end them, interrupt again")
    finally:
        try:
            serving.stop()
        except KeyboardInterrupt:
            serving.stop(0)


# Signatures with the settings spelled out, for `help` and editors: what inspect looks for first.


def _spelled_out(function: Any, named: list[Parameter]) -> None:
    names = {parameter.name for parameter in named}
    settings = [each for each in signature(ServerSettings).parameters.values() if each.name not in names]
    function.__signature__ = Signature([*named, *settings], return_annotation=None)


_spelled_out(
    Server.__init__, [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("self", "listener", "app")]
)
_spelled_out(server, list(signature(server).parameters.values())[:-1])
