"""The bytes of a connection: long ones are not copied, time limits are those of writes, and its end is heard."""

import resource
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening.net.socket import GreenSocket
from greening.testing import settle
from greening.timeout import Timeout
from greening.wsgi.connection import SLICE, Connection
from greening.wsgi.limits import Limits


@pytest.fixture
def ends() -> Iterator[tuple[Connection, GreenSocket]]:
    ours, theirs = (GreenSocket(fileno=one.detach()) for one in socket.socketpair())
    with ours, theirs:
        connection = Connection(Limits(linger_timeout=0.02), ours)
        ours.settimeout(5)
        yield connection, theirs


def read(client: GreenSocket, size: int) -> bytes:
    data = b""
    with Timeout(10):
        while len(data) < size:
            data += client.recv(1 << 20)
    return data


@pytest.mark.parametrize("size", [0, 1, SLICE, SLICE + 1, 3 * SLICE + 17])
def test_head_body_and_tail_come_in_order(ends: Any, size: int) -> None:
    connection, client = ends
    body = bytes(number % 251 for number in range(size))
    sending = spawn(connection.send_parts, b"head", body, b"tail")
    assert read(client, size + 8) == b"head" + body + b"tail"
    sending.wait()


def test_a_long_body_is_not_copied_for_a_client_that_does_not_read(ends: Any) -> None:
    connection, client = ends
    body = bytes(64 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def send() -> None:
        with pytest.raises(OSError):
            connection.send_parts(b"head", body)

    sending = spawn(send)
    settle()
    assert not sending.dead
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10  # KiB
    client.close()
    sending.wait(5)
    assert connection.gone


def test_nothing_is_sent_on_a_connection_that_was_taken_over(ends: Any) -> None:
    connection, client = ends
    assert connection.take() is connection.sock
    assert connection.sock.gettimeout() is None
    connection.send(b"late")
    connection.sock.close()
    assert client.recv(10) == b""


def test_lingering_throws_away_what_comes_and_ends(ends: Any) -> None:
    connection, client = ends
    client.sendall(b"x" * 1000)
    connection.linger()
    assert client.recv(10) == b""


def test_a_wait_has_the_limit_that_it_was_given(ends: Any) -> None:
    connection, _ = ends
    connection.wait_at_most(0.01)
    with pytest.raises(TimeoutError):
        connection.sock.recv(1)
    connection.wait_at_most(-5)
    with pytest.raises(TimeoutError):
        connection.sock.recv(1)
