"""The chunked transfer coding, from the bytes of a connection: RFC 9112 7.1.

httptools is not asked: it cannot stop at the end of a message, and has no limits for what stands between the chunks.
"""

import re
from typing import TYPE_CHECKING, Final

from greening.wsgi.errors import BadBody
from greening.wsgi.request_head import FIELD_LINES, FORBIDDEN, TOKEN

if TYPE_CHECKING:
    from greening.wsgi.body_reader import BodyReader

_BLANKS: Final = rb"[ \t]*+"
_QUOTED: Final = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"'
_EXTENSION: Final = rb"%s;%s%s(?:%s=%s(?:%s|%s))?+" % (_BLANKS, _BLANKS, TOKEN, _BLANKS, _BLANKS, TOKEN, _QUOTED)
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16}+)(?:%s)*+" % _EXTENSION)
_TRAILER = re.compile(FIELD_LINES)
# These say how the message ends, or which host it is for, when that is long decided: RFC 9110 6.5.1.
_NEVER = {b"content-length", b"transfer-encoding", b"host"}

BAD_SIZE: Final = "malformed chunk size"
_MAX_SIZE = 2**63 - 1
# Bytes of framing that small chunks may cost above what they bring. 16 for each chunk and as many as its data are free.
_MAX_WASTE = 16384


class Chunks:
    """Decodes one body. `read` gives its data piece by piece, b"" at its end, for ever."""

    __slots__ = ("_inlet", "_left", "_waste", "_between", "ended")

    def __init__(self, inlet: "BodyReader") -> None:
        self._inlet = inlet
        self._left = 0
        self._waste = 0
        self._between = False  # a chunk's data was read, and the line's end behind it was not
        self.ended = False

    def read(self, size: int) -> bytes:
        """At least one byte and at most `size`.

        Raises:
            BadBody: malformed, cut off, or too slow.
        """
        if self.ended:
            return b""
        if not self._left:
            self._next()
            if self.ended:
                return b""
        data = self._inlet.some(min(size, self._left))
        self._left -= len(data)
        self._between = not self._left
        return data

    def _next(self) -> None:
        inlet = self._inlet
        if self._between:
            if inlet.exactly(2) != b"\r\n":
                raise BadBody(400, "no end of line after a chunk")
            self._between = False
        line = self._line(inlet.limits.chunk_line)
        match = _SIZE.fullmatch(line)
        if match is None:
            raise BadBody(400, BAD_SIZE)
        size = int(match[1], 16)
        if size > _MAX_SIZE:
            raise BadBody(400, "chunk too large")
        self._waste = max(0, self._waste + len(line) - 16 - size)
        if self._waste > _MAX_WASTE:
            raise BadBody(400, "more about chunks than in them")
        if size:
            self._left = size
        else:
            self._trailers()
            self.ended = True

    def _trailers(self) -> None:
        left = self._inlet.limits.trailers
        while line := self._line(left):
            left -= len(line)
            if _TRAILER.fullmatch(line + b"\r\n") is None:
                raise BadBody(400, "malformed trailer")
            if line.partition(b":")[0].lower() in _NEVER:
                raise BadBody(400, "a trailer that frames or routes")

    def _line(self, limit: int) -> bytes:
        """Up to a line's end, without it."""
        line = self._inlet.line(limit)
        if FORBIDDEN.search(line):
            raise BadBody(400, "control characters between chunks")
        return line
