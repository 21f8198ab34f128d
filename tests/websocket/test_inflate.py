"""Inflating and decoding a piece at a time."""

import zlib

import pytest

from greening.websocket import inflate as inflate_module
from greening.websocket._wsproto import ParseFailed
from greening.websocket.inflate import PIECE, Inflater, decoded
from tests.websocket.wire import deflated


def inflate(inflater: Inflater, data: bytes) -> tuple[bytes, int]:
    """The message, and the number of steps that it took."""
    inflater.begin(data)
    steps = 1
    while (message := inflater.step()) is None:
        steps += 1
    return bytes(message), steps


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("size", [0, 1, 1000, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 7])
def test_messages_of_every_size_come_out_whole(size: int, level: int) -> None:
    message = (b"%07d" * (size // 7 + 1) % tuple(range(size // 7 + 1)))[:size]
    inflater = Inflater(15, True, 8 << 20)
    for _ in range(2):
        assert inflate(inflater, deflated(message, level))[0] == message


def test_a_step_makes_no_more_than_a_piece_so_work_grows_as_the_message() -> None:
    steps = []
    for size in (1 << 20, 2 << 20, 4 << 20):
        _, count = inflate(Inflater(15, True, 8 << 20), deflated(bytes(size)))
        assert count >= size // PIECE
        steps.append(count)
    assert steps[2] - steps[1] == 2 * (steps[1] - steps[0])


def test_data_that_does_not_shrink_is_taken_in_pieces_too() -> None:
    counts = [inflate(Inflater(15, True, 8 << 20), deflated(bytes(size), 0))[1] for size in (1 << 20, 2 << 20)]
    assert 1.8 < counts[1] / counts[0] < 2.2


def test_later_messages_may_refer_to_earlier_ones_unless_the_window_is_reset() -> None:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    first, second = (
        (deflater.compress(b"the same words again") + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4] for _ in range(2)
    )
    keeping, resetting = Inflater(15, False, 1000), Inflater(15, True, 1000)
    for inflater in (keeping, resetting):
        assert inflate(inflater, first)[0] == b"the same words again"
    assert inflate(keeping, second)[0] == b"the same words again"
    with pytest.raises(ParseFailed):
        inflate(resetting, second)


@pytest.mark.parametrize("limit", [999, PIECE, 3 * PIECE])
def test_the_limit_is_exact(limit: int) -> None:
    assert len(inflate(Inflater(15, True, limit), deflated(bytes(limit)))[0]) == limit
    with pytest.raises(ParseFailed) as caught:
        inflate(Inflater(15, True, limit), deflated(bytes(limit + 1)))
    assert caught.value.code == 1009


def final(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush()


def test_a_final_block_ends_a_message_and_padding_may_follow() -> None:
    inflater = Inflater(15, False, 1 << 20)
    for padding in (b"", b"\0", b"\0" * 40_000):
        assert inflate(inflater, final(b"last") + padding)[0] == b"last"
    assert inflate(inflater, deflated(b"next"))[0] == b"next"


@pytest.mark.parametrize("data", [b"\x07 nonsense", final(b"x") + b"more", final(b"x") + b"\0" * 40_000 + b"more"])
def test_what_is_no_deflated_message_is_1007(data: bytes) -> None:
    with pytest.raises(ParseFailed) as caught:
        inflate(Inflater(15, True, 1 << 20), data)
    assert caught.value.code == 1007


@pytest.mark.parametrize("text", ["", "plain" * 100_000, "€" * 100_001, "a" * 400_000 + "\U0001f600", "ä\U0001f600"])
def test_text_is_decoded_in_pieces_that_cut_no_character(text: str) -> None:
    assert decoded(text.encode()) == text
    assert decoded(bytearray(text.encode())) == text


@pytest.mark.parametrize("data", [b"\xff", b"x" * 200_000 + b"\xff" + b"x" * 200_000, "€".encode() * 100_000 + b"\xe2"])
def test_text_that_is_not_utf8_is_1007(data: bytes) -> None:
    with pytest.raises(ParseFailed) as caught:
        decoded(data)
    assert caught.value.code == 1007


def test_others_may_run_between_the_pieces_of_a_long_text(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[None] = []
    monkeypatch.setattr(inflate_module, "fairness_tick", lambda: ticks.append(None))
    decoded("€".encode() * 500_000)
    assert len(ticks) == 1_500_000 // PIECE + 1
