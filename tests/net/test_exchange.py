"""Connections whose exchange was interrupted. Each test runs on TCP and on TLS, in the way that `recv` waits there."""

import gc
import ssl
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest
from greenlet import GreenletExit

from greening._core.greenthread import kill, spawn
from greening._core.waiting import sleep
from greening.net import exchange as exchanges
from greening.net.exchange import abort, abort_if_interrupted, exchange, mark_every_client
from greening.net.socket import GreenSocket
from greening.timeout import Timeout
from tests.net.test_tls import client_of, server_of

Pair = tuple[Any, Any]
Use = Callable[[Any], object]


@pytest.fixture(params=["tcp", "tls"])
def pair(request: pytest.FixtureRequest, tcp: Pair, keep: Any) -> Pair:
    if request.param == "tcp":
        return tcp
    accepting = spawn(server_of, request.getfixturevalue("server_context"), tcp[1])
    client = keep(client_of(request.getfixturevalue("client_context"), tcp[0]))
    return client, keep(accepting.wait(5))


def readline(sock: Any) -> bytes:
    with sock.makefile("rb") as file:
        line: bytes = file.readline()
    return line


def outcome(function: Callable[..., object], *args: object) -> object:
    """What the function returns, or the class of its error."""
    try:
        return function(*args)
    except OSError as error:
        return type(error)


READS: list[Use] = [lambda sock: sock.recv(10), lambda sock: sock.recv_into(bytearray(10)), readline]
REFUSED = "this connection was aborted: its exchange was interrupted by "


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("error", [Timeout(None), GreenletExit(), OSError("as one likes")])
def test_a_marked_socket_whose_read_is_interrupted_is_of_no_more_use(pair: Pair, read: Use, error: Exception) -> None:
    client, server = pair
    abort_if_interrupted(client)
    waiting = spawn(read, client)
    waiting.quiet = True
    sleep(0)
    kill(waiting, error)
    with pytest.raises(type(error)):
        waiting.wait()
    for use in (*READS, lambda sock: sock.send(b"x"), lambda sock: sock.sendall(b"x")):
        with pytest.raises(ConnectionAbortedError, match=REFUSED):
            use(client)
    assert outcome(server.recv, 1) in (b"", ssl.SSLEOFError)
    client.close()
    assert client.fileno() == -1


def test_the_error_says_what_interrupted_it_and_where(tcp: Pair) -> None:
    client, _ = tcp
    abort_if_interrupted(client)
    with Timeout(0.001, False):
        client.recv(1)  # here
    with pytest.raises(
        ConnectionAbortedError,
        match=rf"a Timeout of 0.001 seconds .silent. at .*{__name__.rpartition('.')[2]}.py:\d+; connect anew",
    ):
        client.recv(1)


def test_what_was_sent_half_is_of_no_more_use_either(tcp: Pair) -> None:
    client, _ = tcp
    abort_if_interrupted(client)
    writer = spawn(client.sendall, bytes(30_000_000))
    sleep(0)
    writer.kill()
    with pytest.raises(ConnectionAbortedError, match=REFUSED + "a kill"):
        client.send(b"x")


def test_a_socket_that_nobody_marked_goes_on(pair: Pair) -> None:
    client, server = pair
    with Timeout(0.001, False):
        client.recv(1)
    server.sendall(b"late")
    assert client.recv(4) == b"late"


def test_its_own_timeout_is_no_interruption(pair: Pair) -> None:
    client, server = pair
    abort_if_interrupted(client)
    client.settimeout(0.001)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(5)
    server.sendall(b"late")
    assert client.recv(4) == b"late"


def test_closing_is_no_interruption(pair: Pair) -> None:
    client, _ = pair
    abort_if_interrupted(client)
    waiting = spawn(client.recv, 1)
    waiting.quiet = True
    sleep(0)
    kind = type(client)
    client.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        waiting.wait(5)
    assert type(client) is kind


def test_another_reader_of_an_aborted_socket_finds_its_end(tcp: Pair) -> None:
    client, _ = tcp
    abort_if_interrupted(client)
    first, second = spawn(client.recv, 1), spawn(client.recv, 1)
    sleep(0)
    first.kill()
    assert second.wait(5) == b""


def test_an_error_that_leaves_an_exchange_aborts_the_connection(pair: Pair) -> None:
    client, _ = pair
    with exchange(client):
        client.sendall(b"question")
    client.sendall(b"!")
    with pytest.raises(KeyError), exchange(client):
        raise KeyError("no such answer")
    with pytest.raises(ConnectionAbortedError, match=REFUSED + "KeyError: 'no such answer' at "):
        client.sendall(b"?")


def test_a_timeout_anywhere_in_an_exchange_aborts_the_connection(tcp: Pair) -> None:
    client, server = tcp
    with Timeout(0.001, False), exchange(client):
        client.sendall(b"question")
        sleep(5)
    assert server.recv(8) == b"question"
    assert server.recv(1) == b""
    with pytest.raises(ConnectionAbortedError):
        client.recv(1)


def test_an_exchange_needs_a_socket() -> None:
    with pytest.raises(TypeError, match="a socket is needed, not 7"):
        exchange(7)


def test_to_abort_twice_or_what_is_closed_does_nothing(tcp: Pair) -> None:
    client, server = tcp
    abort(client, KeyError("first"))
    abort(client, KeyError("second"))
    with pytest.raises(ConnectionAbortedError, match="first"):
        client.recv(1)
    server.close()
    abort(server, KeyError("closed"))
    assert type(server) is GreenSocket


def test_every_client_is_marked_when_it_connects(listener: GreenSocket, keep: Any) -> None:
    mark_every_client(True)
    try:
        client = keep(GreenSocket())
        client.connect(listener.getsockname())
        server = keep(listener.accept()[0])
    finally:
        mark_every_client(False)
    with Timeout(0.001, False):
        client.recv(1)
    with pytest.raises(ConnectionAbortedError):
        client.recv(1)
    assert server.recv(1) == b""
    with Timeout(0.001, False):
        server.recv(1)


def test_nothing_is_kept_of_a_socket_that_is_gone() -> None:
    sock = GreenSocket()
    abort_if_interrupted(sock)
    abort(sock, KeyError())
    gone = ref(sock)
    sock.close()
    del sock
    gc.collect()
    assert gone() is None
    assert not any(each is None for each in exchanges._reasons)
