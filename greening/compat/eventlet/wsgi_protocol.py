"""`eventlet.wsgi.HttpProtocol`: a connection, with the methods, attributes and files that its subclasses use.

It is a `BaseHTTPRequestHandler`, as eventlet's is, and parses nothing itself: heads are understood by
greening.wsgi.request_head, bodies by greening.wsgi.chunks, answers are sent by greening.wsgi.response. A subclass with
a `parse_request` of its own (Swift's) decides about heads; where its bodies end is checked all the same.
"""

import time
from http.server import BaseHTTPRequestHandler
from socket import IPPROTO_TCP, SHUT_RDWR, TCP_NODELAY
from typing import Any, Final

from greening._originals import raw_socket
from greening.compat.eventlet.wsgi_environ import addr_to_host_port, environ_of, formal_name
from greening.compat.eventlet.wsgi_head import (
    ClientGoneError,
    HeaderLineTooLong,
    HeadersTooLarge,
    HeadFile,
    check_framing,
    has_more,
    message_of,
    path_of,
    read_request_line,
)
from greening.compat.eventlet.wsgi_input import Input
from greening.compat.eventlet.wsgi_log import RequestLine
from greening.compat.eventlet.wsgi_response import (
    ALREADY_HANDLED,
    Delivery,
    EventletResponse,
    forget_handled,
    going_on,
    head_of,
    is_handled,
)
from greening.timeout import Timeout
from greening.wsgi.connection import Connection
from greening.wsgi.errors import BadBody, Refused
from greening.wsgi.log import escaped_line, escaped_trace
from greening.wsgi.request_head import Head

STATE_IDLE: Final = "idle"
STATE_REQUEST: Final = "request"
STATE_CLOSE: Final = "close"

MINIMUM_CHUNK_SIZE = 4096


class HttpProtocol(BaseHTTPRequestHandler):
    """A client's connection. To make one is to serve it, until it ends.

    Args:
        conn_state: a list: the client's address, the socket, and one of STATE_*.
        server: see `Server`.
    Attributes:
        reject_bad_requests: refuse HTTP/1.1 without Host, and Content-Length beside Transfer-Encoding. False: the
            latter counts.
        others: as `BaseHTTPRequestHandler`'s.
    Thread-safety: it lives in one green thread.
    """

    protocol_version = "HTTP/1.1"
    minimum_chunk_size = MINIMUM_CHUNK_SIZE
    capitalize_response_headers = True
    reject_bad_requests = True
    wbufsize = 16384  # bytes

    _own_wfile: Any = None
    server: Any
    client_address: Any
    conn_state: list[Any]
    environ: dict[str, Any]
    application: Any
    _head: Head | None = None  # what greening.wsgi understood; None: a subclass has parsed it
    _lingers = False  # what the client still sends is to be thrown away, or it would lose the answer
    _delivery: Delivery | None = None
    _forwarded = True  # there may be X-Forwarded-For among the fields

    def __init__(self, conn_state: list[Any], server: Any) -> None:
        self.client_address, self.request = conn_state[:2]
        self.conn_state = conn_state
        self.server = server
        if server.minimum_chunk_size is not None:
            self.minimum_chunk_size = server.minimum_chunk_size
        self.capitalize_response_headers = server.capitalize_response_headers
        self.setup()
        try:
            self.handle()
        finally:
            self.finish()

    def setup(self) -> None:
        """Make `rfile` and `wfile`."""
        connection = self.connection = self.request
        if isinstance(connection, raw_socket):
            try:
                connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)  # the pieces of an answer do not wait for each other
            except OSError:  # a Unix socket
                pass
        self.rfile = connection.makefile("rb", self.rbufsize)
        self.wfile = self._own_wfile = connection.makefile("wb", self.wbufsize)

    @property
    def has_own_files(self) -> bool:
        """What is written to `wfile` goes to the connection as it is: a subclass has put no other in its place."""
        return self.wfile is self._own_wfile

    def handle(self) -> None:
        """Serve requests until the connection ends."""
        self.close_connection = True
        while True:
            self.handle_one_request()
            if self.conn_state[2] == STATE_CLOSE:
                break
            self.conn_state[2] = STATE_IDLE
            if self.close_connection:
                break

    def finish(self) -> None:
        """Flush, say goodbye, and close the connection."""
        connection = self.connection
        try:
            if not self.wfile.closed:
                self.wfile.flush()
            goodbye = self._lingers or hasattr(connection, "do_handshake")
            if goodbye and isinstance(connection, raw_socket) and not (self._delivery and self._delivery.taken):
                end = Connection(self.server.limits, connection)
                end.linger() if self._lingers else end.farewell()
        except OSError as error:
            self.server.log.debug(f"{self.client_address!r}: {error}")
        for close in (self.wfile.close, self.rfile.close, lambda: connection.shutdown(SHUT_RDWR), connection.close):
            try:
                close()
            except OSError:  # the client is gone; the others are to be closed all the same
                pass

    # One request

    def handle_one_request(self) -> None:
        """Read a head, and answer it. `close_connection` tells whether another one may follow."""
        if self.server.max_http_version:
            self.protocol_version = self.server.max_http_version
        self.raw_requestline, self.requestline = b"", ""
        try:
            self.raw_requestline = self._read_request_line()
            self.conn_state[2] = STATE_REQUEST
            if not self.raw_requestline:
                self.close_connection = True
            elif len(self.raw_requestline) >= self.server.url_length_limit:
                self._answer_briefly("414 Request URI Too Long")
            elif self._parse():
                self.environ = self.get_environ()
                self.application = self.server.app
                self.server.outstanding_requests += 1
                try:
                    self.handle_one_response()
                finally:
                    self.server.outstanding_requests -= 1
            elif self.close_connection:
                self._lingers = True
        except Refused as refused:
            self._refuse(refused.status, refused.why)
        except HeaderLineTooLong:
            self._answer_briefly("400 Header Line Too Long")
        except HeadersTooLarge:
            self._answer_briefly("400 Headers Too Large")
        except (ClientGoneError, ConnectionError):
            self.close_connection = True

    def _read_request_line(self) -> bytes:
        """The next line of the client, within the time for it; b"": the connection is over. Raises: TimeoutError."""
        server = self.server
        if self.rfile.closed:
            self.close_connection = True
            return b""
        waits = server.keepalive and not isinstance(server.keepalive, bool)
        own_parser = type(self).parse_request is not HttpProtocol.parse_request
        try:
            if waits:
                self.connection.settimeout(server.keepalive)
            line = read_request_line(self.rfile, server.url_length_limit, None if own_parser else server.limits)
            if waits:
                self.connection.settimeout(server.socket_timeout)
            return line
        except TimeoutError:
            raise
        except OSError as error:
            server.log.debug(f"({server.pid}) {self.client_address!r}: {error}")
            return b""

    def _parse(self) -> bool:
        """`parse_request`, with the head's limits in the place of `rfile`."""
        file = self.rfile
        self._head = None
        head = HeadFile(file, self.server.max_header_line, self.server.max_total_header_size)
        self.rfile = head  # type: ignore[assignment]
        try:
            if not self.parse_request():
                return False
        finally:
            self.rfile = file
        if self._head is None and not (check_framing(self.headers, self.reject_bad_requests) and head.at_its_end):
            self.close_connection = True  # nobody knows where the body ends, and what comes after it
        return True

    def parse_request(self) -> bool:
        """Understand `raw_requestline` and the field lines behind it; sets `command`, `path`, `request_version`,
        `requestline`, `headers` and `close_connection`. False: it has been answered already.

        Raises:
            Exceptions of greening's own, which `handle_one_request` answers.
        """
        self.command = ""
        self.request_version = self.default_request_version
        self.requestline = ""
        self.close_connection = True
        file: Any = self.rfile
        limits = self.server.limits
        if self.raw_requestline == b"\r\n":  # RFC 9112 2.2: one is let pass
            self.raw_requestline = read_request_line(file.file, self.server.url_length_limit, limits)
        self._head = head = self.server.head_of(file.rest(self.raw_requestline, limits), self.reject_bad_requests)
        self.command = head.method
        self.request_version = "HTTP/1.1" if head.minor else "HTTP/1.0"
        self.requestline = self.raw_requestline.decode("ascii").rstrip("\r\n")
        self.path = path_of(head)
        self.headers = message_of(head, self.MessageClass)
        self.close_connection = not head.keep or self.protocol_version == "HTTP/1.0"
        return self.handle_expect_100() if head.expects else True

    def handle_expect_100(self) -> bool:
        """A client waits for `100 Continue`: the first read of its body sends it. True: go on."""
        return True

    # What an application gets

    def formalize_key_naming(self, k: str) -> str | None:
        """The key of a field in the environ, without HTTP_; None: it is left out, since X_Y would pass for X-Y."""
        return formal_name(k)

    def get_environ(self) -> dict[str, Any]:
        """The environ of a request, from `command`, `path` and `headers`."""
        env = environ_of(self, type(self).formalize_key_naming is HttpProtocol.formalize_key_naming)
        env["eventlet.set_idle"] = self._set_idle
        self._forwarded = "HTTP_X_FORWARDED_FOR" in env
        return env

    def _set_idle(self) -> None:
        self.conn_state[2] = STATE_IDLE

    # The answer

    def handle_one_response(self) -> None:
        """Call the application, and send what it answers."""
        env, server = self.environ, self.server
        body: Input = env["eventlet.input"]
        head = head_of(self, body)
        delivery = self._delivery = Delivery(self, server.limits)
        response = EventletResponse(delivery, head, body, head.keep, server.warn)
        response.going_on = going_on(self)
        body.started = lambda: response.sent
        if head.upgrade:
            env["greening.upgrade"] = delivery.keep_back if has_more(self.rfile, self.connection) else delivery.take
            env["SERVER_PROTOCOL"] = self.request_version
        began = time.monotonic()
        result: Any = None
        try:
            forget_handled()
            result = self.application(env, response.start_response)
            if body.failed is not None and response.status >= 500 and not response.sent:
                self._failed(body.failed, response, delivery, body)
            elif result is ALREADY_HANDLED or is_handled():
                response.keep = False
            elif not delivery.taken:
                response.respond(result, int(env.get("eventlet.minimum_write_chunk_size", self.minimum_chunk_size)))
        except (Exception, Timeout) as error:  # noqa: BLE001  # an application may raise anything; it is answered and told
            self._failed(error, response, delivery, body)
        finally:
            response.over = True
            self._after(result, response, delivery, body)
            if server.log_output:
                status = 101 if delivery.taken else response.status or 200
                entry = RequestLine(self, status, response.count, time.monotonic() - began)
                server.log.info(server.line_of(entry))

    def _failed(self, error: BaseException, response: EventletResponse, delivery: Delivery, body: Input) -> None:
        """The application raised, or the client did not do its part."""
        response.keep = False
        log = self.server.log
        text = b""
        status = "500 Internal Server Error"
        failed = body.failed or (error if isinstance(error, BadBody) else None)
        if failed is not None:
            status = f"{failed.status} {self.responses[failed.status][0]}"
            log.debug(f"{self.client_address!r}: {failed.why}")
        elif delivery.gone:
            log.debug(f"{self.client_address!r}: {error}")
            return
        else:
            trace = escaped_trace()
            log.info(trace)
            text = trace.encode("utf-8", "backslashreplace") if self.server.debug else b""
        if response.sent or delivery.taken:
            return
        try:
            response.start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
            response.keep = False
            response.respond([text], 0)
        except OSError:
            pass

    def _after(self, result: Any, response: EventletResponse, delivery: Delivery, body: Input) -> None:
        """Close what the application returned, take the rest of the body off the connection, and call the hooks."""
        log = self.server.log
        hooks = [(hook, (self.environ, *args), kwargs) for hook, args, kwargs in self.environ["eventlet.posthooks"]]
        closing: list[Any] = [(result.close, (), {})] if hasattr(result, "close") else []
        for function, args, kwargs in (*closing, *hooks):
            try:
                function(*args, **kwargs)
            except (Exception, Timeout):  # noqa: BLE001  # the next one is to be called all the same
                log.info(escaped_trace())
        self.close_connection = not response.keep or delivery.taken or delivery.gone
        if delivery.taken or delivery.gone or body.ended:
            return
        if body.waited_for:
            self.close_connection = True  # the client may send its body now, or not
        if not self.close_connection:
            try:
                self.close_connection = not body.discard()
            except (OSError, ValueError) as error:
                self.close_connection = True
                log.error(f"{self.client_address!r}: what was left of a body could not be thrown away: {error}")
        self._lingers = self.close_connection and not body.ended

    def _refuse(self, status: int, why: str) -> None:
        """Answer what is no request, by `send_error`, and read no other."""
        self.close_connection = self._lingers = True
        if not self.requestline:
            self.requestline = self.raw_requestline.decode("latin-1").rstrip("\r\n")
            self.command, self.request_version = "", "HTTP/1.1"
        self.send_error(status, None, why)

    def _answer_briefly(self, status: str) -> None:
        self.close_connection = self._lingers = True
        self.wfile.write(f"HTTP/1.0 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode("ascii"))

    # The log

    def log_message(self, format: str, *args: Any) -> None:
        """A line of `send_error` and its like, to the server's log."""
        host = addr_to_host_port(self.client_address)[0]
        self.server.log.info(f"{host} - - [{self.log_date_time_string()}] {escaped_line(format % args)}")

    def get_client_address(self) -> tuple[Any, Any]:
        """Host and port for the log: with what X-Forwarded-For says before the host, if the server is to believe it."""
        host, port = addr_to_host_port(self.client_address)
        if self.server.log_x_forwarded_for and self._forwarded:
            forwarded = self.headers.get("X-Forwarded-For", "").replace(" ", "")
            host = f"{forwarded},{host}" if forwarded else host
        return host, port
