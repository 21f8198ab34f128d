"""One connection: heads in, responses out, one after the other, until either side ends it."""

from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit

from greening._core.current import current
from greening._core.fairness import fairness_tick
from greening._core.unhandled import report_unhandled
from greening.net.idle import Idle, has_bytes, read_now
from greening.wsgi.access import Entry
from greening.wsgi.body import Input, offer
from greening.wsgi.body_reader import BLOCK, BodyReader
from greening.wsgi.connection import Connection
from greening.wsgi.environ import client_name, request_environ
from greening.wsgi.errors import Refused, page
from greening.wsgi.log import escaped, escaped_trace
from greening.wsgi.metrics import REFUSED
from greening.wsgi.request_head import Head, check_partial, read_head
from greening.wsgi.response import Response
from greening.wsgi.tls import tls_environ

if TYPE_CHECKING:
    from greening.wsgi.server import Server

_SHORT = 1024  # bytes: heads up to here are remembered by their bytes, since clients repeat themselves
_REMEMBERED = 128  # heads

# A kill, and Ctrl-C, which strikes whatever runs. Whatever else an application raises, `sys.exit()` among it, ends its
# own request.
_ENDS = (GreenletExit, KeyboardInterrupt)


class _Gone(Exception):
    """The client went away and left nothing that could be answered."""


class HttpProtocol(Connection):
    """A client's connection. `run` begins it, and `resume` serves what it asks.

    A client that asks often is waited for in a green thread, for a second at most: to keep one costs less time than to
    make one for each request, and more memory.

    Attributes:
        idle: between two requests: nothing is lost when it is closed.
        address: the peer's, or what the PROXY protocol says it is. client: that of the last request's client, as
            trusted proxies name it. tls: what requests are told of TLS.
    """

    __slots__ = ("server", "address", "client", "tls", "idle", "raw", "at", "successor", "_born", "_served_last")

    def __init__(self, server: "Server", sock: Any, address: Any) -> None:
        super().__init__(server.limits, sock)
        self.server = server
        self.address = self.client = address
        self.tls = None if self.plain else tls_environ(sock)
        self.idle = True
        self.raw = b""  # read, and from `at` on not understood yet
        self.at = 0
        self.successor: Idle | None = None  # what speaks another protocol on this connection from now on
        self._born = self.now()
        self._served_last = -inf  # hub time at which it became idle

    def run(self) -> None:
        """Begin: look whether the client has asked already."""
        sock = self.sock
        sock.settimeout(self.limits.head_timeout)
        if self.plain:
            self._look()
        else:
            self.eager = sock.pending() > 0

    def _look(self) -> None:
        """Take what a plain client has sent already."""
        try:
            raw = read_now(self.sock, BLOCK)
        except OSError as error:
            self.server.log.debug(f"{self._who()}: {escaped(str(error))}")
            raw = b""
        self.eager = raw is not None
        self.raw = raw or b""
        self.over = raw == b""

    @property
    def following(self) -> Idle | None:
        """What waits for the client now; None: nothing, the connection is over."""
        if not self.over:
            return self
        successor = self.successor
        return None if successor is None or successor.over else successor

    def resume(self) -> Idle | None:
        """Serve requests until the client pauses. Returns `following`."""
        if self.plain and not self.raw:
            self._look()
            if not self.eager:  # urgent data, perhaps: nothing that is read
                return self
        if not self.over:
            self._serve_all()
        if self.over:
            self.farewell()
            return self.following
        self._served_last = self.now()
        return self

    def _serve_all(self) -> None:
        self.idle = self.eager = False
        try:
            self.over = not self._serve_requests()
        except Refused as refused:
            self._refuse(refused)
            self.over = True
        except _Gone:
            self.over = True
        except OSError as error:  # silent too long, or gone
            self.server.log.debug(f"{self._who()}: {escaped(str(error))}")
            self.over = True

    def _serve_requests(self) -> bool:
        """True: the client pauses, and the connection goes on."""
        server, recv = self.server, self.sock.recv
        heads = server.heads
        asks_often = self.now() - self._served_last < server.busy_timeout
        if not self.plain:
            self.wait_at_most(self.limits.head_timeout)  # for the rest of a record
        while True:
            head = None
            if self.raw:
                if not self.at:
                    head = heads.get(self.raw)
                    if head is not None:
                        self.raw = b""
            else:
                try:
                    raw = recv(BLOCK)
                except TimeoutError:
                    if not self.idle:
                        raise
                    self.timeout = server.rest_timeout
                    return server.rest_timeout != 0
                finally:
                    self.since = None
                self.idle = False
                if not raw:
                    return False
                head = heads.get(raw)
                if head is None:
                    self.raw = raw
                del raw
            if not self._serve(head or self._read_head()):
                return False
            if self.raw:
                self._served_last = self.now()
                fairness_tick()
                continue
            head = None  # a connection that waits holds nothing of the past
            self.idle = True
            if not asks_often:
                self.timeout = server.idle_timeout
                self.eager = not self.plain and self.sock.pending() > 0
                return True
            fairness_tick()
            if self.other_limit:
                self.wait_at_most(server.busy_timeout)
                self.other_limit = False
            self.since = self.now()

    def dismiss(self, why: str) -> None:
        """See `Idle`."""
        if self.successor is not None:
            self.successor.dismiss(why)
            return
        self.server.log.debug(f"{self._who()}: {why}")
        if self.idle:
            self.farewell()

    def shut_down(self) -> bool:
        """See `Idle`."""
        return self.idle if self.successor is None else self.successor.shut_down()

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
            body.receive(BodyReader(self.sock, server.limits, self.now, self.raw, self.at), head.length)
            self.other_limit = True
        environ = request_environ(server.environ, head, self.address, body)
        if self.tls:
            environ.update(self.tls)
        if server.proxies is not None:
            self.client = server.proxies.apply(environ, self.address)
        environ["eventlet.set_idle"] = self.set_idle
        if head.upgrade and not self.raw:
            offer(self.take, environ, body)
            environ["greening.stay"] = self.stay
        response = Response(self, head, body, head.keep and server.keepalive)
        if head.expects:
            body.ask_first(response.proceed)
        counters = server.meter.counters
        timed = counters is not None or server.log.output
        began = perf_counter() if timed else 0.0
        result: Any = None
        try:
            result = server.app(environ, response.start_response)
            if body.failed is not None and response.status >= 500 and not response.sent:
                # Frameworks take a read that fails for a fault of their own. It was the client's.
                self._failed(body.failed, response, body)
            elif not (self.taken or (type(result) is list and len(result) == 1 and response.send_simple(result[0]))):
                minimum = environ.get("eventlet.minimum_write_chunk_size", server.minimum_chunk_size)
                response.respond(result, int(minimum))
        except _ENDS:
            raise
        except BaseException as error:  # noqa: BLE001  # an application may raise anything; it is answered and told
            self._failed(error, response, body)
        finally:
            response.over = True
            if type(result) is not list and hasattr(result, "close"):
                self._close(result)
            if environ["eventlet.posthooks"]:
                self._run_hooks(environ)
            if timed:
                seconds = perf_counter() - began
                status = 101 if self.taken else response.status
                if counters is not None:
                    counters.request(head.method, status, seconds, response.count)
                if server.log.output:
                    self._log(environ, head, response, status, seconds)
        return self._goes_on(response, body)

    def _goes_on(self, response: Response, body: Input) -> bool:
        """After a request: True: the connection may have another one."""
        if self.taken or self.gone:
            return False
        if not body.ended and not (response.keep and body.discard(self.limits.drain)):
            self.linger()
            return False
        inlet = body.inlet
        if inlet is not None:
            done = inlet.at >= len(inlet.raw)
            self.raw, self.at = (b"", 0) if done else (inlet.raw, inlet.at)
        if response.keep and (self.raw or not self.server.closing):
            return True
        if has_bytes(self.sock):  # the system would reset the connection, and the client lose the answer
            self.linger()
        return False

    def _close(self, result: Any) -> None:
        try:
            result.close()
        except _ENDS:
            raise
        except BaseException:  # noqa: BLE001  # the response is complete; nothing more can be done
            self.server.log.error(escaped_trace())

    def _failed(self, error: BaseException, response: Response, body: Input) -> None:
        """The application raised, or the client did not do its part."""
        log = self.server.log
        response.keep = False
        if self.taken or self.gone:
            # StopIteration is how Flask-Sock leaves a connection that it took over.
            if self.taken and not isinstance(error, (OSError, StopIteration)):
                log.error(escaped_trace())
            return
        text = ""
        if body.failed is not None:
            status = body.failed.status
            log.debug(f"{self._who()}: {body.failed.why}")
        else:
            status, trace = 500, escaped_trace()
            log.error(trace)
            if self.server.debug:
                text = trace
        if response.sent:
            self.gone = True  # TLS must not say that all was sent
        else:
            response.refuse(status)
            self._answer(status, text, response.bodyless)

    def _refuse(self, refused: Refused) -> None:
        """Answer what is no request, and read no other."""
        self.server.log.debug(f"{self._who()}: {refused}")
        if self.server.meter.counters is not None:
            self.server.meter.counters.count(REFUSED)
        self._answer(refused.status, "", False)
        self.linger()

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
        limits, now = self.server.limits, self.now
        raw = bytearray(begun)
        seen = 0
        # The first one counts from the accept.
        began = now() if self._served_last > -inf else self._born
        end = None if limits.head_timeout is None else began + limits.head_timeout
        while True:
            found = raw.find(b"\r\n\r\n", max(2, seen - 3))
            if found >= 0:
                if found + 4 > limits.head:
                    raise Refused(431, "head too long")
                return bytes(raw)
            check_partial(raw, seen, limits)
            seen = len(raw)
            try:
                self.wait_at_most(None if end is None else end - now())
                data = self.sock.recv(BLOCK)
            except TimeoutError:
                raise Refused(408, "the head comes too slowly") from None
            if not data:
                raise _Gone
            raw += data

    def stay(self, successor: Idle) -> None:
        """For an application that took the connection over: from now on `successor` stands for it. When the server
        needs its place, or stops, it asks that; and when the application has returned, and `successor` is not `over`,
        the connection waits for its client without a green thread, until `successor.resume` is called.
        """
        self.successor = successor

    def set_idle(self) -> None:
        """eventlet's: a server that stops does not wait for this connection."""
        self.idle = True

    def complain(self, what: str) -> None:
        """The application has not done what it said."""
        self.server.log.error(f"{self._who()}: {what}")

    def _who(self) -> str:
        return client_name(self.client)

    def _run_hooks(self, environ: dict[str, Any]) -> None:
        for hook, args, kwargs in environ["eventlet.posthooks"]:
            try:
                hook(environ, *args, **kwargs)
            except _ENDS:
                raise
            except BaseException:  # noqa: BLE001  # the next one is to be called all the same
                self.server.log.error(escaped_trace())

    def _log(self, environ: dict[str, Any], head: Head, response: Response, status: int, seconds: float) -> None:
        server = self.server
        line = f"{head.method} {head.target.decode('ascii')} HTTP/1.{head.minor}"
        count, fields = response.count, response._lines
        entry = Entry(self.client, server.log_x_forwarded_for, environ, line, status, count, seconds, fields)
        try:
            server.log.access(server.access_line(entry))
        except (OSError, ValueError) as error:  # a full disk, a file that was closed: no fault of the client
            report_unhandled(error, current())
