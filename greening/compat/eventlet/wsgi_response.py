"""An answer under eventlet's rules, sent by greening.wsgi.

What eventlet lets pass and PEP 3333 does not is made right before greening.wsgi sees it, with a warning, once for each
kind and server: `str` in a body, numbers as values of headers, names of headers beyond ASCII.
"""

import re
import time
import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from greening._originals import raw_socket
from greening.compat.eventlet.wsgi_input import EarlyEndError, Input
from greening.sync.local import local, present
from greening.wsgi.headers import Answer, compose, field_line
from greening.wsgi.limits import Limits
from greening.wsgi.request_head import CHUNKED, Head
from greening.wsgi.response import Response
from greening.wsgi.server import http_date


class _Local(local):
    already_handled = False


# `already_handled` is true: the application of this green thread has answered by itself, on the socket.
WSGI_LOCAL = _Local()


def is_handled() -> bool:
    """`WSGI_LOCAL.already_handled`; it costs the many that never set it nothing."""
    mine = present(WSGI_LOCAL)
    return mine is not None and bool(mine.get("already_handled"))


def forget_handled() -> None:
    """Make it false, for the next request of this green thread."""
    mine = present(WSGI_LOCAL)
    if mine is not None:
        mine["already_handled"] = False


# The same, for an application that returns it.
ALREADY_HANDLED: Final[Iterable[bytes]] = iter(())

# No RFC has names with bytes beyond ASCII; Swift's metadata has.
_WIDE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z\x80-\xff]++")


@lru_cache(maxsize=2)
def _date_header(timestamp: int) -> bytes:
    return b"Date: %b\r\n" % http_date(timestamp)


class Delivery:
    """A connection and its server, as a `Response` needs them: what is sent goes to the protocol's `wfile`.

    Args:
        protocol: an `HttpProtocol` with a request.
    Attributes:
        taken: the application has the socket; nothing is sent here any more. gone: the client takes nothing any more.
    """

    plain = False  # no sendfile(2): the bytes go through `wfile`

    def __init__(self, protocol: Any, limits: Limits) -> None:
        self.server = self
        self.limits = limits
        self.capitalize: bool = protocol.capitalize_response_headers
        self.one = protocol.protocol_version != "HTTP/1.0"
        self.app = protocol.application
        self.environ: dict[str, Any] = protocol.environ
        self.answers: dict[Any, Answer] = {}
        self.taken = False
        self.gone = False
        self._wfile = protocol.wfile
        self._socket = protocol.connection
        self._log = protocol.server.log
        self._state = protocol.conn_state
        # Nothing stands between: what has been written goes out first, and then what is sent.
        self._direct = protocol.has_own_files and isinstance(self._socket, raw_socket)

    @property
    def closing(self) -> bool:
        """The server stops: there is no other request on this connection."""
        return bool(self._state[2] == "close")

    def send(self, data: bytes | memoryview, flags: int = 0) -> None:
        """Send all of it, unless the connection was taken over. Raises: OSError: the client is gone."""
        self.send_parts(data)

    def send_parts(self, *parts: bytes | memoryview) -> None:
        """Send them one after the other. Raises: as `send`."""
        if self.taken:
            return
        try:
            if self._direct:
                self._wfile.flush()
                data = b"".join(parts)
                sent = self._socket.send(data)
                if sent < len(data):
                    self._send_rest(memoryview(data)[sent:])
            else:
                for part in parts:
                    self._wfile.write(part)
                self._wfile.flush()
        except OSError:
            self.gone = True
            raise

    def _send_rest(self, data: memoryview) -> None:
        while data:
            data = data[self._socket.send(data) :]

    def take(self) -> Any:
        """The socket, which is the caller's from now on. The server's `socket_timeout` goes on, as in eventlet, and the
        socket is closed when the application ends.
        """
        if not self.taken:
            self._wfile.flush()
            self.taken = True
        return self._socket

    def keep_back(self) -> Any:
        """In the place of `take`, when the socket cannot be had. Raises: LookupError."""
        raise LookupError("the client did not wait for the answer: what it sent behind its request would be lost")

    def complain(self, what: str) -> None:
        """The application has not done what it said."""
        self._log.info(what)

    def learn_answer(self, status: str, headers: list[tuple[str, str]], head: Head) -> Answer:
        """As `compose_answer`; nothing is remembered. Raises: as that."""
        return self.compose_answer(status, headers, head)

    def compose_answer(self, status: str, headers: list[tuple[str, str]], head: Head) -> Answer:
        """The answer as bytes. Raises: TypeError, ValueError: it cannot be sent."""
        wide = [pair for pair in headers if not pair[0].isascii()]
        if wide:
            headers = [pair for pair in headers if pair[0].isascii()]
        answer = compose(status, headers, head, self.capitalize)
        if not wide and answer[0] != 204:
            return answer
        extra = b"".join([self._wide_line(name, value) for name, value in wide])
        if answer[0] == 204 and any(value == "0" and name.lower() == "content-length" for name, value in headers):
            extra += b"Content-Length: 0\r\n"  # against RFC 9110 8.6, but clients of eventlet's servers expect it
        number, line, lines, bits, length, bodyless = answer
        return number, line, lines + extra, bits, length, bodyless

    def _wide_line(self, name: str, value: str) -> bytes:
        if self.capitalize:
            name = "-".join(part.encode("latin-1").capitalize().decode("latin-1") for part in name.split("-"))
        return field_line(name, value, False, _WIDE)

    def date_header(self) -> bytes:
        """The field line; eventlet does not send its name."""
        return _date_header(int(time.time()))

    def partial_stamp(self, date: bool, name: bool) -> bytes:
        """The same, or nothing: the application has its own."""
        return self.date_header() if date else b""


def head_of(protocol: Any, body: Input) -> Head:
    """What greening.wsgi needs to know for an answer, from the attributes of a protocol that has read a head. A
    subclass may have set them in its own way.
    """
    head = Head()
    connection = protocol.environ.get("HTTP_CONNECTION")
    options = {one.strip(" \t") for one in connection.lower().split(",")} if connection else ()
    head.method, head.target = protocol.command, protocol.path.encode("latin-1", "replace")
    head.minor = int(protocol.request_version == "HTTP/1.1")
    head.environ = protocol.environ
    head.length = CHUNKED if body.chunked_input else body.content_length or 0
    wanted = bool(head.minor) or "keep-alive" in options
    head.keep = wanted and "close" not in options and not protocol.close_connection and bool(protocol.server.keepalive)
    head.upgrade = "upgrade" in options and bool(head.minor) and not head.length
    return head


def going_on(protocol: Any) -> bytes | None:
    """What is said to a client that asked for a connection that stays; None: it did not ask."""
    if protocol.environ.get("HTTP_CONNECTION", "").lower() != "keep-alive":
        return None
    seconds = protocol.server.keepalive
    limit = b"" if isinstance(seconds, bool) or int(seconds) < 1 else b"Keep-Alive: timeout=%d\r\n" % int(seconds)
    return b"Connection: keep-alive\r\n" + limit


class EventletResponse(Response):
    """One answer. `start_response` may be called anew until its head is sent.

    An application that was given less of a body than its client announced, and did not mind, is not believed: the
    client gets 400.

    Args:
        warn: called with what is against PEP 3333.
    """

    may_repeat = True
    empty_length = -1

    def __init__(self, delivery: Any, head: Head, body: Input, keep: bool, warn: Callable[[str], None]) -> None:
        super().__init__(delivery, head, body, keep)
        self._warn = warn
        self._body = body

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], None]:
        """WSGI's. After the head was sent it has no effect, unless there is `exc_info`.

        Raises:
            ValueError: characters that no head may have. What is in `exc_info`: the head is sent.
        """
        if self.sent and not exc_info:
            return self.write
        text = self._text
        pairs = [
            (name if type(name) is str else text(name), value if type(value) is str else text(value))
            for name, value in headers
        ]
        return super().start_response(text(status), pairs, exc_info)

    def write(self, data: Any) -> None:
        """WSGI's; `str` is let pass. Raises: UnicodeEncodeError: beyond ASCII. Others: as `Response.write`."""
        self._doubt()
        super().write(self._bytes(data))

    def respond(self, result: Iterable[Any], minimum: int) -> None:
        """Send what the application returned. What has a length is all there, and gets a Content-Length.

        Raises:
            EarlyEndError: see above. Others: as `Response.respond`.
        """
        if hasattr(result, "__len__"):
            result = [part if type(part) is bytes else self._bytes(part) for part in result]
            self._doubt()
        else:
            result = map(self._bytes, result)
        super().respond(result, minimum)

    def _doubt(self) -> None:
        if self._body.cut_short and not self.sent and self.status < 400:
            raise EarlyEndError

    def finish(self) -> None:
        """The application has given all there is; or it has answered by itself meanwhile."""
        if is_handled():
            self.keep = False
            self.over = True
        else:
            self._doubt()
            super().finish()

    def _text(self, value: Any) -> str:
        if type(value) is str:
            return value
        if not isinstance(value, str):
            self._warn(f"a status, or a name or value of a header, is no str but {type(value).__name__}: {value!r}")
        return "".join(str(value))  # of a subclass, an exact `str`

    def _bytes(self, data: Any) -> Any:
        if not isinstance(data, str):
            return bytes(data) if isinstance(data, (bytearray, memoryview)) else data
        self._warn(f"a body has a str in place of bytes: {data[:40]!r}")
        return data.encode("ascii")


class Warner:
    """Warns of what is against PEP 3333, once for each kind.

    Args:
        app: the application that does it.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._told: set[str] = set()

    def __call__(self, what: str) -> None:
        kind = what.partition(":")[0]
        if kind not in self._told:
            self._told.add(kind)
            warnings.warn(f"{self._app!r}: {what}. PEP 3333 does not allow it", RuntimeWarning, stacklevel=3)
