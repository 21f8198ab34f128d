"""Frames of several green threads on one socket: each of them whole, whatever happens to their senders."""

from collections.abc import Iterator
from socket import AF_UNIX, SO_SNDBUF, SOCK_STREAM, SOL_SOCKET
from typing import Any

import pytest
from greenlet import GreenletExit

from greening._core.greenthread import kill, spawn
from greening.green import socket
from greening.sync.event import Event
from greening.testing import wait_until_parked
from greening.timeout import Timeout
from greening.websocket.writer import FrameWriter, PeerStalledError
from tests.websocket.wire import BIG, CLOSE, FIN, TEXT


def test_a_message_whose_sender_is_killed_midway_is_finished_by_the_next_one(serve: Any) -> None:
    killed, read = Event(), Event()

    def handler(ws: Any) -> None:
        for message in (BIG, "not begun", "nor this"):
            with pytest.raises(Timeout):
                with Timeout(0.02):
                    ws.send(message)
        killed.send()
        read.wait()
        ws.send("next")

    client = serve(handler).open()
    killed.wait()
    read.send()
    assert client.frame() == (FIN | 2, BIG)
    assert client.frame() == (FIN | TEXT, b"next")


def test_a_sender_that_is_killed_while_others_send_has_sent_nothing(serve: Any) -> None:
    gone: Event = Event()

    def handler(ws: Any) -> None:
        big = spawn(ws.send, BIG)
        wait_until_parked(big)
        small = spawn(ws.send, "never sent")
        wait_until_parked(small)
        kill(small)
        with pytest.raises(GreenletExit):
            raise small.wait()
        gone.send()
        big.wait()

    client = serve(handler).open()
    gone.wait()
    assert client.frame() == (FIN | 2, BIG)
    assert client.frame()[0] == FIN | CLOSE


@pytest.fixture
def ends() -> Iterator[tuple[Any, Any]]:
    """Two cooperative sockets that are connected; the first one takes few bytes."""
    ours, theirs = socket.socketpair(AF_UNIX, SOCK_STREAM)
    ours.setsockopt(SOL_SOCKET, SO_SNDBUF, 4096)
    with ours, theirs:
        yield ours, theirs


def received(sock: Any, size: int) -> bytes:
    data = bytearray()
    with Timeout(20):
        while len(data) < size:
            data += sock.recv(65536)
    return bytes(data)


def finish(writer: FrameWriter) -> None:
    while writer.behind:
        writer.await_room()
        writer.try_flush()


def test_a_pong_goes_out_before_the_next_frame(ends: Any) -> None:
    writer = FrameWriter(ends[0])
    writer.answer(b"pong 1")
    writer.send(lambda text: text, b"frame")  # perhaps the last one: nothing follows a close frame
    assert received(ends[1], 11) == b"pong 1frame"
    writer.answer(b"pong 2")
    writer.flush()
    assert received(ends[1], 6) == b"pong 2"
    writer.flush()
    assert not writer.control


def test_pongs_do_not_wait_for_a_sender(ends: Any) -> None:
    writer = FrameWriter(ends[0])
    frame = bytes(1 << 20)
    sending = spawn(writer.send, lambda: frame)
    wait_until_parked(sending)
    writer.answer(b"pong")
    writer.flush()  # returns at once; the sender takes it along
    assert writer.control
    assert received(ends[1], len(frame) + 4) == frame + b"pong"
    sending.wait()


def test_of_many_pongs_the_latest_are_sent(ends: Any) -> None:
    writer = FrameWriter(ends[0])
    for number in range(100):
        writer.answer(b"%02d" % number)
    finishing = spawn(finish, writer)
    assert received(ends[1], 128) == b"".join(b"%02d" % number for number in range(36, 100))
    finishing.wait()


def test_what_is_to_be_sent_is_made_when_it_is_its_turn(ends: Any) -> None:
    writer = FrameWriter(ends[0])
    first = bytes(1 << 20)
    made: list[str] = []
    sending = spawn(writer.send, lambda: first)
    wait_until_parked(sending)

    def make() -> bytes:
        made.append("second")
        return b"second"

    second = spawn(writer.send, make)
    wait_until_parked(second)
    assert made == []
    assert received(ends[1], len(first) + 6) == first + b"second"
    second.wait()
    assert made == ["second"]


def test_an_error_of_making_goes_to_the_sender_and_nothing_is_sent(ends: Any) -> None:
    writer = FrameWriter(ends[0])
    with pytest.raises(ZeroDivisionError):
        writer.send(lambda: 1 // 0)
    writer.send(lambda: b"next")
    assert received(ends[1], 4) == b"next"


def test_the_rest_of_a_frame_whose_sender_timed_out_goes_first(ends: Any) -> None:
    writer = FrameWriter(ends[0])
    first = bytes(range(256)) * 4096
    ends[0].settimeout(0.01)
    with pytest.raises(TimeoutError):
        writer.send(lambda: first)
    ends[0].settimeout(None)
    sending = spawn(writer.send, lambda: b"next")
    assert received(ends[1], len(first) + 4) == first + b"next"
    sending.wait()


def test_after_the_connection_is_lost_nothing_of_the_frame_is_left(ends: Any) -> None:
    writer = FrameWriter(ends[0])
    ends[1].close()
    with pytest.raises(OSError):
        writer.send(lambda: b"frame")
    assert writer.broken and not writer.behind
    writer.flush()


def test_a_frame_in_two_parts_goes_out_in_one_piece_and_is_finished_by_the_next_one(ends: Any) -> None:
    writer = FrameWriter(ends[0])
    payload = bytes(range(256)) * 4096
    ends[0].settimeout(0.01)
    with pytest.raises(TimeoutError):
        writer.send(lambda: (b"head", payload))
    ends[0].settimeout(None)
    sending = spawn(writer.send, lambda: (b"HEAD", b"next"))
    assert received(ends[1], 4 + len(payload) + 8) == b"head" + payload + b"HEADnext"
    sending.wait()


def test_a_peer_that_takes_nothing_is_given_up(ends: Any) -> None:
    writer = FrameWriter(ends[0], 0.02)
    with pytest.raises(PeerStalledError, match=r"took nothing for 0\.02 seconds"):
        writer.send(lambda: BIG)
    assert writer.broken and not writer.behind


def test_nothing_follows_half_a_frame_that_is_given_up(ends: Any) -> None:
    writer = FrameWriter(ends[0], 0.02)
    with pytest.raises(PeerStalledError):
        writer.send(lambda: BIG)
    writer.answer(b"pong")
    ends[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        while ends[1].recv(65536):
            pass
    with pytest.raises(BrokenPipeError, match="could not be finished"):
        writer.send(lambda: b"next")
    writer.try_flush()
    with pytest.raises(BlockingIOError):
        ends[1].recv(1)


def test_a_peer_that_takes_little_at_a_time_is_not_given_up(ends: Any) -> None:
    writer = FrameWriter(ends[0], 5)
    sending = spawn(writer.send, lambda: bytes(1 << 20))
    left = 1 << 20
    while left:
        left -= len(ends[1].recv(4096))
    sending.wait()


def test_a_time_limit_of_the_socket_comes_first_if_it_is_shorter(ends: Any) -> None:
    writer = FrameWriter(ends[0], 5)
    ends[0].settimeout(0.01)
    with pytest.raises(TimeoutError):
        writer.send(lambda: BIG)


def test_a_frame_is_offered_without_waiting_and_what_there_is_no_room_for_follows(ends: Any) -> None:
    writer = FrameWriter(ends[0])
    writer.offer(b"at once")
    assert received(ends[1], 7) == b"at once"
    frame = bytes(1 << 20)
    ends[0].settimeout(0.01)
    with pytest.raises(TimeoutError):
        writer.send(lambda: frame)
    ends[0].settimeout(None)
    writer.offer(b"later")  # returns, although there is no room
    assert writer.behind
    rest = spawn(finish, writer)
    assert received(ends[1], len(frame) + 5) == frame + b"later"
    rest.wait()
    assert not writer.behind


def test_what_is_offered_while_another_sends_follows_its_frame(ends: Any) -> None:
    writer = FrameWriter(ends[0])
    frame = bytes(1 << 20)
    sending = spawn(writer.send, lambda: frame)
    wait_until_parked(sending)
    writer.offer(b"then this")
    assert received(ends[1], len(frame) + 9) == frame + b"then this"
    sending.wait()


def test_who_waits_for_room_holds_up_no_sender(ends: Any) -> None:
    writer = FrameWriter(ends[0])
    frame = bytes(1 << 20)
    ends[0].settimeout(0.01)
    with pytest.raises(TimeoutError):
        writer.send(lambda: frame)
    ends[0].settimeout(None)
    rest = spawn(finish, writer)
    wait_until_parked(rest)
    assert not writer.busy
    sending = spawn(writer.send, lambda: b"next")
    assert received(ends[1], len(frame) + 4) == frame + b"next"
    sending.wait()
    rest.wait()


def test_room_that_does_not_come_is_told(ends: Any) -> None:
    writer = FrameWriter(ends[0], 0.02)
    ends[0].settimeout(0.01)
    with pytest.raises(TimeoutError):
        writer.send(lambda: BIG)
    with pytest.raises(PeerStalledError):
        finish(writer)
