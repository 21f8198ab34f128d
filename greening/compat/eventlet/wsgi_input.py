"""`eventlet.wsgi.Input`: a request's body, read from a file by the decoder of greening.wsgi.

Differences from `greening.wsgi.body.Input`: its attributes decide how it is framed, and may be set until the first
read; a body that ends before its Content-Length is simply shorter; a malformed chunk is a `ChunkReadError`; and a body
in chunks may begin again, after `send_hundred_continue_response` (Swift commits in two phases that way).
"""

from collections.abc import Callable, Iterable
from typing import Any

from greening.wsgi.body import Input as _Body
from greening.wsgi.body_reader import BodyReader
from greening.wsgi.chunks import BAD_SIZE
from greening.wsgi.errors import BadBody
from greening.wsgi.headers import field_line
from greening.wsgi.limits import Limits
from greening.wsgi.request_head import CHUNKED

_LIMITS = Limits()


class ChunkReadError(ValueError):
    """A body in chunks is malformed."""


class BodyTimeoutError(BadBody, TimeoutError):
    """The socket's time limit ran out while a body was read."""

    def __init__(self) -> None:
        super().__init__(408, "the body comes too slowly")


class EarlyEndError(BadBody):
    """The client's stream ended within a body."""

    def __init__(self) -> None:
        super().__init__(400, "unexpected end of file: the body ends too early")


class FileReader(BodyReader):
    """The bytes of a body, from a file.

    Args:
        file: with `read` and `readline`.
    Attributes:
        by_line: what is asked for ends with the line, at the latest. line_read: the last line between chunks.
        cut_short: the stream ended within a body that is not in chunks.
        raw, at: bytes that were read before: none; the file has them.
    """

    def __init__(self, file: Any, chunked: bool) -> None:
        self.file = file
        self.limits = _LIMITS
        self.raw = b""
        self.at = 0
        self.by_line = False
        self.line_read: bytes | None = None
        self.cut_short = False
        self._chunked = chunked

    def some(self, size: int) -> bytes:
        """At most `size` bytes; b"" at the end of a body that is not in chunks. Raises: BadBody."""
        self.line_read = None
        data: bytes = self._call(self.file.readline if self.by_line else self.file.read, size)
        if not data:
            if self._chunked:
                raise EarlyEndError
            self.cut_short = True
        return data

    def line(self, limit: int) -> bytes:
        """The next line, without its end. Raises: BadBody, also for more than `limit` bytes."""
        line = self.line_read = self._call(self.file.readline, limit + 2)
        if not line.endswith(b"\r\n"):
            raise BadBody(400, "line too long" if len(line) > limit else "a line without its end")
        return line[:-2]

    def _call(self, read: Callable[[int], bytes], size: int) -> bytes:
        try:
            return read(size)
        except TimeoutError as error:
            raise BodyTimeoutError from error


class Input(_Body):
    """A request's body as a file: `wsgi.input` and `eventlet.input`.

    Args:
        rfile: what it is read from. content_length: bytes, or None: none.
        sock: the connection, for `get_socket`.
        wfile: where `100 Continue` is written at the first read; None: the client does not wait for it.
        wfile_line: the status line of that, with its end.
        chunked_input: the body is in chunks, whatever `content_length` says.
    Attributes:
        position: bytes that were read. hundred_continue_headers: see `set_hundred_continue_response_headers`.
        is_hundred_continue_response_sent: `wfile` has got it, and gets no other from a read.
        started: tells whether the answer is on its way already, and `100 Continue` comes too late.
    Raises (all reads): ChunkReadError. OSError: the connection broke, or was silent for too long.
    """

    def __init__(
        self,
        rfile: Any,
        content_length: int | str | None,
        sock: Any,
        wfile: Any = None,
        wfile_line: bytes | None = None,
        chunked_input: bool = False,
    ) -> None:
        self.rfile = rfile
        self.content_length = None if content_length is None else int(content_length)
        self.wfile = wfile
        self.wfile_line = wfile_line
        self.chunked_input = chunked_input
        self.position = 0
        self.hundred_continue_headers: Iterable[tuple[str, str]] | None = None
        self.is_hundred_continue_response_sent = False
        self.started: Callable[[], bool] = bool
        self._capitalize = False
        self._sock = sock
        self._reader: FileReader | None = None

    def read(self, length: int | None = None) -> bytes:
        """`length` bytes, or as many as there are; without a length, all."""
        return self._get(super().read, length)

    def readline(self, size: int | None = None) -> bytes:
        """A line with its end; no more than `size` bytes of it."""
        reader = self._begun()
        reader.by_line = True
        try:
            return self._get(super().readline, size)
        finally:
            reader.by_line = False

    def discard(self, buffer_size: int = 16384) -> bool:
        """Read what is left, so many bytes at a time. True: it has all come."""
        while self.read(buffer_size):
            pass
        return self.ended

    @property
    def ended(self) -> bool:
        """All of the body has been taken off the connection."""
        self._begun()
        return super().ended

    @property
    def cut_short(self) -> bool:
        """The client's stream ended before the Content-Length: a read has told less than there should be."""
        return self._reader is not None and self._reader.cut_short

    @property
    def waited_for(self) -> bool:
        """The client still waits for `100 Continue`."""
        return self.should_send_hundred_continue

    @property
    def should_send_hundred_continue(self) -> bool:
        """The next read sends it."""
        return self.wfile is not None and not self.is_hundred_continue_response_sent

    def get_socket(self) -> Any:
        """The connection."""
        return self._sock

    def set_hundred_continue_response_headers(
        self, headers: Iterable[tuple[str, str]], capitalize_response_headers: bool = True
    ) -> None:
        """Field lines for the next `100 Continue`.

        Raises (when it is sent): ValueError: a name or a value that does not belong into a head.
        """
        self.hundred_continue_headers = headers
        self._capitalize = capitalize_response_headers

    def send_hundred_continue_response(self) -> None:
        """Send `100 Continue`, unless the answer is on its way, or the client did not ask for it.

        After a body in chunks, another one may follow.

        Raises:
            OSError: the client is gone.
        """
        if self.wfile is None or self.started():
            return
        pairs = self.hundred_continue_headers or ()
        lines = b"".join(field_line(name, value, self._capitalize) for name, value in pairs)
        self.wfile.write(b"%b%b\r\n" % (self.wfile_line or b"", lines))
        self.wfile.flush()
        if self.chunked_input and self._reader is not None and super().ended:
            self._reader = None

    def _begun(self) -> FileReader:
        if self._reader is None:
            self._reader = FileReader(self.rfile, self.chunked_input)
            self.receive(self._reader, CHUNKED if self.chunked_input else self.content_length or 0)
        return self._reader

    def _get(self, read: Callable[[int | None], bytes], size: int | None) -> bytes:
        if self.should_send_hundred_continue:
            self.send_hundred_continue_response()
            self.is_hundred_continue_response_sent = True
        reader = self._begun()
        try:
            data = read(size)
        except BadBody as error:
            if isinstance(self.failed, (EarlyEndError, BodyTimeoutError)):
                raise self.failed from None
            raise ChunkReadError(_what(reader.line_read, error)) from error
        self.position += len(data)
        return data


def _what(line: bytes | None, error: BadBody) -> str:
    """What Python says of a line that should be the size of a chunk, since programs compare it; or what is wrong."""
    if line is not None and (not line or error.why == BAD_SIZE):
        try:
            int(line.split(b";", 1)[0], 16)
        except ValueError as its:
            return str(its)
    return error.why
