"""Masks, and the frames that are sent."""

import zlib
from typing import Any

import pytest

from greening.websocket import masking
from greening.websocket.deflate import Agreement
from greening.websocket.masking import Framer, mask, masked

KEY = b"\x01\x80\xff\x00"


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 7, 8, 9, 64, 511, 512, 513, 70_001])
def test_masking_is_xor_with_the_key_over_and_over(size: int) -> None:
    data = bytes(number * 7 & 255 for number in range(size))
    expected = bytes(byte ^ KEY[at % 4] for at, byte in enumerate(data))
    assert mask(data, KEY) == expected
    assert mask(memoryview(data), KEY) == expected
    assert masked(data, KEY) == expected
    assert masked(expected, KEY) == data


@pytest.mark.parametrize("key", [b"", b"abc", b"abcde"])
def test_a_key_has_four_bytes(key: bytes) -> None:
    with pytest.raises(ValueError, match="4 bytes"):
        mask(b"data", key)


def whole(frame: Any) -> bytes:
    return frame if isinstance(frame, bytes) else b"".join(frame)


def test_a_long_message_is_not_copied_behind_its_head() -> None:
    payload = bytes(1 << 20)
    frame = Framer(False, None).message(payload)
    assert isinstance(frame, tuple)
    assert frame[1] is payload
    assert whole(frame)[:10] == b"\x82\x7f" + (1 << 20).to_bytes(8, "big")
    short = Framer(False, None).message("short")
    assert short == b"\x81\x05short"


def test_a_client_masks_each_frame_with_another_key() -> None:
    framer = Framer(True, None)
    frames = [whole(framer.message(b"x" * size)) for size in (5, 5, 300, 70_000)]
    assert len({frame[2:6] for frame in frames[:2]}) == 2
    assert masked(frames[0][6:], frames[0][2:6]) == b"x" * 5
    assert masked(frames[2][8:], frames[2][4:8]) == b"x" * 300
    assert masked(frames[3][14:], frames[3][10:14]) == b"x" * 70_000


def test_long_messages_are_deflated_in_pieces_that_make_one_stream() -> None:
    framer, inflater = Framer(False, Agreement(server_bits=15)), zlib.decompressobj(-15)
    for message in (b"first " * 50_000, b"second " * 50_000):
        frame = whole(framer.message(message))
        head = 4 if frame[1] == 126 else 2
        assert frame[0] == 0xC2
        assert inflater.decompress(frame[head:] + b"\0\0\xff\xff") == message


def test_others_may_run_between_the_pieces_of_long_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[None] = []
    monkeypatch.setattr(masking, "fairness_tick", lambda: ticks.append(None))
    masked(bytes(1 << 20), KEY)
    assert len(ticks) == 16
    Framer(False, Agreement()).message(bytes(1 << 20))
    assert len(ticks) == 32


def test_a_message_whose_deflating_was_interrupted_is_not_referred_to_later(monkeypatch: pytest.MonkeyPatch) -> None:
    framer, inflater = Framer(False, Agreement(server_bits=15)), zlib.decompressobj(-15)
    first = whole(framer.message(b"words " * 10))
    assert inflater.decompress(first[2:] + b"\0\0\xff\xff") == b"words " * 10

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(masking, "fairness_tick", interrupt)
    with pytest.raises(KeyboardInterrupt):
        framer.message(b"never sent " * 20_000)
    next_one = whole(framer.message(b"never sent " * 10))
    assert inflater.decompress(next_one[2:] + b"\0\0\xff\xff") == b"never sent " * 10
