"""One connection: heads in, responses out, one after the other, until either side ends it."""

import traceback
from socket import SHUT_RDWR, SHUT_WR
from time import perf_counter
from typing import TYPE_CHECKING, Any

from greening._core.current import current
from greening._core.fairness import fairness_tick
from greening._originals import raw_socket
from greening.net.retry import change_timeout, timeout_changer
from greening.timeout import Timeout
from greening.wsgi.body import Input, offer
from greening.wsgi.body_reader import BLOCK, BodyReader
from greening.wsgi.environ import request_environ
from greening.wsgi.errors import Refused, page
from greening.wsgi.log import Entry, escaped, escaped_line
from greening.wsgi.request_head import Head, check_partial, read_head
from greening.wsgi.response import Response

if TYPE_CHECKING:
    from greening.wsgi.server import Server

_SLICE = 65536  # bytes of a response that one write timeout is for

_SHORT = 1024  # bytes: heads up to here are remembered by their bytes, since clients repeat themselves
_REMEMBERED = 128  # heads

_shutdown = raw_socket.shutdown


class _Gone(Exception):
    """The client went away and left nothing that could be answered."""


class HttpProtocol:
    """A client's connection, served by `run` in a green thread of its own.

    Attributes:
        idle: between two requests: nothing is lost when it is closed.
        plain: bytes go to the descriptor as they are (no TLS).
    """

    __slots__ = ("server", "sock", "address", "idle", "plain", "taken", "gone", "raw", "at", "_expect_write")

    def __init__(self, server: "Server", sock: Any, address: Any) -> None:
        self.server = server
        self.sock = sock
        self.address = address
        self.idle = True
        self.plain = not hasattr(sock, "do_handshake")
        self.taken = False
        self.gone = False
        self.raw = b""  # read, and from `at` on not understood yet
        self.at = 0

    def run(self) -> None:
        """Serve until the connection is to be closed. The caller closes it."""
        server, sock = self.server, self.sock
        limits = server.limits
        sock.settimeout(limits.head_timeout)
        self._expect_write = timeout_changer(sock, limits.write_timeout)
        expect_next_head = timeout_changer(sock, server.idle_timeout)
        recv, heads = sock.recv, server.heads
        try:
            while True:
                if self.raw:
                    head = None
                else:
                    self.idle = True
                    raw = recv(BLOCK)
                    self.idle = False
                    if not raw:
                        break
                    head = heads.get(raw)
                    if head is None:
                        self.raw = raw
                    del raw
                if not self._serve(head or self._read_head()):
                    break
                fairness_tick()
                head = None  # a connection that idles holds nothing of the past
                expect_next_head()
        except Refused as refused:
            self._refuse(refused)
        except _Gone:
            pass
        except OSError as error:  # silent too long, or gone
            server.log.debug(f"{self._who()}: {escaped(str(error))}")
        self._farewell()

    def _read_head(self) -> Head:
        """The next head, from the bytes that are there, and more if it takes more.

        Raises:
            Refused: it is no head. _Gone: the client went away before it was complete.
        """
        raw, at = self.raw, self.at
        server = self.server
        limits = server.limits
        end = raw.find(b"\r\n\r\n", at + 2) + 4
        if end < 4 or end - at > limits.head:
            raw, at = self._whole_head(raw[at:]), 0
            end = raw.index(b"\r\n\r\n", 2) + 4
        if end < len(raw):
            self.raw, self.at = raw, end
            raw = raw[at:end]
        else:
            self.raw, self.at = b"", 0
            raw = raw[at:] if at else raw
        head = read_head(raw, limits)
        if head.plain and len(raw) <= _SHORT:
            if len(server.heads) >= _REMEMBERED:
                server.heads.clear()
            server.heads[raw] = head
        return head

    def _serve(self, head: Head) -> bool:
        """Serve one request. True: the connection may go on."""
        server = self.server
        body = Input()
        if head.length:
            inlet = BodyReader(self.sock, server.limits, current().hub.now, self.raw, self.at)
            body.receive(inlet, head.length)
        environ = request_environ(server.environ, head, self.address, body)
        environ["eventlet.set_idle"] = self.set_idle
        if head.upgrade and not self.raw:
            offer(self.take, environ, body)
        response = Response(self, head, body, head.keep and server.keepalive)
        if head.expects:
            body.ask_first(response.proceed)
        began = perf_counter() if server.log.output else 0.0
        result: Any = None
        try:
            result = server.app(environ, response.start_response)
            if body.failed is not None and response.status >= 500 and not response.sent:
                # Frameworks take a read that fails for a fault of their own. It was the client's.
                self._failed(body.failed, response, body)
            elif not (self.taken or (type(result) is list and len(result) == 1 and response.send_simple(result[0]))):
                minimum = environ.get("eventlet.minimum_write_chunk_size", server.minimum_chunk_size)
                response.respond(result, int(minimum))
        except (Exception, Timeout) as error:  # noqa: BLE001  # an application may raise anything; it is answered and told
            self._failed(error, response, body)
        finally:
            response.over = True
            if type(result) is not list and hasattr(result, "close"):
                self._close(result)
            if environ["eventlet.posthooks"]:
                self._run_hooks(environ)
            if server.log.output:
                self._log(environ, head, response, perf_counter() - began)
        if self.taken or self.gone:
            return False
        if not body.ended and not (response.keep and body.discard(server.limits.drain)):
            self._linger()
            return False
        if head.upgrade or not response.keep:
            return False
        if head.length:
            done = inlet.at >= len(inlet.raw)
            self.raw, self.at = (b"", 0) if done else (inlet.raw, inlet.at)
        return not server.closing or bool(self.raw)

    def _close(self, result: Any) -> None:
        try:
            result.close()
        except (Exception, Timeout):  # noqa: BLE001  # the response is complete; nothing more can be done
            self.server.log.error(_trace())

    def _failed(self, error: BaseException, response: Response, body: Input) -> None:
        """The application raised, or the client did not do its part."""
        log = self.server.log
        response.keep = False
        if self.taken or self.gone:
            # StopIteration is how Flask-Sock leaves a connection that it took over.
            if self.taken and not isinstance(error, (OSError, StopIteration)):
                log.error(_trace())
            return
        text = ""
        if body.failed is not None:
            status = body.failed.status
            log.debug(f"{self._who()}: {body.failed.why}")
        else:
            status, trace = 500, _trace()
            log.error(trace)
            if self.server.debug:
                text = trace
        if not response.sent:
            response.refuse(status)
            self._answer(status, text, response.bodyless)

    def _refuse(self, refused: Refused) -> None:
        """Answer what is no request, and read no other."""
        self.server.log.debug(f"{self._who()}: {refused}")
        self._answer(refused.status, "", False)
        self._linger()

    def _answer(self, status: int, text: str, bodyless: bool) -> None:
        """The server's own answer, the last one on this connection."""
        line, content = page(status, text)
        version = b"HTTP/1.1 " if self.server.one else b"HTTP/1.0 "
        head = (
            b"%b%b\r\n%bContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        ) % (version, line, self.server.date_header(), len(content))
        try:
            self.send(head if bodyless else head + content)
        except OSError:
            pass

    def _whole_head(self, begun: bytes) -> bytes:
        """Read on until a head is complete.

        Raises:
            Refused: it cannot become a head, or takes too long. _Gone.
        """
        limits, now = self.server.limits, current().hub.now
        raw = bytearray(begun)
        seen = 0
        end = None if limits.head_timeout is None else now() + limits.head_timeout
        while True:
            found = raw.find(b"\r\n\r\n", max(2, seen - 3))
            if found >= 0:
                if found + 4 > limits.head:
                    raise Refused(431, "head too long")
                return bytes(raw)
            check_partial(raw, seen, limits)
            seen = len(raw)
            try:
                self._wait_at_most(None if end is None else end - now())
                data = self.sock.recv(BLOCK)
            except TimeoutError:
                raise Refused(408, "the head comes too slowly") from None
            if not data:
                raise _Gone
            raw += data

    def _wait_at_most(self, seconds: float | None) -> None:
        """The next read's time limit. `settimeout` would be two system calls."""
        change_timeout(self.sock, None if seconds is None else max(seconds, 1e-3))

    def _linger(self) -> None:
        """Send no more, and throw away what comes for a while: a reset would take the answer from the client."""
        now = current().hub.now
        end = now() + self.server.limits.linger_timeout
        try:
            self._farewell()
            _shutdown(self.sock, SHUT_WR)
            while (left := end - now()) > 0:
                self._wait_at_most(left)
                if not self.sock.recv(BLOCK):
                    return
        except OSError:
            pass

    def _farewell(self) -> None:
        """Send TLS's own end: without it, a body that ends with the connection might have been cut off."""
        if self.plain or self.gone or self.taken:
            return
        try:
            self.sock._sslobj.shutdown()
        except (OSError, AttributeError):  # it is sent, and the client's has not come yet; or the client is gone
            pass

    def send(self, data: bytes, flags: int = 0) -> None:
        """Send all of it, unless the connection was taken over.

        Raises:
            OSError: the client is gone, or takes nothing.
        """
        if self.taken:
            return
        sock = self.sock
        self._expect_write()
        try:
            if len(data) <= _SLICE:
                sock.sendall(data, flags)
                return
            with memoryview(data) as view:
                for start in range(0, len(data), _SLICE):
                    sock.sendall(view[start : start + _SLICE], flags)
        except OSError:
            self.gone = True
            raise

    def send_file(self, file: Any, offset: int, count: int) -> int:
        """Send `count` bytes of a file, fewer if it has fewer. Returns how many. Raises: OSError."""
        self._expect_write()
        try:
            sent: int = self.sock.sendfile(file, offset, count)
        except OSError:
            self.gone = True
            raise
        return sent

    def take(self) -> Any:
        """The socket. It is the caller's from now on, without a timeout, and is closed when the application returns."""
        if not self.taken:
            self.taken = True
            self.sock.settimeout(None)
        return self.sock

    def set_idle(self) -> None:
        """eventlet's: a server that stops does not wait for this connection."""
        self.idle = True

    def hang_up(self) -> None:
        """End the connection, also while a green thread waits for something on it. Its own green thread closes it."""
        try:
            # Below TLS, too: `SSLSocket.shutdown` would take the session from under a reader.
            _shutdown(self.sock, SHUT_RDWR)
        except OSError:
            pass

    def complain(self, what: str) -> None:
        """The application has not done what it said."""
        self.server.log.error(f"{self._who()}: {what}")

    def _who(self) -> str:
        address = self.address
        return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "unix"

    def _run_hooks(self, environ: dict[str, Any]) -> None:
        for hook, args, kwargs in environ["eventlet.posthooks"]:
            try:
                hook(environ, *args, **kwargs)
            except (Exception, Timeout):  # noqa: BLE001  # the next one is to be called all the same
                self.server.log.error(_trace())

    def _log(self, environ: dict[str, Any], head: Head, response: Response, seconds: float) -> None:
        server = self.server
        line = f"{head.method} {head.target.decode('ascii')} HTTP/1.{head.minor}"
        status = 101 if self.taken else response.status
        entry = Entry(self.address, server.log_x_forwarded_for, environ, line, status, response.count, seconds)
        server.log.access(server.log_format % entry)


def _trace() -> str:
    """The traceback of the exception that is being handled; no byte of it that a terminal would obey."""
    return "\n".join(escaped_line(line) for line in traceback.format_exc().rstrip("\n").split("\n"))
