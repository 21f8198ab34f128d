"""RFC 6455 with raw bytes: what is answered, what is refused, and with which code."""

import gc
import os
import zlib
from typing import Any

import pytest

from greening.websocket import frames as frames_module
from greening.websocket._wsproto import FrameDecoder, ParseFailed
from greening.websocket.deflate import Agreement
from greening.websocket.frames import Frames
from greening.websocket.settings import Settings
from tests.websocket.wire import (
    BINARY,
    CLOSE,
    DEFLATE,
    FIN,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    close_frame,
    deflated,
    frame,
)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
def test_messages_of_every_kind_of_length_come_back(serve: Any, size: int) -> None:
    client = serve().open()
    client.send(frame(FIN | TEXT, b"*" * size))
    assert client.frame() == (FIN | TEXT, b"*" * size)
    client.send(frame(FIN | BINARY, b"\xfe" * size))
    assert client.frame() == (FIN | BINARY, b"\xfe" * size)


def test_fragments_are_one_message_and_pings_between_them_are_answered(serve: Any) -> None:
    client = serve().open()
    client.send(frame(TEXT, b"gr\xc3") + frame(FIN | PING, b"there?") + frame(0, b"\xbc") + frame(FIN, b"n"))
    assert client.frame() == (FIN | PONG, b"there?")
    assert client.frame() == (FIN | TEXT, "grün".encode())


def test_bytes_may_come_one_by_one(serve: Any) -> None:
    client = serve().open(DEFLATE)
    data = frame(RSV1 | TEXT, deflated(b"one " * 50)[:9]) + frame(FIN, deflated(b"one " * 50)[9:])
    for byte in data + frame(FIN | BINARY, b"x" * 200):
        client.send(bytes([byte]))
    first, payload = client.frame()
    assert first == FIN | RSV1 | TEXT
    assert zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff") == b"one " * 50
    assert client.frame()[0] == FIN | RSV1 | BINARY


def test_pongs_are_ignored(serve: Any) -> None:
    client = serve().open()
    client.send(frame(FIN | PONG, b"by the way") + frame(FIN | TEXT, b"x"))
    assert client.frame() == (FIN | TEXT, b"x")


def test_messages_ahead_of_a_violation_are_delivered(serve: Any) -> None:
    client = serve().open()
    client.send(frame(FIN | TEXT, b"good") + frame(FIN | 3))
    assert client.frame() == (FIN | TEXT, b"good")
    assert client.closed_with == 1002


VIOLATIONS = {
    "reserved bit 1": frame(FIN | RSV1 | TEXT, b"x"),
    "reserved bit 2": frame(FIN | RSV2 | TEXT, b"x"),
    "reserved bit 3": frame(FIN | RSV3 | BINARY, b"x"),
    "reserved bit in a ping": frame(FIN | RSV1 | PING),
    "opcode 3": frame(FIN | 3, b"x"),
    "opcode 7": frame(FIN | 7),
    "opcode 11": frame(FIN | 11),
    "opcode 15": frame(FIN | 15, b"x"),
    "not masked": frame(FIN | TEXT, b"x", mask=None),
    "nothing to continue": frame(FIN, b"x"),
    "two messages at once": frame(TEXT, b"x") + frame(FIN | TEXT, b"y"),
    "a new message of the other kind": frame(TEXT, b"x") + frame(FIN | BINARY, b"y"),
    "a ping in two": frame(PING, b"x"),
    "a close in two": frame(CLOSE),
    "a long ping": frame(FIN | PING, b"x" * 126),
    "a long pong": frame(FIN | PONG, b"x" * 126),
    "a long close": close_frame(1000, b"x" * 124),
    "a close of one byte": frame(FIN | CLOSE, b"x"),
    "length in two bytes without need": bytes((FIN | TEXT, 128 | 126, 0, 5)) + b"\0\0\0\0hello",
    "length in eight bytes without need": bytes((FIN | TEXT, 128 | 127, 0, 0, 0, 0, 0, 0, 0, 5)) + b"\0\0\0\0hello",
    "close with 0": close_frame(0),
    "close with 999": close_frame(999),
    "close with 1004": close_frame(1004),
    "close with 1005": close_frame(1005),
    "close with 1006": close_frame(1006),
    "close with 1015": close_frame(1015),
    "close with 1016": close_frame(1016),
    "close with 2999": close_frame(2999),
    "close with 5000": close_frame(5000),
}


@pytest.mark.parametrize("what", VIOLATIONS)
def test_violations_of_the_protocol_are_answered_with_1002(serve: Any, what: str) -> None:
    client = serve().open()
    client.send(VIOLATIONS[what])
    assert client.closed_with == 1002


@pytest.mark.parametrize(
    "data",
    [
        frame(FIN | RSV1 | PING),
        frame(FIN | RSV2 | TEXT, b"x"),
        frame(RSV1 | TEXT, deflated(b"x")) + frame(FIN | RSV1, b""),
    ],
)
def test_reserved_bits_that_compression_does_not_use_are_violations(serve: Any, data: bytes) -> None:
    client = serve().open(DEFLATE)
    client.send(data)
    assert client.closed_with == 1002


BAD_TEXT = [b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"cut\xc3"]


@pytest.mark.parametrize("text", BAD_TEXT)
def test_text_that_is_not_utf8_is_answered_with_1007(serve: Any, text: bytes) -> None:
    client = serve().open()
    client.send(frame(FIN | TEXT, text))
    assert client.closed_with == 1007


@pytest.mark.parametrize("text", BAD_TEXT[:-1])
def test_text_that_is_not_utf8_fails_before_its_end_has_come(serve: Any, text: bytes) -> None:
    client = serve().open()
    client.send(frame(TEXT, b"so far so good") + frame(FIN, text + b"...", length=1000))
    assert client.closed_with == 1007


def test_reasons_must_be_utf8(serve: Any) -> None:
    client = serve().open()
    client.send(close_frame(1000, b"\xff"))
    assert client.closed_with == 1007


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1012, 1013, 3000, 3999, 4000, 4999])
def test_a_close_is_answered_with_its_own_code(serve: Any, code: int) -> None:
    client = serve().open()
    client.send(close_frame(code, "größer".encode()) + frame(FIN | TEXT, b"too late"))
    assert client.closed_with == code


def test_a_close_without_a_code_is_answered_without_one(serve: Any) -> None:
    client = serve().open()
    client.send(frame(FIN | CLOSE))
    assert client.closed_with is None


@pytest.mark.parametrize("second", [frame(FIN | TEXT, b"y"), frame(BINARY, b"y")])
def test_a_message_inside_another_is_a_violation_also_if_it_comes_later(serve: Any, second: bytes) -> None:
    client = serve().open()
    client.send(frame(TEXT, b"x") + frame(FIN | PING))
    assert client.frame() == (FIN | PONG, b"")  # everything up to here has been read
    client.send(second)
    assert client.closed_with == 1002


def test_short_and_long_ways_through_the_code_keep_the_order(serve: Any) -> None:
    whole = frame(FIN | TEXT, b"whole")
    parts = frame(TEXT, b"pa") + frame(FIN | PING, b"?") + frame(FIN, b"rts")
    packed = frame(FIN | RSV1 | TEXT, deflated(b"packed"))
    expected = [b"whole", b"?", b"parts", b"whole", b"packed", b"whole", b"?", b"parts"]
    data = whole + parts + whole + packed + whole + parts
    for size in (1, 2, 3, 7, 50, len(data)):
        client = serve().open(DEFLATE + "; client_no_context_takeover")
        for at in range(0, len(data), size):
            client.send(data[at : at + size])
        assert [client.frame()[1] for _ in expected] == expected


def test_many_pings_at_once_cost_nothing_but_their_answers(serve: Any) -> None:
    client = serve().open()
    client.send(b"".join(frame(FIN | PING, b"%d" % number) for number in range(60)) + frame(FIN | TEXT, b"x"))
    assert [client.frame() for _ in range(60)] == [(FIN | PONG, b"%d" % number) for number in range(60)]
    assert client.frame() == (FIN | TEXT, b"x")


@pytest.mark.parametrize("client", [False, True])
@pytest.mark.parametrize("size", [4097, 65535, 65536, 200_000])
def test_long_frames_may_come_in_pieces_of_any_size(client: bool, size: int) -> None:
    text = ("€uro" * size).encode()[:size].decode(errors="ignore").encode()
    mask = None if client else b"\x01\x02\x03\x04"
    data = frame(FIN | TEXT, text, mask) + frame(FIN | BINARY, text, mask) + frame(FIN | TEXT, b"next", mask)
    for piece in (1, 3, 65_536, len(data)):
        if piece < 4 and size > 5000:
            continue
        frames, found = Frames(client, None, Settings()), []
        for at in range(0, len(data), piece):
            frames.feed(data[at : at + piece])
            while (one := frames.next()) is not None:
                found.append(one)
        assert found == [text.decode(), text, "next"]
        assert frames.unfinished == 0


def test_a_long_deflated_frame_may_come_in_pieces_too() -> None:
    text = os.urandom(50_000).hex()
    data = frame(FIN | RSV1 | TEXT, deflated(text.encode()))
    frames = Frames(False, Agreement(), Settings())
    for at in range(0, len(data), 7000):
        assert frames.next() is None
        frames.feed(data[at : at + 7000])
    assert frames.next() == text


@pytest.mark.parametrize("end", [b"\xff...", b"\xe2\x82"])
def test_a_long_text_that_is_not_utf8_is_1007_as_soon_as_that_shows(end: bytes) -> None:
    frames = Frames(False, None, Settings())
    whole = b"\xe2\x82\xac" * 4000 + end
    data = frame(FIN | TEXT, whole + (b"x" * 1000 if end[0] == 0xFF else b""))
    frames.feed(data[:5000])
    assert frames.next() is None
    frames.feed(data[5000 : 8 + len(whole)])
    with pytest.raises(ParseFailed) as caught:
        frames.next()
    assert caught.value.code == 1007


def test_work_grows_as_the_number_of_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that wsproto gets, and whole ones, in one block: each byte is handed over once."""
    handed: list[int] = []

    class Counting(FrameDecoder):
        def receive_bytes(self, data: bytes) -> None:
            handed.append(len(data))
            super().receive_bytes(data)

    monkeypatch.setattr(frames_module, "FrameDecoder", Counting)
    for number in (100, 200, 400):
        del handed[:]
        frames = Frames(False, None, Settings())
        frames.feed(
            (frame(FIN | PING, b"?") + frame(FIN | TEXT, b"whole") + frame(TEXT, b"a") + frame(FIN, b"b")) * number
        )
        found = 0
        while frames.next() is not None:
            found += 1
        assert found == 3 * number
        assert (len(handed), sum(handed)) == (3 * number, 21 * number)


def test_what_comes_while_closing_is_dropped_and_not_inflated() -> None:
    frames = Frames(False, Agreement(), Settings())
    frames.closing = True
    nonsense = frame(FIN | RSV1 | TEXT, b"\x07 nonsense") + frame(RSV1 | BINARY, b"\x07") + frame(FIN, b"\x07")
    frames.feed(nonsense * 2000 + frame(FIN | PING, b"?"))
    found: Any = frames.next()
    assert found.payload == b"?"
    assert frames.next() is None
    assert frames.unfinished == 0


def test_an_idle_connection_holds_nothing_of_the_past() -> None:
    frames = Frames(False, None, Settings())
    for data in (frame(FIN | BINARY, bytes(60_000)), frame(BINARY, bytes(60_000)) + frame(FIN), frame(FIN | PING)):
        frames.feed(data)
        while frames.next() is not None:
            pass
        assert not any(len(part) for part in gc.get_referents(frames) if isinstance(part, (bytes, bytearray)))
