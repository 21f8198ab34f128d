"""One response: `start_response`, `write`, and what an application returns, framed."""

import socket as _stdlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from greening.wsgi.body import Input
from greening.wsgi.environ import FileWrapper, extent
from greening.wsgi.headers import CLOSE, DATE, LENGTH, SERVER
from greening.wsgi.request_head import Head

if TYPE_CHECKING:
    from greening.wsgi.protocol import HttpProtocol

# What is answered to these depends on them.
_SPECIAL = {"HEAD", "CONNECT"}
_WHOLE = 65536  # bytes: up to here the parts of a body are joined to its head


class Response:
    """Sends one response on its connection.

    Attributes:
        sent: the head is on its way. keep: the connection may go on afterwards. count: bytes of body that were sent.
        over: the request has ended; nothing more may be written here.
        may_repeat: `start_response` may be called anew until the head is sent, as under eventlet.
        going_on: field lines for an answer after which the connection goes on; None: those of the version of HTTP.
    """

    status = 0
    _status_line = b""
    _lines = b""
    _bits = 0
    _left = -1
    _chunked = False
    _bodyless = False
    sent = False
    over = False
    count = 0
    may_repeat = False
    empty_length = 0  # what is said of a body of which no piece came; -1: nothing, so that it is sent in chunks
    going_on: bytes | None = None
    _total = -1
    _cut = False

    def __init__(self, connection: "HttpProtocol", head: Head, body: Input, keep: bool) -> None:
        self._connection = connection
        self._head = head
        self._input = body
        self.keep = keep

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """PEP 3333's. Sends nothing yet.

        Raises:
            TypeError, ValueError: a status or a header that cannot be sent. AssertionError: called a second time
            without `exc_info`. What is in `exc_info`: the head is on its way already.
        """
        if exc_info is not None:
            try:
                if self.sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif (self._status_line and not self.may_repeat) or self.over:
            raise AssertionError("start_response() was called before; a second call needs exc_info")
        head = self._head
        server = self._connection.server
        try:
            if head.method in _SPECIAL:
                answer = server.compose_answer(status, headers, head)
            else:
                try:
                    known = server.answers.get((status, *headers))
                except TypeError:  # something in it that is no string; it will be told
                    known = None
                answer = known or server.learn_answer(status, headers, head)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{error}; {self._which()}") from None
        self.status, self._status_line, self._lines, self._bits, self._left, self._bodyless = answer
        return self.write

    @property
    def bodyless(self) -> bool:
        """Whatever the answer to this request is, it has no body."""
        return self._head.method == "HEAD"

    def refuse(self, status: int) -> None:
        """The server answers instead of the application."""
        self.sent, self.status, self.keep = True, status, False

    def proceed(self, fields: bytes) -> None:
        """`100 Continue`, unless the answer is on its way already. Raises: OSError."""
        if not self.sent:
            self._connection.send(b"HTTP/1.1 100 Continue\r\n%b\r\n" % fields)

    def _begin(self, whole: int) -> bytes:
        """The head. `whole`: the length of all of the body, if it is known; -1: it is not."""
        connection, bits = self._connection, self._bits
        server = connection.server
        self.sent = True
        one = self._head.minor and server.one
        parts = [b"HTTP/1.1 " if server.one else b"HTTP/1.0 ", self._status_line, self._lines]
        if self.status == 101:
            self.keep = False
            parts.append(b"\r\n")
            return b"".join(parts)
        if not bits & (DATE | SERVER):
            parts.append(server.date_header())
        else:
            parts.append(server.partial_stamp(not bits & DATE, not bits & SERVER))
        if not bits & LENGTH and not self._bodyless:
            if whole >= 0:
                parts.append(b"Content-Length: %d\r\n" % whole)
                self._left = whole
            elif one:
                parts.append(b"Transfer-Encoding: chunked\r\n")
                self._chunked = True
            else:
                self.keep = False
        if self.keep and (bits & CLOSE or server.closing or self._input.waited_for):
            self.keep = False
        if not self.keep:
            parts.append(b"Connection: close\r\n\r\n")
        elif self.going_on is not None:
            parts += self.going_on, b"\r\n"
        elif one:
            parts.append(b"\r\n")
        else:
            parts.append(b"Connection: keep-alive\r\n\r\n")
        return b"".join(parts)

    def write(self, data: bytes) -> None:
        """PEP 3333's: send `data` now, the head before it.

        Raises:
            AssertionError: before `start_response`. TypeError: not bytes. OSError: the client is gone.
        """
        if not self._status_line or self.over:
            raise AssertionError("write() " + ("after the request" if self.over else "before start_response()"))
        if not isinstance(data, bytes):
            raise self._not_bytes(data)
        if data:
            self._put(data, self._total)

    def _put(self, data: bytes, whole: int) -> None:
        raw = b"" if self.sent else self._begin(whole)
        if self._bodyless:
            data = b""
        elif self._left >= 0:
            if len(data) > self._left:
                data = data[: self._left]
                self._cut = True
            self._left -= len(data)
        if not data:
            if raw:
                self._connection.send(raw)
            return
        self.count += len(data)
        if self._chunked:
            self._connection.send_parts(b"%b%x\r\n" % (raw, len(data)), data, b"\r\n")
        elif raw:
            self._connection.send_parts(raw, data)
        else:
            self._connection.send(data)

    def respond(self, result: Iterable[bytes], minimum: int) -> None:
        """Send what the application returned.

        Args:
            minimum: bytes; pieces are gathered until there are so many.
        Raises:
            What iterating raises, and what `write` does.
        """
        if (type(result) is list or type(result) is tuple) and not self.sent:
            if len(result) == 1:
                data = result[0]
            else:
                bad = next((part for part in result if not isinstance(part, bytes)), None)
                if bad is not None:
                    raise self._not_bytes(bad)
                self._total = sum(map(len, result))
                data = b"".join(result) if self._total <= _WHOLE else None
            if data is not None:
                self._whole(data)
                return
        if isinstance(result, FileWrapper) and self._send_file(result):
            return
        pieces: list[bytes] = []
        size = 0
        for data in result:
            if minimum and data:
                pieces.append(data)
                size += len(data)
                if size < minimum:
                    continue
                data, pieces, size = b"".join(pieces), [], 0
            self.write(data)
        if pieces:
            self.write(b"".join(pieces))
        self.finish()

    def send_simple(self, data: bytes) -> bool:
        """Send the most frequent response of all, in fewer steps. False: it is another, and nothing was sent."""
        head, left = self._head, self._left
        connection = self._connection
        server = connection.server
        if (
            self._bits & ~LENGTH
            or self.sent
            or self._bodyless
            or type(data) is not bytes
            or len(data) > _WHOLE
            or (left != len(data) and left != -1)
            or not self._status_line
            or not self.keep
            or head.length
            or not head.minor
            or not server.one
            or server.closing
        ):
            return False
        self.sent = True
        self.count = len(data)
        if left < 0:
            self._left = 0
            framing = b"Content-Length: %d\r\n\r\n" % len(data)
        else:
            framing = b"\r\n"
        connection.send(b"".join((b"HTTP/1.1 ", self._status_line, self._lines, server.date_header(), framing, data)))
        return True

    def _whole(self, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise self._not_bytes(data)
        if not self._status_line:
            raise AssertionError("the application returned without calling start_response()")
        if self._input.too_much(self._connection.server.limits.drain):
            self.keep = False
        self._put(data, len(data))
        self.finish()

    def finish(self) -> None:
        """The application has given all there is.

        Raises:
            AssertionError: it never called `start_response`.
        """
        if not self._status_line:
            raise AssertionError("the application returned without calling start_response()")
        if not self.sent:
            self._put(b"", self.empty_length)
        if self._chunked:
            self._connection.send(b"0\r\n\r\n")
        if self._left > 0:
            self.keep = False
            self._connection.gone = True  # TLS must not say that all was sent
            self._connection.complain(f"the body is {self._left} bytes shorter than its Content-Length")
        elif self._cut:
            self._connection.complain("the body is longer than its Content-Length; the rest was not sent")

    def _not_bytes(self, data: object) -> TypeError:
        return TypeError(f"a body consists of bytes, not {type(data).__name__}; {self._which()}")

    def _which(self) -> str:
        """Whose answer it is, and to what: for an error that the application has to mend."""
        server, head = self._connection.server, self._head
        app, common = server.app, server.environ
        named = app if hasattr(app, "__qualname__") else type(app)
        host = head.environ.get("HTTP_HOST") or common.get("SERVER_NAME", "")
        target = head.target.decode("latin-1")
        where = target if "://" in target else f"{common['wsgi.url_scheme']}://{host}{target}"
        return f"{named.__module__}.{named.__qualname__} answers {head.method} {where}"

    def _send_file(self, wrapper: FileWrapper) -> bool:
        """By sendfile(2). False: the file, or the connection, is not for that."""
        found = extent(wrapper) if self._connection.plain and self._status_line and not self.sent else None
        if found is None or self._bodyless:
            return False
        fd, offset, size = found
        raw = self._begin(size)
        if self._chunked:  # never: the length is known
            return False
        count = min(size, self._left)
        if count:
            self._connection.send(raw, _stdlib.MSG_MORE)
            sent = self._connection.send_file(fd, offset, count)
            self.count += sent
            self._left -= sent
        else:
            self._connection.send(raw)
        self._cut = size > count
        self.finish()
        return True
