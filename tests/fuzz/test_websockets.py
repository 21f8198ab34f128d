"""WebSocket, whole and in pieces: frames are read as wsproto reads them, handshakes are judged as RFC 6455 does."""

import random

import pytest

from tests.fuzz.frames import LOST, Told, read_by_wsproto, stream
from tests.fuzz.handshakes import HOSTILE, accept_of, answer, hostile, lawful
from tests.fuzz.sockets import equal, opened_by
from tests.fuzz.targets import SIZES, answers, frames, handshakes


def done(number: int) -> None: ...


@pytest.mark.parametrize("seed", range(3))
def test_frames(seed: int) -> None:
    assert frames(seed, 25, done) == ""


@pytest.mark.slow
def test_many_frames() -> None:
    assert frames(10, 1000, done) == ""


@pytest.mark.parametrize("seed", range(3))
def test_handshakes(seed: int) -> None:
    assert handshakes(seed, 60, done) == ""


@pytest.mark.slow
def test_answers_to_the_client() -> None:
    assert answers(1, 300, done) == ""


def test_streams_are_of_every_kind() -> None:
    rng = random.Random(1)
    codes = {read_by_wsproto(stream(rng, compressed), compressed).code for compressed in [False, True] * 60}
    assert codes >= {1002, 1005, LOST, 1007}


def test_what_a_server_may_make_of_a_stream() -> None:
    expected = Told(["a"], 1000, [b"1", b"2"])
    assert equal(Told(["a"], 1000, [b"2"]), expected)
    assert not equal(Told(["a"], 1000, [b"2", b"1"]), expected)
    assert not equal(Told(["a"], 1002, []), expected)
    assert not equal(Told([], 1000, []), expected)


def test_answers_are_of_every_kind() -> None:
    rng = random.Random(1)
    made = [answer(rng) for _ in range(400)]
    assert {one.outcome for one in made} >= {"open", "faulty", "refused 101", "refused 200", "refused 403"}
    right = next(one for one in made if one.outcome == "open")
    assert lawful(right, "open")
    assert not lawful(right, "refused 101")
    assert accept_of("dGhlIHNhbXBsZSBub25jZQ==").encode() in right.to("dGhlIHNhbXBsZSBub25jZQ==")
    assert opened_by(lambda key: [right.to("another key")]) == "refused 101"


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_answers_are_of_their_size(kind: str) -> None:
    assert all(size * 0.9 < len(hostile(kind, size)) < size * 1.1 + 200 for size in SIZES)
