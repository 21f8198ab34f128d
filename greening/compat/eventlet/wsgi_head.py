"""The head of a request, from a file: what `HttpProtocol.parse_request` reads, and what a subclass's own may read.

The bytes are checked by greening.wsgi as they come, so that what can never be a request is refused at once: a client
that ends its lines in CR alone, for instance, would be waited for.
"""

import re
from collections.abc import Callable
from email.message import Message
from io import BytesIO
from ssl import SSLWantReadError
from typing import Any

from greening.wsgi.errors import Refused
from greening.wsgi.limits import Limits
from greening.wsgi.request_head import CONTROLS, Head, check_partial

_CODING = re.compile(rb"(?i)\r\ntransfer-encoding:")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length:[^\r]*\r\n")


class HeaderLineTooLong(Exception):
    """A field line has `MAX_HEADER_LINE` bytes, or more."""


class HeadersTooLarge(Exception):
    """The field lines have more than `MAX_TOTAL_HEADER_SIZE` bytes in all."""


class ClientGoneError(Exception):
    """The client's stream ended within a head."""


def _no_controls(data: bytearray, start: int) -> None:
    if CONTROLS.search(data, max(0, start - 1)):
        raise Refused(400, "control characters in the request line")


def read_request_line(file: Any, limit: int, limits: Limits | None) -> bytes:
    """One line, with its end; fewer bytes when the stream ends in it.

    Args:
        file: a buffered file. limit: bytes; no more of a longer line is read.
        limits: for the whole set of greening's rules; None: a parser of its own decides what a request line is, and
            only control characters are refused here.
    Raises:
        Refused: it can never be one.
    """
    peek = getattr(file, "peek", None)
    if peek is None:
        whole: bytes = file.readline(limit)
        return whole
    line = bytearray()
    while len(line) < limit and not line.endswith(b"\n"):
        there = peek(1)
        if not there:
            break
        seen = len(line)
        line += file.read(min(there.find(b"\n") + 1 or len(there), limit - seen))
        if limits is None:
            _no_controls(line, seen)
        elif len(line) < limit:  # what is too long gets an answer of its own
            check_partial(line, seen, limits)
    return bytes(line)


def without_length(raw: bytes) -> bytes:
    """A whole head without its Content-Length, if there is a Transfer-Encoding beside it: RFC 9112 6.3 allows to go by
    that, and says that the connection has to end then.
    """
    if _CODING.search(raw) and _LENGTH.search(raw):
        return _LENGTH.sub(b"\r\n", raw[:-2]) + b"Connection: close\r\n\r\n"
    return raw


class HeadFile:
    """Stands for `rfile` while a head is read, and counts.

    Args:
        file: a buffered file. longest_line, longest_head: bytes of one field line, and of all.
    """

    def __init__(self, file: Any, longest_line: int, longest_head: int) -> None:
        self.file = file
        self._longest_line = longest_line
        self._left = longest_head
        self._block: BytesIO | None = None

    def readline(self, size: int = -1) -> bytes:
        """The next line, for a parser that reads line by line. What has come of a head is taken off the file at once.

        Raises:
            HeaderLineTooLong, HeadersTooLarge.
        """
        block = self._block or self._take()
        size = self._longest_line if size < 0 else size
        line: bytes = block.readline(size) or self.file.readline(size)
        length = len(line)  # as `_count`, written out: this is called for each line of each head
        if length >= self._longest_line:
            raise HeaderLineTooLong
        self._left -= length
        if self._left < 0:
            raise HeadersTooLarge
        return line

    def _take(self) -> BytesIO:
        peek = getattr(self.file, "peek", None)
        there = b"" if peek is None else peek(1)
        whole = 2 if there.startswith(b"\r\n") else there.find(b"\r\n\r\n") + 4
        self._block = BytesIO(self.file.read(whole) if whole != 3 else b"")
        return self._block

    @property
    def at_its_end(self) -> bool:
        """A parser that reads line by line has read all that was taken off the file for it."""
        return self._block is None or not self._block.read(1)

    def rest(self, begun: bytes, limits: Limits) -> bytes:
        """A head up to its empty line, of which `begun` has been read.

        Raises:
            Refused: it can never be one. ClientGoneError. HeaderLineTooLong, HeadersTooLarge.
        """
        raw = bytearray(begun)
        seen = 0
        peek = getattr(self.file, "peek", None)
        while raw.find(b"\r\n\r\n", max(2, seen - 3)) < 0:
            check_partial(raw, seen, limits)
            seen = len(raw)
            there = self.file.readline(self._longest_line) if peek is None else peek(1)
            if not there:
                raise ClientGoneError
            if peek is not None:
                before = bytes(raw[-3:])
                end = (before + there).find(b"\r\n\r\n")
                there = self.file.read(len(there) if end < 0 else end + 4 - len(before))
            raw += there
            self._count(len(there), len(raw) - 1 - raw.rfind(b"\n", 0, -1))
        if len(raw) >= self._longest_line and max(map(len, raw[len(begun) :].split(b"\n"))) + 1 >= self._longest_line:
            raise HeaderLineTooLong
        return bytes(raw)

    def _count(self, size: int, line: int) -> None:
        if line >= self._longest_line:
            raise HeaderLineTooLong
        self._left -= size
        if self._left < 0:
            raise HeadersTooLarge


def has_more(file: Any, sock: Any) -> bool:
    """Bytes have come after the head. Whoever takes the socket over would not get them."""
    if not hasattr(file, "peek"):
        return False
    timeout = sock.gettimeout()
    sock.settimeout(0)
    try:
        return bool(file.peek(1))
    except SSLWantReadError:  # what a TLS socket says in place of EAGAIN, and the file passes on
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(timeout)


def message_of(head: Head, kind: Callable[[], Message]) -> Message:
    """The field lines of a head as the message that a protocol has as `headers`."""
    message = kind()
    host = head.environ.get("HTTP_HOST")
    for name, value in head.environ["eventlet.headers_raw"]:
        # That of an absolute target has taken the place of the field: RFC 9112 3.2.2.
        message.set_raw(name, host if host is not None and name.lower() == "host" else value)
    if host is not None and "host" not in message:
        message.set_raw("Host", host)
    return message


def path_of(head: Head) -> str:
    """The target as a protocol has it as `path`: without the server, if it named one, and with one slash in front, as
    http.server has it: an application that redirects to a path of two would send its clients to another host.
    """
    target = head.target.decode("ascii")
    if target.startswith("//"):
        return "/" + target.lstrip("/")
    if "://" not in target or target.startswith("/") or head.method == "CONNECT":
        return target
    query = head.environ["QUERY_STRING"]
    path: str = head.environ["RAW_PATH_INFO"]
    return f"{path}?{query}" if query else path


def check_framing(headers: Message, refuse_both: bool) -> bool:
    """Look at a head that a subclass has parsed: is it certain where the body ends? False: the connection has to end.

    Args:
        refuse_both: Content-Length beside Transfer-Encoding.
    Raises:
        Refused.
    """
    lengths, codings = [], []
    for name, value in headers.raw_items():  # one look: each `get` of a message goes through all of them
        size = len(name)
        if size == 14 and name.lower() == "content-length":
            lengths.append(value)
        elif size == 17 and name.lower() == "transfer-encoding":
            codings.append(value)
    if any(not (length.isascii() and length.isdigit()) for length in lengths) or len(set(lengths)) > 1:
        raise Refused(400, "bad Content-Length")
    if not codings:
        return True
    if lengths and refuse_both:
        raise Refused(400, "Transfer-Encoding with Content-Length")
    return str(codings[0]).lower() == "chunked"
