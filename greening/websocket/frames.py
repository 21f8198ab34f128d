"""Bytes to messages and back.

Facts: most messages are one frame that comes whole. wsproto takes 40 us for one of them.
Decision: these are taken and made here. wsproto gets everything else - fragments, control frames, what comes in pieces,
what is wrong in any way - and decides about it.
"""

from collections.abc import Iterable
from os import urandom
from struct import Struct

from greening.websocket._wsproto import CloseReason, Frame, FrameProtocol, ParseFailed
from greening.websocket.message_limits import MessageLimits

# Masking (RFC 6455 5.3): XOR with four bytes, over and over.

_TABLES = [bytes(byte ^ key for byte in range(256)) for key in range(256)]
_SHORT = 512  # bytes: up to here one big integer is faster than four passes of translation


def masked(data: bytes, key: bytes) -> bytes | bytearray:
    """`data` masked, or unmasked. key: four bytes."""
    size = len(data)
    if size <= _SHORT:
        keys = (key * (size // 4 + 1))[:size]
        return (int.from_bytes(data, "little") ^ int.from_bytes(keys, "little")).to_bytes(size, "little")
    raw = bytearray(data)
    for at in range(4):
        raw[at::4] = raw[at::4].translate(_TABLES[key[at]])
    return raw


Message = str | bytes

_FIN, _COMPRESSED = 0x80, 0x40
_TEXT, _BINARY = 0x81, 0x82  # whole messages, not compressed
_HEAD, _LONG_HEAD, _LONGEST_HEAD = Struct("!BB").pack, Struct("!BBH").pack, Struct("!BBQ").pack


class Frames:
    """Both directions of one connection. What comes in is given to `feed` when `quick` and `others` have no more."""

    __slots__ = ("_client", "_payload", "_others", "_given", "_data", "_at", "close", "ping", "pong")

    def __init__(self, client: bool, payload: MessageLimits, begun: bytes = b"") -> None:
        self._client = client
        self._payload = payload
        self._others = FrameProtocol(client, [payload])
        self._given = 0  # bytes that wsproto has got
        self._data = begun
        self._at = 0
        # Frames to be sent.
        self.close = self._others.close
        self.ping = self._others.ping
        self.pong = self._others.pong

    def feed(self, data: bytes) -> None:
        """Bytes that came in."""
        if self._given == self._payload.taken and not self._payload.inside:
            self._data, self._at = data, 0
        else:
            self._given += len(data)
            self._others.receive_bytes(data)

    def others(self) -> Iterable[Frame]:
        """What was no matter for `quick`: pieces of messages and control frames.

        Raises:
            ParseFailed: the peer does something wrong, in the midst of them.
        """
        return () if self._given == self._payload.taken else self._others.received_frames()

    def quick(self) -> Message | None:
        """The next message, if it is one frame that has come whole. None: there is nothing, or it is for `others`.

        Raises:
            ParseFailed: what was inflated is not right.
        """
        data, at = self._data, self._at
        if len(data) - at < 2:
            return self._leave_it(at)
        first, size = data[at], data[at + 1]
        kind = first & ~_COMPRESSED
        is_masked, size = size >> 7, size & 127
        begin = at + 2
        if size == 126 and len(data) >= at + 4:
            size = data[at + 2] << 8 | data[at + 3]
            begin += 2
            if size < 126:
                return self._leave_it(at)
        elif size > 125:
            return self._leave_it(at)
        if (kind != _TEXT and kind != _BINARY) or is_masked == self._client:
            return self._leave_it(at)
        begin += 4 * is_masked
        end = begin + size
        if end > len(data) or not self._payload.admits(size, first & _COMPRESSED):
            return self._leave_it(at)
        raw = masked(data[begin:end], data[begin - 4 : begin]) if is_masked else data[begin:end]
        if first & _COMPRESSED:
            raw = self._inflated(raw)
        if kind == _BINARY:
            self._at = end
            return bytes(raw)
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            if first & _COMPRESSED:
                raise ParseFailed(str(error), CloseReason.INVALID_FRAME_PAYLOAD_DATA) from None
            return self._leave_it(at)
        self._at = end
        return text

    def _inflated(self, raw: bytes | bytearray) -> bytes:
        inflated = self._payload.inflate_all(raw)
        if isinstance(inflated, bytes):
            return inflated
        raise ParseFailed("too much, or no deflated data", inflated)

    def _leave_it(self, at: int) -> Message | None:
        """wsproto gets the rest. Returns None, for `quick` to return."""
        if at < len(self._data):
            rest = self._data[at:]
            self._given += len(rest)
            self._others.receive_bytes(rest)
        self._data, self._at = b"", 0
        return None

    def message(self, message: str | bytes | bytearray | memoryview) -> bytes:
        """A frame to be sent."""
        if isinstance(message, str):
            first, raw = _TEXT, message.encode()
        else:
            first, raw = _BINARY, bytes(message)
        if self._payload.is_worth_it(len(raw)):
            raw = self._payload.deflate(raw)
            first |= _COMPRESSED
        size = len(raw)
        bit = 0x80 if self._client else 0
        if size < 126:
            head = _HEAD(first, bit | size)
        elif size < 65536:
            head = _LONG_HEAD(first, bit | 126, size)
        else:
            head = _LONGEST_HEAD(first, bit | 127, size)
        if not bit:
            return head + raw
        key = urandom(4)  # 5.3: it must not be predictable
        return b"".join((head, key, masked(raw, key)))
