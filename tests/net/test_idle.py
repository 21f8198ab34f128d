"""A green thread that has not begun, and waits for bytes: it begins with them, with the end, and with the close."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from greening._core.current import current
from greening._core.greenthread import GreenThread
from greening._core.waiting import sleep
from greening.net.idle import Idle, no_longer_start, read_now, start_when_readable, waits_for_peer
from greening.net.socket import GreenSocket
from greening.sync.event import Event
from greening.testing import settle

Pair = Callable[..., tuple[GreenSocket, GreenSocket]]


@pytest.fixture(params=["tcp", "unix"])
def pair(request: pytest.FixtureRequest, keep: Any) -> tuple[GreenSocket, GreenSocket]:
    if request.param == "unix":
        first, second = socket.socketpair()
        return keep(GreenSocket(fileno=first.detach())), keep(GreenSocket(fileno=second.detach()))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return keep(GreenSocket(fileno=near.detach())), keep(GreenSocket(fileno=far.detach()))


def thread_of(func: Callable[[], Any]) -> GreenThread[Any]:
    return GreenThread(current().hub, func, (), {})


def test_it_begins_when_bytes_come_and_not_before(pair: Any) -> None:
    near, far = pair
    thread = thread_of(lambda: near.recv(10))
    assert start_when_readable(thread, near)
    settle()
    assert not thread.started
    assert not thread.dead
    far.sendall(b"hello")
    assert thread.wait(5) == b"hello"


def test_it_does_so_after_reads_that_took_all_there_was(pair: Any) -> None:
    near, far = pair
    for turn in range(3):
        far.sendall(b"%d" % turn)
        assert near.recv(100) == b"%d" % turn
        thread = thread_of(lambda: near.recv(10))
        assert start_when_readable(thread, near)
        settle()
        assert not thread.started
        far.sendall(b"more")
        assert thread.wait(5) == b"more"


def test_bytes_that_are_there_already_are_told(pair: Any) -> None:
    near, far = pair
    far.sendall(b"early")
    settle()
    thread = thread_of(lambda: None)
    assert not start_when_readable(thread, near)
    assert near.recv(2) == b"ea"
    assert not start_when_readable(thread, near)
    assert near.recv(100) == b"rly"
    assert start_when_readable(thread, near)
    assert no_longer_start(thread, near)
    thread.cancel()


def test_the_end_of_the_stream_starts_it(pair: Any) -> None:
    near, far = pair
    thread = thread_of(lambda: near.recv(10))
    assert start_when_readable(thread, near)
    far.close()
    assert thread.wait(5) == b""


def test_a_socket_that_is_closed_starts_it_and_it_finds_that(pair: Any) -> None:
    near, _ = pair

    def read() -> str:
        with pytest.raises(OSError, match="Bad file descriptor"):
            near.recv(10)
        return "found"

    thread = thread_of(read)
    assert start_when_readable(thread, near)
    near.close()
    assert thread.wait(5) == "found"
    with pytest.raises(OSError, match="Bad file descriptor"):
        start_when_readable(thread_of(read), near)


def test_one_that_is_killed_before_it_begins_never_runs(pair: Any) -> None:
    near, far = pair
    thread = thread_of(lambda: near.recv(10))
    assert start_when_readable(thread, near)
    thread.kill()
    assert thread.dead
    far.sendall(b"x")
    settle()
    assert near.recv(10) == b"x"


def test_one_that_was_taken_back_is_not_started(pair: Any) -> None:
    near, far = pair
    thread = thread_of(lambda: near.recv(10))
    assert start_when_readable(thread, near)
    assert no_longer_start(thread, near)
    assert not no_longer_start(thread, near)
    far.sendall(b"x")
    settle()
    assert not thread.started
    thread.cancel()
    assert thread.dead


def test_who_waits_for_its_peer(pair: Any) -> None:
    near, far = pair
    reading = thread_of(lambda: near.recv(1))
    sleeping = thread_of(Event().wait)
    hub = current().hub
    hub.ready.append(reading)
    hub.ready.append(sleeping)
    sleep(0)
    assert waits_for_peer(reading, near)
    assert not waits_for_peer(sleeping, near)
    assert not waits_for_peer(reading, far)
    far.sendall(b"x")
    assert reading.wait() == b"x"
    assert not waits_for_peer(reading, near)
    sleeping.kill()


def test_what_has_come_is_read_without_a_wait(pair: Any) -> None:
    near, far = pair
    assert read_now(near, 10) is None
    far.sendall(b"abc")
    settle()
    assert read_now(near, 2) == b"ab"
    assert read_now(near, 2) == b"c"
    far.close()
    settle()
    assert read_now(near, 2) == b""


def test_an_idle_of_one_s_own_says_what_goes_on() -> None:
    idle = Idle(5)
    assert (idle.timeout, idle.eager, idle.over) == (5, False, False)
    assert idle.shut_down()
    idle.dismiss("no matter")
    with pytest.raises(NotImplementedError):
        idle.resume()
