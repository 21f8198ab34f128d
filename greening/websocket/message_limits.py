"""What happens to the payload of frames on its way: limits and, if agreed on, (de)compression. An extension of wsproto.

wsproto's own inflates whatever comes to whatever size. This one stops zlib at the limit.
"""

import zlib
from dataclasses import dataclass
from typing import Any

from greening.websocket._wsproto import CloseReason, Extension, FrameDecoder, FrameProtocol, Opcode, RsvBits
from greening.websocket.deflate import Agreement

# What a connection may cost.

DEFAULT_MAX_FRAME_LENGTH = 8 << 20  # bytes


@dataclass(frozen=True)
class Settings:
    """Limits of connections, on either side. What exceeds one ends the connection with code 1009.

    Attributes:
        max_frame_length: bytes of one frame, as it is sent.
        max_message_length: bytes of one message, inflated, in however many frames; None: as `max_frame_length`.
        compression: permessage-deflate, if the other side wants it, too.
        close_timeout: seconds that the other side has to close when this one has.
    Raises:
        ValueError: a limit below 1, a negative time.
    """

    max_frame_length: int = DEFAULT_MAX_FRAME_LENGTH
    max_message_length: int | None = None
    compression: bool = True
    close_timeout: float = 5.0

    def __post_init__(self) -> None:
        if self.max_frame_length < 1 or self.message_limit < 1:
            raise ValueError("a message has at least one byte")
        if self.close_timeout < 0:
            raise ValueError("a time limit cannot be negative")

    @property
    def message_limit(self) -> int:
        return self.max_frame_length if self.max_message_length is None else self.max_message_length


_TAIL = b"\x00\x00\xff\xff"  # RFC 7692 7.2.1: the end of every message, not sent
_NOT_WORTH_IT = 48  # bytes: shorter messages go as they are
_LEVEL, _MEMORY = 6, 5  # zlib's default effort; 16 KiB of tables in place of 128

_TOO_BIG = CloseReason.MESSAGE_TOO_BIG
_BAD_DATA = CloseReason.INVALID_FRAME_PAYLOAD_DATA
_BAD_PROTOCOL = CloseReason.PROTOCOL_ERROR
_NO_BITS = RsvBits(False, False, False)
_COMPRESSED = RsvBits(True, False, False)


class MessageLimits(Extension):
    """Of one connection.

    Args:
        client: our side. agreement: None: nothing is compressed.
        max_frame: bytes of a frame as it is sent. max_message: bytes of a message, inflated, all frames together.
    Attributes:
        taken: bytes of the frames that wsproto has done with. inside: it is in the midst of a message.
    """

    name = "payload"

    def __init__(self, client: bool, agreement: Agreement | None, max_frame: int, max_message: int) -> None:
        self.taken = 0
        self.inside = False
        self._least_head = 2 if client else 6
        self._size = 0  # of the frame that is coming in
        self._agreement = agreement
        self._max_frame = max_frame
        self._max_message = max_message
        self._left = max_message  # of the message that is coming in
        self._control = False  # the frame that is coming in is one
        self._begins = False  # it is a message's first one, and nothing of it has come yet
        self._compressed = False  # it says that the message is compressed
        self._inflating = False  # the message that is coming in is compressed
        self._inflater: Any = None
        self._deflater: Any = None
        if agreement is not None:
            bits = agreement.server_bits, agreement.client_bits
            resets = agreement.server_reset, agreement.client_reset
            self._in_bits, self._out_bits = bits if client else bits[::-1]
            self._in_reset, self._out_reset = resets if client else resets[::-1]

    def enabled(self) -> bool:
        return True

    def offer(self) -> bool | str:
        return False  # handshakes are not wsproto's work here

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        # wsproto asks again when the header came in pieces: nothing may change here that the second time depends on.
        self._size = payload_length
        self._control = opcode >= Opcode.CLOSE
        if self._control:
            return _NO_BITS
        if payload_length > self._max_frame:
            return _TOO_BIG
        self._begins = opcode is not Opcode.CONTINUATION
        if self._begins == self.inside:
            return _BAD_PROTOCOL
        compressed = self._inflating
        if self._begins:
            compressed = self._compressed = rsv.rsv1 and self._agreement is not None
        if not compressed and payload_length > (self._max_message if self._begins else self._left):
            return _TOO_BIG
        return _COMPRESSED if self._begins and self._agreement is not None else _NO_BITS

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes | CloseReason:
        if self._control:
            return data
        if self._begins:
            self._begins, self.inside = False, True
            self._left = self._max_message
            self._inflating = self._compressed
        if self._inflating:
            return self._inflate(data)
        self._left -= len(data)
        return data

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> bytes | CloseReason | None:
        size = self._size
        self.taken += size + self._least_head + (0 if size < 126 else 2 if size < 65536 else 8)
        if self._control or not fin:
            return None
        self.inside = False
        if not self._inflating:
            return None
        self._inflating = False
        return self._end_of_message()

    def _end_of_message(self) -> bytes | CloseReason:
        rest = b"" if self._inflater.eof else self._inflate(_TAIL)
        if self._in_reset or self._inflater.eof:
            self._inflater = None
        return rest

    def _inflate(self, data: bytes | bytearray) -> bytes | CloseReason:
        """At most as much as may come; what is more ends the connection."""
        inflater = self._inflater
        if inflater is None:
            inflater = self._inflater = zlib.decompressobj(-self._in_bits)
        if inflater.eof:
            return _BAD_DATA if data.strip(b"\0") else b""
        try:
            inflated: bytes = inflater.decompress(data, self._left + 1)
        except zlib.error:
            return _BAD_DATA
        self._left -= len(inflated)
        if self._left < 0:
            return _TOO_BIG
        if inflater.unused_data.strip(b"\0") and data is not _TAIL:
            return _BAD_DATA  # RFC 7692 7.2.3.4: a final block may end a message. Behind it is nothing but padding
        return inflated

    def frame_outbound(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, data: bytes, fin: bool
    ) -> tuple[RsvBits, bytes]:
        return rsv, data  # only control frames go this way

    def admits(self, size: int, compressed: int) -> bool:
        """Whether a message in one frame of `size` bytes may be read, as far as one can know without inflating it."""
        if compressed:
            return self._agreement is not None and size <= self._max_frame
        return size <= self._max_frame and size <= self._max_message

    def inflate_all(self, data: bytes | bytearray) -> bytes | CloseReason:
        """A whole compressed message."""
        self._left = self._max_message
        inflated = self._inflate(data)
        if not isinstance(inflated, bytes):
            return inflated
        rest = self._end_of_message()
        return inflated + rest if isinstance(rest, bytes) else rest

    def is_worth_it(self, size: int) -> bool:
        """Whether to compress a message that is to be sent."""
        return self._agreement is not None and size >= _NOT_WORTH_IT

    def deflate(self, data: bytes) -> bytes:
        """A whole message. It must be sent: later ones build on it."""
        deflater = self._deflater
        if deflater is None:
            deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -self._out_bits, _MEMORY)
        deflated: bytes = deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)
        self._deflater = None if self._out_reset else deflater
        return deflated[:-4]
