"""`Liveness`: what follows from when bytes and messages came."""

from math import inf

from greening.websocket.liveness import Liveness
from greening.websocket.settings import Settings


def test_a_silent_peer_is_asked_and_given_up_if_it_does_not_answer() -> None:
    alive = Liveness(Settings(ping_interval=20, ping_timeout=5), 100.0)
    assert alive.next_look() == 120
    assert alive.verdict(119, 0) is None
    assert not alive.needs_ping(119)
    assert alive.needs_ping(120)
    assert not alive.needs_ping(121), "one ping at a time"
    assert alive.next_look() == 125
    assert alive.verdict(124, 0) is None
    assert alive.verdict(125, 0) == (1011, "no answer to a ping for 5 seconds")


def test_anything_that_comes_is_an_answer() -> None:
    alive = Liveness(Settings(ping_interval=20, ping_timeout=5), 100.0)
    assert alive.needs_ping(120)
    alive.heard = 121.0
    assert alive.verdict(125, 0) is None
    assert alive.next_look() == 141


def test_bytes_that_nobody_reads_are_a_sign_of_life_while_they_grow() -> None:
    alive = Liveness(Settings(ping_interval=20, ping_timeout=5), 100.0)
    assert alive.verdict(120, 6) is None
    assert alive.next_look() == 140
    assert alive.needs_ping(140)
    assert alive.verdict(145, 6) == (1011, "no answer to a ping for 5 seconds")


def test_a_peer_that_is_not_read_from_is_not_blamed_for_its_silence() -> None:
    alive = Liveness(Settings(ping_interval=20, ping_timeout=5), 100.0)
    for now in (120, 140, 160):
        assert alive.verdict(now, 65536) is None
        assert not alive.needs_ping(now)


def test_without_messages_a_connection_is_idle_whatever_else_comes() -> None:
    alive = Liveness(Settings(ping_interval=None, idle_timeout=60), 100.0)
    alive.heard = 150.0
    assert alive.next_look() == 160
    assert alive.verdict(159, 0) is None
    assert alive.verdict(160, 0) == (1001, "no message for 60 seconds")
    alive.moved = 155.0
    assert alive.verdict(160, 0) is None


def test_a_message_has_to_end() -> None:
    alive = Liveness(Settings(ping_interval=None, message_timeout=30), 100.0)
    assert alive.next_look() == inf
    alive.begun = 110.0
    alive.heard = 139.0
    assert alive.next_look() == 140
    assert alive.verdict(139.5, 0) is None
    assert alive.verdict(140, 0) == (1008, "a message took more than 30 seconds")


def test_no_limits_no_looks() -> None:
    alive = Liveness(Settings(ping_interval=None, message_timeout=None), 100.0)
    alive.begun = 100.0
    assert alive.next_look() == inf
    assert alive.verdict(1e9, 0) is None
    assert not alive.needs_ping(1e9)
