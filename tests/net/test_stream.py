"""recv, recv_into, send and sendall: short reads, flags, sends that are cut short, deadlines."""

import errno
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from greening._core.current import get_hub
from greening._core.greenthread import spawn
from greening._core.waiting import sleep, wait_readable
from greening._originals import raw_socket
from greening.net import stream
from greening.net.socket import GreenSocket
from greening.net.stream import _sendall_rest
from greening.testing import fake_time, settle
from greening.timeout import Timeout

Pair = tuple[GreenSocket, GreenSocket]
Keep = Callable[[Any], Any]


@pytest.fixture
def unix(keep: Keep) -> Pair:
    one, other = socket.socketpair()
    return keep(GreenSocket(fileno=one.detach())), keep(GreenSocket(fileno=other.detach()))


@pytest.fixture(params=["tcp", "unix"])
def pair(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.getfixturevalue(request.param)
    return found


def fill(sock: GreenSocket) -> int:
    """Send until there is no room; the number of bytes."""
    sent = 0
    with pytest.raises(BlockingIOError):
        while True:
            sent += sock.send(bytes(65536), socket.MSG_DONTWAIT)
    return sent


def registered(pair: Pair) -> None:
    """Have the first socket wait once for its peer, so that it is armed and its events are fetched."""
    waiting = spawn(pair[0].recv, 1)
    sleep(0)
    pair[1].send(b"!")
    assert waiting.wait() == b"!"
    settle()


# Short reads, and what must not be concluded from them


def test_after_a_short_read_the_next_one_parks_and_finds_what_comes(tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(lambda: [server.recv(100) for _ in range(3)])
    for message in (b"a", b"b", b"c"):
        sleep(0)
        client.send(message)
        settle()
    assert reader.wait(5) == [b"a", b"b", b"c"]


def test_after_a_short_read_the_end_is_seen(tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(server.recv, 100)
    sleep(0)
    client.send(b"x")
    client.close()
    assert reader.wait(5) == b"x"
    assert server.recv(100) == b""
    assert server.recv(100) == b""


def test_a_read_that_stops_at_urgent_data_does_not_count_as_short(tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(server.recv, 1)
    sleep(0)
    client.send(b"0")
    assert reader.wait(5) == b"0"
    client.send(b"12")
    client.send(b"!", socket.MSG_OOB)
    client.send(b"34")
    wait_readable(server.fileno())
    assert server.recv(100) == b"12"
    assert server.recv(1, socket.MSG_OOB) == b"!"
    assert server.recv(100) == b"34"


def test_after_a_short_read_a_view_that_is_filled_is_no_short_read(tcp: Pair) -> None:
    client, server = tcp
    registered((server, client))
    for size, short in ((4, True), (2, False)):
        client.send(b"ab")
        wait_readable(server.fileno())
        assert server.recv_into(memoryview(bytearray(size))) == 2
        assert get_hub().regs[server.fileno()].drained is short


@pytest.mark.parametrize("buffer", [bytearray(4), memoryview(bytearray(4))], ids=["bytearray", "memoryview"])
def test_a_reader_that_finds_its_data_taken_waits_on(buffer: Any, tcp: Pair) -> None:
    client, server = tcp
    readers = [spawn(server.recv_into, buffer), spawn(server.recv, 4)]
    for _ in range(2):
        sleep(0)
        client.send(b"take")
        raw_socket.recv(server, 4, socket.MSG_DONTWAIT)
        settle()
        assert not any(reader.dead for reader in readers)
    client.send(b"kept")
    assert readers[0].wait(5) == 4 and bytes(buffer) == b"kept"
    client.send(b"also")
    assert readers[1].wait(5) == b"also"


def test_nothing_is_concluded_from_short_reads_of_a_unix_socket(unix: Pair) -> None:
    one, other = unix
    registered((one, other))
    assert not get_hub().regs[one.fileno()].drained


# Flags


def test_peeking_takes_nothing(tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(server.recv, 10, socket.MSG_PEEK)
    sleep(0)
    client.send(b"peek")
    assert reader.wait(5) == b"peek"
    assert server.recv(2, socket.MSG_PEEK) == b"pe"
    assert server.recv(10) == b"peek"


def test_flags_may_be_the_stdlibs_enumeration(tcp: Pair) -> None:
    client, server = tcp
    assert client.send(b"x", socket.MSG_NOSIGNAL) == 1
    assert server.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"x"


@pytest.mark.parametrize("view", [bytearray, lambda size: memoryview(bytearray(size))])
def test_peeking_into_a_buffer_waits_and_takes_nothing(view: Callable[[int], Any], tcp: Pair) -> None:
    client, server = tcp
    for _ in range(2):  # the second time something is there
        buffer = view(10)
        reader = spawn(server.recv_into, buffer, 0, socket.MSG_PEEK)
        sleep(0)
        client.send(b"p")
        assert reader.wait(5) >= 1
    assert server.recv_into(view(10), 1) == 1
    assert server.recv(10) == b"p"


def test_a_size_of_0_means_all_the_buffer_has(tcp: Pair) -> None:
    client, server = tcp
    client.send(b"abcdef")
    buffer = bytearray(4)
    assert server.recv_into(buffer, 0) == 4
    assert server.recv_into(memoryview(buffer), 1) == 1
    assert buffer == b"ebcd"
    for wrong in (-1, 5):
        with pytest.raises(ValueError):
            server.recv_into(memoryview(buffer), wrong)


# Sending


def test_sendall_has_one_deadline_for_the_whole(unix: Pair) -> None:
    one, other = unix
    one.settimeout(50)

    def trickle() -> None:
        while True:
            sleep(7)
            other.recv(4096)

    with fake_time() as fake:
        reader = spawn(trickle)
        started = fake.clock.now()
        with pytest.raises(TimeoutError):
            one.sendall(bytes(1 << 24))
        reader.kill()
        assert fake.clock.now() - started == 50


def test_strings_are_not_sent(tcp: Pair) -> None:
    for method in (tcp[0].send, tcp[0].sendall):
        with pytest.raises(TypeError, match="bytes-like"):
            method("text")


def test_sendall_that_was_cut_short_with_room_left_does_not_wait_for_room(pair: Pair) -> None:
    registered(pair)
    with Timeout(5):
        _sendall_rest(pair[0], b"xabc", 1, 0)
    assert pair[1].recv(10) == b"abc"


def test_a_send_that_finds_no_room_waits_for_it(pair: Pair) -> None:
    one, other = pair
    size = fill(one)
    sending = spawn(one.send, b"tail")
    settle()
    assert not sending.dead
    while size:
        size -= len(other.recv(min(size, 65536)))
    assert sending.wait(5) == 4
    assert other.recv(10) == b"tail"


def test_sendall_that_must_not_wait_says_so_when_it_is_cut_short(pair: Pair) -> None:
    one, _ = pair
    with pytest.raises(BlockingIOError):
        one.sendall(bytes(12_000_000), socket.MSG_DONTWAIT)
    with pytest.raises(BlockingIOError):
        one.send(b"x", socket.MSG_DONTWAIT)


def test_sendall_whose_time_is_up_sends_no_more_although_there_is_room(unix: Pair) -> None:
    one, other = unix
    with fake_time() as fake:
        one.settimeout(5)
        real, calls = stream._send, []

        def slow(sock: Any, data: Any, flags: int) -> int:
            calls.append(len(data))
            fake.clock.advance(3)
            return real(sock, data[:1], flags)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stream, "_send", slow)
            with pytest.raises(TimeoutError, match=r"^timed out$"):
                _sendall_rest(one, b"abcdef", 1, 0)
    assert calls == [5, 4]
    assert other.recv(10) == b"bc"


def test_sendall_of_nothing_is_at_once(pair: Pair) -> None:
    one, other = pair
    size = fill(one)
    one.sendall(b"")
    one.sendall(memoryview(b""))
    one.shutdown(socket.SHUT_WR)
    while part := other.recv(65536):
        size -= len(part)
    assert size == 0


def test_an_os_thread_without_a_hub_reads_and_writes(tcp: Pair) -> None:
    client, server = tcp
    got: list[Any] = []

    def work() -> None:
        got.append(server.recv(10))
        got.append(server.recv_into(bytearray(10)))
        server.sendall(b"answer")

    thread = threading.Thread(target=work)
    client.sendall(b"one")
    thread.start()
    while not got:
        wait_readable(client.fileno(), 0.001)
    client.sendall(b"two")
    assert client.recv(10) == b"answer"
    thread.join(5)
    assert got == [b"one", 3]


@pytest.mark.parametrize("call", [lambda sock: sock.recv(1), lambda sock: sock.recv_into(bytearray(1))])
def test_a_read_without_greenlets_of_ours_makes_a_task(call: Callable[[GreenSocket], object], tcp: Pair) -> None:
    """A plain greenlet, which the engine has not made, is one as soon as it waits."""
    from greenlet import greenlet

    client, server = tcp
    got: list[object] = []
    plain = greenlet(lambda: got.append(call(server)))
    client.send(b"x")
    plain.switch()
    assert got in ([b"x"], [1])


def test_the_errors_are_those_of_the_system(unix: Pair) -> None:
    one, other = unix
    other.close()
    for call in (lambda: one.send(b"x"), lambda: one.sendall(b"x")):
        with pytest.raises(BrokenPipeError) as caught:
            call()
        assert caught.value.errno == errno.EPIPE
    assert os.strerror(errno.EPIPE) in str(caught.value)
