"""Inflating messages, and decoding text, a piece at a time.

Facts: zlib takes 15 to 30 ms for 8 MiB. To decode UTF-8 takes as long, if it is not plain ASCII.
Decision: nothing here works on more than a piece at once. Between two of them, the caller lets others run.
"""

import zlib
from codecs import getincrementaldecoder
from typing import Any

from greening._core.fairness import fairness_tick
from greening.websocket._wsproto import CloseReason, ParseFailed

PIECE = 128 << 10  # bytes that come out of one step, at most
_INPUT = 16 << 10  # bytes that go into it, at most: zlib copies what it has not used of them
_TAIL = b"\x00\x00\xff\xff"  # RFC 7692 7.2.1: the end of every message, not sent
Utf8 = getincrementaldecoder("utf-8")


class Inflater:
    """Inflates the messages of one connection, one after the other: `begin`, then `step` until it returns a message.

    Args:
        bits: base-2 logarithm of the window. reset: every message begins with an empty one.
        limit: bytes of a message, at most.
    """

    __slots__ = ("_bits", "_reset", "_limit", "_zlib", "_input", "_at", "_output")

    def __init__(self, bits: int, reset: bool, limit: int) -> None:
        self._bits = bits
        self._reset = reset
        self._limit = limit
        self._zlib: Any = None
        self._input: Any = b""
        self._at = 0
        self._output: Any = None

    def begin(self, data: bytes | bytearray) -> None:
        """Take a whole message, as it was sent."""
        self._input, self._at = data, 0
        self._output = None
        if self._zlib is None:
            self._zlib = zlib.decompressobj(-self._bits)

    def step(self) -> bytes | bytearray | None:
        """Inflate a piece. Returns the message when it is complete, before that None.

        Raises:
            ParseFailed: it is too long, or was not deflated.
        """
        engine = self._zlib
        given = engine.unconsumed_tail or self._next_input()
        room = self._limit + 1 - (len(self._output) if self._output is not None else 0)
        most = min(PIECE, room)
        try:
            piece: bytes = engine.decompress(given, most)
        except zlib.error as error:
            raise _bad(f"no deflated data: {error}") from None
        if len(piece) == room:
            raise ParseFailed(f"a message of more than {self._limit} bytes", CloseReason.MESSAGE_TOO_BIG)
        ended = engine.eof or (self._at > len(self._input) and not engine.unconsumed_tail and len(piece) < most)
        if self._output is not None:
            self._output += piece
        elif not ended:
            self._output = bytearray(piece)
        if not ended:
            return None
        return self._end(piece if self._output is None else self._output)

    def _next_input(self) -> Any:
        data, at = self._input, self._at
        if at >= len(data):
            self._at = len(data) + 1
            return _TAIL if at == len(data) else b""
        if not at and len(data) <= _INPUT:
            self._at = len(data) + 1
            return bytes(data) + _TAIL
        self._at = min(len(data), at + _INPUT)
        return bytes(memoryview(data)[at : self._at])

    def _end(self, message: bytes | bytearray) -> bytes | bytearray:
        engine, rest = self._zlib, self._input[self._at :]
        if engine.eof:
            # RFC 7692 7.2.3.4: a final block may end a message. Behind it is nothing but padding.
            unused = engine.unused_data
            if self._at > len(self._input):
                unused = unused.removesuffix(_TAIL)
            if unused.strip(b"\0") or rest.strip(b"\0"):
                raise _bad("data behind the last block")
        if engine.eof or self._reset:
            self._zlib = None
        self._input, self._output = b"", None
        return message


def _bad(why: str) -> ParseFailed:
    return ParseFailed(why, CloseReason.INVALID_FRAME_PAYLOAD_DATA)


def decoded(data: bytes | bytearray) -> str:
    """Text from UTF-8. Others run meanwhile, if it is long.

    Raises:
        ParseFailed: it is not UTF-8.
    """
    try:
        if len(data) <= PIECE or data.isascii():
            return data.decode()
        pieces, decode = [], Utf8().decode
        with memoryview(data) as view:
            for at in range(0, len(data), PIECE):
                fairness_tick()
                pieces.append(decode(view[at : at + PIECE], at + PIECE >= len(data)))
    except UnicodeDecodeError as error:
        raise _bad(str(error)) from None
    return "".join(pieces)
