"""Messages that are not one whole frame: which frames may come, and what has come of the message.

wsproto decodes the frames. This extension of it looks at their headers; payloads are added by hand, as they come.
"""

from typing import Any

from greening.websocket._wsproto import (
    CloseReason,
    Extension,
    Opcode,
    ParseFailed,
    RsvBits,
)
from greening.websocket.inflate import Utf8

_NO_BITS = RsvBits(False, False, False)
_DEFLATED = RsvBits(True, False, False)


class Fragments(Extension):
    """The message that is coming in, if there is one.

    Args:
        deflating: messages may be deflated. max_frame: bytes of a frame as it is sent. max_message: bytes of a message,
            inflated, all frames together.
    Attributes:
        inside: a message has begun and not ended. text: it is text. deflated: it is deflated.
        data: what has come of it, as it was sent: text as UTF-8.
    """

    name = "fragments"

    def __init__(self, deflating: bool, max_frame: int, max_message: int) -> None:
        self.inside = self.text = self.deflated = False
        self.data = bytearray()
        self._deflating = deflating
        self._max_frame = max_frame
        self._max_message = max_message
        # What is deflated may be a little longer than what it inflates to: RFC 7692 7.2.3.6, and a block's 5 bytes.
        self._max_deflated = max_message + (max_message >> 6) + 1024
        self._utf8 = Utf8()

    def enabled(self) -> bool:
        """wsproto's question."""
        return True

    def offer(self) -> bool | str:
        """wsproto's question. Handshakes are not its work here."""
        return False

    def frame_inbound_header(self, proto: Any, opcode: Opcode, rsv: RsvBits, payload_length: int) -> RsvBits:
        """wsproto has read a header, the whole of it. Returns the reserved bits that it may have.

        Raises:
            ParseFailed: the frame is too long, or not in its place.
        """
        if opcode >= Opcode.CLOSE:
            return _NO_BITS
        if payload_length > self._max_frame:
            raise _too_big(f"a frame of more than {self._max_frame} bytes")
        begins = opcode is not Opcode.CONTINUATION
        if begins == self.inside:
            raise ParseFailed("a message begins inside another one" if begins else "there is nothing to continue")
        if begins:
            self.inside = True
            self.text = opcode is Opcode.TEXT
            self.deflated = rsv.rsv1 and self._deflating
        most = self._max_deflated if self.deflated else self._max_message
        if len(self.data) + payload_length > most:
            raise _too_big(f"a message of more than {self._max_message} bytes")
        return _DEFLATED if begins and self._deflating else _NO_BITS

    def add(self, payload: bytes, last: bool) -> bool:
        """A piece of the message, unmasked. Returns True if it is complete: `data` is then to be taken.

        Raises:
            ParseFailed: text that is not UTF-8, as soon as that shows. (What is deflated cannot be known yet.)
        """
        self.data += payload
        if self.text and not self.deflated:
            try:
                self._utf8.decode(payload, last)
            except UnicodeDecodeError as error:
                raise ParseFailed(str(error), CloseReason.INVALID_FRAME_PAYLOAD_DATA) from None
        if last:
            self.inside = False
        return last


def _too_big(why: str) -> ParseFailed:
    return ParseFailed(why, CloseReason.MESSAGE_TOO_BIG)
