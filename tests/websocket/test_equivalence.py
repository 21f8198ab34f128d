"""`Frames` gives what wsproto alone gives: seeded streams, right and wrong ones, cut anywhere."""

import random
import zlib
from typing import Any

import pytest
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, FrameProtocol, Opcode, ParseFailed, RsvBits

from greening.websocket.closing import parsed_close
from greening.websocket.deflate import Agreement
from greening.websocket.frames import Frames
from greening.websocket.settings import Settings
from tests.websocket.wire import BINARY, CLOSE, FIN, PING, PONG, RSV1, TEXT, close_frame, frame

LIMIT = 400


def stream(chance: random.Random, compressed: bool) -> list[bytes]:
    """Frames, most of them right."""
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    frames = []
    for _ in range(chance.randint(1, 12)):
        text = chance.choice(["", "ä", "plain", "x" * 130, "🌱" * 40, "y" * chance.choice([LIMIT, LIMIT + 1])]).encode()
        if chance.random() < 0.05:
            text += b"\xff"
        mask = chance.randbytes(4) if chance.random() < 0.98 else None
        kind, bit = chance.choice([TEXT, BINARY]), 0
        if compressed and chance.random() < 0.5:
            text = (deflater.compress(text) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
            bit = RSV1
        roll = chance.random()
        if roll < 0.6:
            frames.append(frame(FIN | bit | kind, text, mask))
        elif roll < 0.85:
            cut = chance.randint(0, len(text))
            frames.append(frame(bit | kind, text[:cut], mask))
            if chance.random() < 0.5:
                frames.append(frame(FIN | PING, b"!"))
            frames.append(frame(FIN, text[cut:], mask))
        elif roll < 0.95:
            frames.append(frame(FIN | chance.choice([PING, PONG]), text[:125], mask))
        else:
            frames.append(
                chance.choice([close_frame(1000), frame(FIN | 3), frame(TEXT, b"x"), frame(FIN | CLOSE | RSV1)])
            )
    return frames


def pieces(chance: random.Random, data: bytes) -> list[bytes]:
    found = []
    while data:
        size = chance.choice([1, 2, 5, 30, 500, 5000])
        found.append(data[:size])
        data = data[size:]
    return found


class Told:
    """What came out of a stream: messages, control frames, and how it ended."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._parts: list[Any] = []

    def frame(self, one: Any) -> None:
        """By wsproto: a piece of a message, or a control frame."""
        if one.opcode not in (Opcode.TEXT, Opcode.BINARY):
            self.events.append((one.opcode, one.payload))
            return
        self._parts.append(one.payload)
        if one.message_finished:
            self.events.append(self._parts[0][:0].join(self._parts))
            self._parts = []


class Limited(Extension):
    """An extension of wsproto with the limits; it inflates a message when it has come whole."""

    name = "limited"

    def __init__(self, compressed: bool) -> None:
        self.compressed = compressed
        self.inflating = self.control = self.inside = False
        self.message = b""
        self.left = LIMIT
        self.inflater: Any = zlib.decompressobj(-15)

    def enabled(self) -> bool:
        return True

    def offer(self) -> bool:
        return False

    def frame_inbound_header(self, proto: Any, opcode: Opcode, rsv: RsvBits, payload_length: int) -> Any:
        # It is asked again when the header came in pieces.
        begins = opcode in (Opcode.TEXT, Opcode.BINARY)
        self.control = opcode.iscontrol()
        if self.control:
            return RsvBits(False, False, False)
        if payload_length <= LIMIT and begins == self.inside:
            return CloseReason.PROTOCOL_ERROR
        if begins:
            self.left, self.inflating, self.message = LIMIT, rsv.rsv1 and self.compressed, b""
        if payload_length > LIMIT or (not self.inflating and payload_length > self.left):
            return CloseReason.MESSAGE_TOO_BIG
        return RsvBits(begins and self.compressed, False, False)

    def frame_inbound_payload_data(self, proto: Any, data: bytes) -> bytes:
        if self.control:
            return data
        self.inside = True
        if self.inflating:
            self.message += data
            return b""
        self.left -= len(data)
        return data

    def frame_inbound_complete(self, proto: Any, fin: bool) -> Any:
        if self.control or not fin:
            return None
        self.inside = False
        if not self.inflating:
            return None
        try:
            data = self.inflater.decompress(self.message + b"\0\0\xff\xff")
        except zlib.error:
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        if self.inflater.eof:
            self.inflater = zlib.decompressobj(-15)
        return data if len(data) <= LIMIT else CloseReason.MESSAGE_TOO_BIG


def by_wsproto(parts: list[bytes], compressed: bool) -> list[Any]:
    told, protocol = Told(), FrameProtocol(False, [Limited(compressed)])
    try:
        for part in parts:
            protocol.receive_bytes(part)
            for one in protocol.received_frames():
                told.frame(one)
    except ParseFailed as error:
        told.events.append(int(error.code))
    return told.events


def by_us(parts: list[bytes], compressed: bool) -> list[Any]:
    events: list[Any] = []
    frames = Frames(False, Agreement() if compressed else None, Settings(LIMIT))
    try:
        for part in parts:
            frames.feed(part)
            while (found := frames.next()) is not None:
                if isinstance(found, (str, bytes)):
                    events.append(found)
                elif found.opcode is Opcode.CLOSE:
                    events.append((Opcode.CLOSE, parsed_close(found.payload)))
                    return events
                else:
                    events.append((found.opcode, found.payload))
    except ParseFailed as error:
        events.append(int(error.code))
    return events


@pytest.mark.parametrize("compressed", [False, True])
def test_the_short_way_is_the_same_as_the_long_one(compressed: bool) -> None:
    endings = set()
    for seed in range(150):
        chance = random.Random(seed)
        data = bytearray().join(stream(chance, compressed))
        if chance.random() < 0.3:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.3:
            data += chance.randbytes(40)
        parts = pieces(chance, bytes(data))
        expected = by_wsproto(parts, compressed)
        assert by_us(parts, compressed) == expected, seed
        endings.add(expected[-1] if expected and isinstance(expected[-1], int) else 0)
    assert endings >= {0, 1002, 1007, 1009}
