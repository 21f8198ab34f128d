"""WebSocket frames, right and wrong ones, and what an independent reader makes of them: wsproto, given all at once."""

import random
import zlib
from dataclasses import dataclass
from struct import pack
from typing import Any

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import RemoteProtocolError

from tests.websocket.wire import BINARY, CLOSE, FIN, PING, PONG, RSV1, RSV2, RSV3, TEXT, frame

TEXTS = ("", "a", "\u00e4", "plain words", "x" * 130, "\U0001f331" * 40, "y" * 70000)
CODES = (1000, 1001, 1002, 1003, 1007, 1011, 3000, 4999, 999, 1004, 1005, 1006, 1015, 2999, 5000)
WRONG, NO_CODE, LOST, NO_TEXT, TOO_BIG = 1002, 1005, 1006, 1007, 1009  # RFC 6455 7.4.1


@dataclass(frozen=True)
class Told:
    """What a server learned: messages in order, the code with which the connection ended, and the pings in order."""

    messages: list[str | bytes]
    code: int
    pings: list[bytes]


def stream(rng: random.Random, compressed: bool) -> bytes:
    """What a client sends after the handshake. Mostly right; with or without an end of its own."""
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    parts: list[bytes] = []
    for _ in range(rng.choice((1, 2, 5, 12))):
        payload = rng.choice(TEXTS).encode()
        kind = rng.choice((TEXT, BINARY))
        if rng.random() < 0.03:
            payload += b"\xff"
        bit = 0
        if compressed and rng.random() < 0.5:
            payload = (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
            bit = RSV1
        parts += _message(rng, kind | bit, payload)
    if rng.random() < 0.6:
        reason = rng.choice(("", "bye", "\u00e4", "x" * 123)).encode()
        body = b"" if rng.random() < 0.2 else pack("!H", rng.choice(CODES)) + reason
        parts.append(frame(FIN | CLOSE, rng.choice((body, body, b"\x03")), _key(rng)))
    raw = bytearray(b"".join(parts))
    # A flipped bit in deflated data may make it right in one zlib and wrong in the other's use of it.
    if not compressed and rng.random() < 0.2:
        raw[rng.randrange(min(len(raw), 300))] ^= 1 << rng.randrange(8)
    # Of a frame that is wrong, one may see it before it has come whole.
    if rng.random() < 0.1 and read_by_wsproto(bytes(raw), compressed).code not in (WRONG, NO_TEXT):
        del raw[rng.randrange(len(raw)) :]
    return bytes(raw)


def _message(rng: random.Random, first: int, payload: bytes) -> list[bytes]:
    roll = rng.random()
    if roll < 0.55:
        return [frame(FIN | first, payload, _key(rng))]
    if roll < 0.85:
        cuts = sorted(rng.randrange(len(payload) + 1) for _ in range(rng.choice((1, 2, 5))))
        pieces = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
        frames = [frame(first, pieces[0], _key(rng))]
        for number, piece in enumerate(pieces[1:], 2):
            # (After a control frame inside a compressed message, wsproto's extension takes the rest as it is.)
            if rng.random() < 0.2 and not first & RSV1:
                frames.append(frame(FIN | PING, b"%d" % number, _key(rng)))
            frames.append(frame(FIN if number == len(pieces) else 0, piece, _key(rng)))
        return frames
    if roll < 0.95:
        return [frame(FIN | rng.choice((PING, PONG)), rng.randbytes(rng.choice((0, 5, 125))), _key(rng))]
    wrong = (
        frame(FIN | rng.choice((3, 7, 11, 15)), b"", _key(rng)),
        frame(FIN, b"no message was begun", _key(rng)),
        frame(FIN | rng.choice((RSV2, RSV3)) | TEXT, b"x", _key(rng)),
        frame(FIN | PING, b"x" * 126, _key(rng)),
        frame(PING, b"in pieces", _key(rng)),
        frame(FIN | TEXT, b"not masked", None),
        b"\x81\xfe\x00\x05" + bytes(4) + b"hello",
    )
    return [rng.choice(wrong)]


def _key(rng: random.Random) -> bytes:
    """A mask. Mostly one that costs nothing: it is not what is tried here."""
    return rng.randbytes(4) if rng.random() < 0.3 else bytes(4)


def read_by_wsproto(raw: bytes, compressed: bool) -> Told:
    """What wsproto makes of a client's bytes and their end."""
    extension = PerMessageDeflate()
    if compressed:
        extension.accept("permessage-deflate")
    connection = Connection(ConnectionType.SERVER, [extension] if compressed else [])
    told = Told([], LOST, [])
    parts: list[Any] = []
    try:
        connection.receive_data(raw)
        for event in connection.events():
            if isinstance(event, TextMessage | BytesMessage):
                parts.append(event.data)
                if event.message_finished:
                    told.messages.append(parts[0][:0].join(parts))
                    parts = []
            elif isinstance(event, Ping):
                told.pings.append(bytes(event.payload))
            elif isinstance(event, CloseConnection):
                return Told(told.messages, int(event.code), told.pings)
    except RemoteProtocolError as error:
        hint = error.event_hint
        return Told(told.messages, int(hint.code) if isinstance(hint, CloseConnection) else WRONG, told.pings)
    return told
