"""Masking, and frames that are to be sent (RFC 6455 5.2 and 5.3)."""

import zlib
from os import urandom
from struct import Struct
from typing import Any

from greening._compiled import double
from greening._core.fairness import fairness_tick
from greening.websocket.deflate import Agreement

# XOR with four bytes, over and over.

_TABLES = [bytes(byte ^ key for byte in range(256)) for key in range(256)]
_SHORT = 512  # bytes: up to here one big integer is faster than four passes of translation
_PIECE = 64 << 10  # bytes that are masked or deflated at once: 50 us, or 2 ms


@double
def mask(data: bytes | memoryview, key: bytes, /) -> bytes:
    """Return `data` masked, or unmasked: XOR with the four bytes of `key`, over and over.

    Raises:
        ValueError: the key has not four bytes.
    """
    if len(key) != 4:
        raise ValueError(f"a masking key has 4 bytes, not {len(key)}")
    size = len(data)
    if size <= _SHORT:
        keys = (key * (size // 4 + 1))[:size]
        return (int.from_bytes(data, "little") ^ int.from_bytes(keys, "little")).to_bytes(size, "little")
    raw = bytearray(data)
    for at in range(4):
        raw[at::4] = raw[at::4].translate(_TABLES[key[at]])
    return bytes(raw)


def masked(data: bytes, key: bytes) -> bytes:
    """The same for data of any length. Others run meanwhile, if it is long."""
    if len(data) <= _PIECE:
        return mask(data, key)
    pieces = []
    with memoryview(data) as view:
        for at in range(0, len(data), _PIECE):
            pieces.append(mask(view[at : at + _PIECE], key))
            fairness_tick()
    return b"".join(pieces)


# What goes out.

Outgoing = bytes | tuple[bytes, bytes]

_DEFLATED = 0x40
_TEXT, _BINARY = 0x81, 0x82
_HEAD, _LONG_HEAD, _LONGEST_HEAD = Struct("!BB").pack, Struct("!BBH").pack, Struct("!BBQ").pack
_NOT_WORTH_IT = 48  # bytes: shorter messages go as they are
_LEVEL, _MEMORY = 6, 5  # zlib's default effort; 16 KiB of tables in place of 128
_TOGETHER = 16 << 10  # bytes: longer payloads are not copied to put a head before them


class Framer:
    """Makes the frames that one connection sends.

    Args:
        client: our side. agreement: None: nothing is deflated.
    """

    __slots__ = ("_client", "_bits", "_reset", "_deflater")

    def __init__(self, client: bool, agreement: Agreement | None) -> None:
        self._client = client
        self._bits = 0  # base-2 logarithm of the window; 0: nothing is deflated
        self._reset = False
        self._deflater: Any = None
        if agreement is not None:
            self._bits = agreement.client_bits if client else agreement.server_bits
            self._reset = agreement.client_reset if client else agreement.server_reset

    def message(self, message: str | bytes | bytearray | memoryview) -> Outgoing:
        """A message in one frame. It must be sent: later ones build on what was deflated. Others run meanwhile.

        Raises:
            UnicodeEncodeError: a lone surrogate.
        """
        if isinstance(message, str):
            first, raw = _TEXT, message.encode()
        else:
            first, raw = _BINARY, bytes(message)
        if self._bits and len(raw) >= _NOT_WORTH_IT:
            return self.frame(first | _DEFLATED, self._deflate(raw))
        return self.frame(first, raw)

    def frame(self, first: int, payload: bytes) -> Outgoing:
        """A frame: in one piece, or as head and payload. first: its first byte."""
        size = len(payload)
        bit = 0x80 if self._client else 0
        if size < 126:
            head = _HEAD(first, bit | size)
        elif size < 65536:
            head = _LONG_HEAD(first, bit | 126, size)
        else:
            head = _LONGEST_HEAD(first, bit | 127, size)
        if not bit:
            return head + payload if size <= _TOGETHER else (head, payload)
        key = urandom(4)  # 5.3: it must not be predictable
        raw = masked(payload, key)
        return b"".join((head, key, raw)) if size <= _TOGETHER else (head + key, raw)

    def control(self, first: int, payload: bytes) -> bytes:
        """A control frame: of 125 bytes at most."""
        frame = self.frame(first, payload)
        assert isinstance(frame, bytes)
        return frame

    def _deflate(self, data: bytes) -> bytes:
        deflater = self._deflater
        # Until it is done, there is none: one that was interrupted has seen what the peer will not see.
        self._deflater = None
        if deflater is None:
            deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -self._bits, _MEMORY)
        if len(data) <= _PIECE:
            deflated: bytes = deflater.compress(data)
        else:
            pieces = []
            with memoryview(data) as view:
                for at in range(0, len(data), _PIECE):
                    pieces.append(deflater.compress(view[at : at + _PIECE]))
                    fairness_tick()
            deflated = b"".join(pieces)
        deflated += deflater.flush(zlib.Z_SYNC_FLUSH)
        if not self._reset:
            self._deflater = deflater
        return deflated[:-4]
