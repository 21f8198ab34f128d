"""Blocking streams send all and, with MSG_WAITALL, read all; sockets with a timeout do what they can at once."""

import array
import errno
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep, wait_readable
from greening.net.complete_io import send_rest, sendmsg_rest
from greening.net.socket import GreenSocket
from greening.testing import settle
from greening.timeout import Timeout

Pair = tuple[GreenSocket, GreenSocket]
Keep = Callable[[Any], Any]

BIG = 12_000_000  # more than a connection's buffers hold
ALL = socket.MSG_WAITALL


@pytest.fixture
def unix(keep: Keep) -> Pair:
    one, other = socket.socketpair()
    return keep(GreenSocket(fileno=one.detach())), keep(GreenSocket(fileno=other.detach()))


@pytest.fixture(params=["tcp", "unix"])
def pair(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.getfixturevalue(request.param)
    return found


def recv(sock: GreenSocket, size: int) -> bytes:
    return sock.recv(size, ALL)


def recv_into(sock: GreenSocket, size: int) -> bytes:
    buffer = array.array("i", bytes(size))
    got = sock.recv_into(buffer, flags=ALL)
    return buffer.tobytes()[:got]


def recv_into_part(sock: GreenSocket, size: int) -> bytes:
    buffer = bytearray(size + 10)
    got = sock.recv_into(buffer, size, ALL)
    assert not any(buffer[size:])
    return bytes(buffer[:got])


def recvfrom(sock: GreenSocket, size: int) -> bytes:
    return sock.recvfrom(size, ALL)[0]


def recvfrom_into(sock: GreenSocket, size: int) -> bytes:
    buffer = bytearray(size)
    return bytes(buffer[: sock.recvfrom_into(buffer, 0, ALL)[0]])


def recvmsg(sock: GreenSocket, size: int) -> bytes:
    data: bytes = sock.recvmsg(size, 0, ALL)[0]
    return data


def recvmsg_into(sock: GreenSocket, size: int) -> bytes:
    buffers = [bytearray(size - 3), bytearray(1), bytearray(), bytearray(2)]
    got = sock.recvmsg_into(buffers, 0, ALL)[0]
    return b"".join(buffers)[:got]


READS = [recv, recv_into, recv_into_part, recvfrom, recvfrom_into, recvmsg, recvmsg_into]
Read = Callable[[GreenSocket, int], bytes]


@pytest.mark.parametrize("read", READS)
def test_waitall_waits_for_all(read: Read, pair: Pair) -> None:
    one, other = pair
    for _ in range(2):
        reader = spawn(read, one, 8)
        for part in (b"1", b"23", b"45", b"678+"):
            sleep(0)
            assert not reader.dead
            other.send(part)
            settle()
        assert reader.wait(5) == b"12345678"
        assert one.recv(10) == b"+"


@pytest.mark.parametrize("read", READS)
def test_waitall_gives_what_came_before_the_end(read: Read, pair: Pair) -> None:
    one, other = pair
    reader = spawn(read, one, 8)
    sleep(0)
    other.send(b"12345")
    settle()
    other.close()
    assert reader.wait(5) == b"12345"
    assert read(one, 8) == b""


@pytest.mark.parametrize("read", READS)
def test_waitall_gives_what_came_before_an_error(read: Read, tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(read, server, 8)
    sleep(0)
    client.send(b"12345")
    settle()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert reader.wait(5) == b"12345"


@pytest.mark.parametrize("read", READS)
def test_with_a_timeout_waitall_gives_what_is_there(read: Read, pair: Pair) -> None:
    one, other = pair
    one.settimeout(5)
    other.send(b"123")
    assert read(one, 8) == b"123"


@pytest.mark.parametrize("extra", [socket.MSG_PEEK, socket.MSG_DONTWAIT])
def test_peeking_or_not_waiting_waitall_gives_what_is_there(extra: int, pair: Pair) -> None:
    one, other = pair
    other.send(b"123")
    wait_readable(one.fileno())
    assert one.recv(8, ALL | extra) == b"123"


def test_a_datagram_is_all_there_is(keep: Keep) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one, other = keep(GreenSocket(fileno=one.detach())), keep(GreenSocket(fileno=other.detach()))
    other.send(b"123")
    assert one.recv(8, ALL) == b"123"


@pytest.mark.parametrize(
    "write",
    [
        lambda sock: sock.send(bytes(BIG)),
        lambda sock: sock.send(bytearray(BIG)),
        lambda sock: sock.send(memoryview(array.array("i", bytes(BIG)))),
        lambda sock: sock.sendmsg([bytes(BIG - 1), b"", memoryview(b"x")]),
    ],
)
def test_a_blocking_stream_sends_all(write: Callable[[GreenSocket], int], pair: Pair) -> None:
    one, other = pair
    writer = spawn(write, one)
    got = 0
    while got < BIG:
        got += len(other.recv(1 << 20))
    assert writer.wait(5) == got == BIG


def test_with_a_timeout_a_stream_sends_what_there_is_room_for(pair: Pair) -> None:
    one, _ = pair
    one.settimeout(5)
    assert 0 < one.send(bytes(BIG)) < BIG


def test_not_waiting_a_stream_sends_what_there_is_room_for(pair: Pair) -> None:
    one, _ = pair
    assert 0 < one.send(bytes(BIG), socket.MSG_DONTWAIT) < BIG
    with pytest.raises(BlockingIOError):
        one.sendmsg([bytes(BIG)], [], socket.MSG_DONTWAIT)


def test_a_stream_that_breaks_half_way_has_sent_what_it_has(unix: Pair) -> None:
    one, other = unix
    writer = spawn(one.send, bytes(BIG))
    sleep(0)
    other.close()
    assert 0 < writer.wait(5) < BIG
    with pytest.raises(OSError) as caught:
        one.send(b"x")
    assert caught.value.errno == errno.EPIPE


def registered(pair: Pair) -> None:
    """Have the first socket wait once for its peer, so that it is armed and its events are fetched."""
    waiting = spawn(pair[0].recv, 1)
    sleep(0)
    pair[1].send(b"!")
    assert waiting.wait() == b"!"
    settle()


def test_send_that_was_cut_short_with_room_left_does_not_wait_for_room(pair: Pair) -> None:
    registered(pair)
    with Timeout(5):
        assert send_rest(pair[0], b"xabc", 1, 0) == 4
        assert sendmsg_rest(pair[0], [b"xd", b"ef"], 1, 0) == 4
    assert pair[1].recv(10) == b"abcdef"
