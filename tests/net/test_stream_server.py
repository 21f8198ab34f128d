"""StreamServer: start, stop, and what handlers and clients do to it."""

import errno
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from greening._core import greenthread
from greening._core.greenthread import spawn
from greening.errors import GreenletExit, StopServe
from greening.net.convenience import connect, listen
from greening.net.idle import Idle
from greening.net.stream_server import StreamServer
from greening.net.tls import GreenSSLSocket
from greening.pool.greenpool import GreenPool
from greening.sync.event import Event
from greening.testing import settle, wait_until_parked

Keep = Callable[[Any], Any]
HERE = ("127.0.0.1", 0)


def echo(connection: Any, address: Any) -> None:
    while data := connection.recv(100):
        connection.sendall(data)


def ask(address: Any, what: bytes) -> bytes:
    with connect(address) as client:
        client.sendall(what)
        return client.recv(100)


def test_serves_after_start_and_not_after_stop(keep: Keep) -> None:
    server = StreamServer(HERE, echo)
    server.start()
    server.start()
    assert ask(server.address, b"hello") == b"hello"
    server.stop()
    assert server.closed and server.listener.fileno() < 0
    with pytest.raises(ConnectionRefusedError):
        connect(server.address)
    with pytest.raises(RuntimeError):
        server.start()
    server.stop()


def test_a_unix_socket_and_a_listener_of_the_callers(tmp_path: Path) -> None:
    server = StreamServer(tmp_path / "socket", echo)
    server.start()
    with connect(server.address, socket.AF_UNIX) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    server.stop()
    server = StreamServer(listen(HERE), echo)
    server.start()
    assert ask(server.address, b"x") == b"x"
    server.stop()


def test_stop_waits_for_handlers(keep: Keep) -> None:
    begun, go_on = Event(), Event()
    served: list[bytes] = []

    def handle(connection: Any, address: Any) -> None:
        begun.send()
        go_on.wait()
        served.append(connection.recv(10))

    server = StreamServer(HERE, handle)
    server.start()
    client = keep(connect(server.address))
    client.sendall(b"in flight")
    begun.wait()
    stopping = spawn(server.stop)
    wait_until_parked(stopping)
    go_on.send()
    stopping.wait(5)
    assert served == [b"in flight"]


@pytest.mark.parametrize("timeout", [0, 0.002])
def test_stop_kills_handlers_that_take_too_long(timeout: float, keep: Keep) -> None:
    begun = Event()
    ends: list[BaseException] = []

    def handle(connection: Any, address: Any) -> None:
        begun.send()
        try:
            Event().wait()
        except BaseException as end:
            ends.append(end)
            raise

    server = StreamServer(HERE, handle)
    server.start()
    client = keep(connect(server.address))
    begun.wait()
    server.stop(timeout)
    assert [type(end) for end in ends] == [GreenletExit]
    assert client.recv(1) == b""


def test_a_handlers_exception_is_reported_and_ends_its_connection_only(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[BaseException] = []
    monkeypatch.setattr(greenthread, "report_unhandled", lambda error, thread: reported.append(error))

    def handle(connection: Any, address: Any) -> None:
        if connection.recv(10) == b"fail":
            raise ValueError("as asked")
        connection.sendall(b"well")

    server = StreamServer(HERE, handle)
    server.start()
    assert ask(server.address, b"fail") == b""
    assert ask(server.address, b"x") == b"well"
    assert [str(error) for error in reported] == ["as asked"]
    server.stop()


def test_stop_serve_and_stop_in_a_handler_end_it(keep: Keep) -> None:
    def handle(connection: Any, address: Any) -> None:
        if connection.recv(10) == b"stop":
            server.stop()
        else:
            raise StopServe

    for what in (b"stop", b"raise"):
        server = StreamServer(HERE, handle)
        serving = spawn(server.serve_forever)
        wait_until_parked(serving)
        assert ask(server.address, what) == b""
        serving.wait(5)
        assert server.closed


def test_a_server_that_is_stopped_before_it_accepts_ends_quietly() -> None:
    server = StreamServer(HERE, echo)
    serving = spawn(server.serve_forever)
    wait_until_parked(serving)  # what accepts has not begun
    server.stop()
    assert serving.wait(5) is None


def test_a_handler_that_is_killed_before_it_begins_leaves_no_connection_open(keep: Keep) -> None:
    ran: list[Any] = []

    def stop(connection: Any, address: Any) -> None:
        ran.append(address)
        server.stop(0)

    server = StreamServer(HERE, stop)
    clients = [keep(connect(server.address)) for _ in range(2)]
    server.start()
    assert [client.recv(1) for client in clients] == [b"", b""]
    assert len(ran) == 1


def test_two_handlers_that_stop_the_server_do_not_wait_for_each_other(keep: Keep) -> None:
    both = Event()
    ready: list[Any] = []

    def stop(connection: Any, address: Any) -> None:
        ready.append(address)
        if len(ready) == 2:
            both.send()
        both.wait()
        server.stop()

    server = StreamServer(HERE, stop)
    server.start()
    clients = [keep(connect(server.address)) for _ in range(2)]
    assert [client.recv(1) for client in clients] == [b"", b""]
    server.stop()


def test_serve_forever_raises_when_accept_fails_for_good(keep: Keep) -> None:
    server = StreamServer(HERE, echo)
    serving = spawn(server.serve_forever)
    serving.quiet = True
    wait_until_parked(serving)
    server.listener.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        serving.wait(5)


def test_no_more_connections_at_once_than_asked(keep: Keep) -> None:
    pool = GreenPool(1)
    server = StreamServer(HERE, echo, pool=pool)
    server.start()
    first, second = keep(connect(server.address)), keep(connect(server.address))
    first.sendall(b"1")
    second.sendall(b"2")
    assert first.recv(1) == b"1" and pool.running() == 1
    first.close()
    assert second.recv(1) == b"2"
    second.close()
    server.stop()


@pytest.fixture
def contexts(authority: trustme.CA) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client.sslsocket_class = GreenSSLSocket
    authority.configure_trust(client)
    authority.issue_cert("localhost").configure_cert(server)
    return client, server


def test_tls_with_its_handshake_in_the_connections_own_green_thread(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], authority: trustme.CA, keep: Keep
) -> None:
    context, server_context = contexts
    context.set_alpn_protocols(["http/1.1"])
    server_context.set_alpn_protocols(["http/1.1"])
    names: list[str | None] = []
    server_context.sni_callback = lambda sock, name, context: names.append(name)
    server = StreamServer(HERE, echo, ssl_context=server_context, handshake_timeout=0.1)
    server.start()
    silent, nonsense = keep(connect(server.address)), keep(connect(server.address))
    nonsense.sendall(b"GET / HTTP/1.0\r\n\r\n")
    with context.wrap_socket(connect(server.address), server_hostname="localhost") as client:
        assert client.selected_alpn_protocol() == "http/1.1"
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
        before = client.getpeercert(True)
    assert names == ["localhost"]
    assert server_context.sslsocket_class is ssl.SSLSocket  # it is the caller's
    assert silent.recv(1) == b""  # the deadline
    # Another certificate, for the clients from now on.
    other = trustme.CA()
    other.issue_cert("localhost").configure_cert(server_context)
    other.configure_trust(context)
    with context.wrap_socket(connect(server.address), server_hostname="localhost") as client:
        assert client.getpeercert(True) not in (before, None)
        # OpenSSL 3.5 and later write session tickets as late as the first read: to a client that has left, in vain.
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
    server.stop(1)


def test_the_longest_handshake_goes_when_there_is_no_room(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], keep: Keep
) -> None:
    context, server_context = contexts
    server = StreamServer(HERE, echo, ssl_context=server_context, handshake_timeout=None, concurrency=2)
    server.start()
    silent, half = keep(connect(server.address)), keep(connect(server.address))
    half.sendall(b"\x16\x03\x01\x02\x00\x01")
    settle()
    with context.wrap_socket(connect(server.address), server_hostname="localhost") as client:
        assert silent.recv(1) == b""
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
        with context.wrap_socket(connect(server.address), server_hostname="localhost") as second:
            assert half.recv(1) == b""
            second.sendall(b"hello")
            assert second.recv(10) == b"hello"
    server.stop(1)


def test_closing_while_a_connection_waits_for_a_place_closes_that_too(keep: Keep) -> None:
    server = StreamServer(HERE, echo, concurrency=1)
    server.start()
    first, second = keep(connect(server.address)), keep(connect(server.address))
    first.sendall(b"1")
    assert first.recv(1) == b"1"
    settle()
    server.close()
    assert second.recv(1) == b""
    first.sendall(b"2")  # and those that are served go on
    assert first.recv(1) == b"2"
    first.close()
    server.stop()


def test_a_connection_that_fails_to_close_is_over_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[BaseException] = []
    monkeypatch.setattr(greenthread, "report_unhandled", lambda error, thread: reported.append(error))

    def handle(connection: Any, address: Any) -> None:
        connection.sendall(b"served")
        really, connection.close = connection.close, fail
        really()

    def fail() -> None:
        raise OSError(errno.EIO, "cannot be closed")

    server = StreamServer(HERE, handle)
    server.start()
    assert ask(server.address, b"") == b"served"
    server.stop()
    assert not reported


def test_a_preface_comes_before_everything_and_says_whose_the_connection_is(keep: Keep) -> None:
    seen: list[Any] = []

    def preface(connection: Any, address: Any) -> Any:
        return ("somebody", 1) if connection.recv(1) == b"+" else None

    server = StreamServer(HERE, lambda connection, address: seen.append((address, connection.recv(9))), preface=preface)
    server.start()
    assert ask(server.address, b"+rest") == b""
    assert ask(server.address, b"-") == b""
    server.stop()
    assert seen == [(("somebody", 1), b"rest")]


def test_a_preface_that_waits_is_no_handler_that_stop_waits_for_without_end(keep: Keep) -> None:
    server = StreamServer(HERE, echo, preface=lambda connection, address: connection.recv(1))
    server.start()
    client = keep(connect(server.address))
    settle()
    server.stop(0)
    assert client.recv(1) == b""


def test_a_connection_that_is_new_when_the_listener_is_closed_may_still_ask(keep: Keep) -> None:
    class Echoing(Idle):
        def __init__(self, connection: Any) -> None:
            super().__init__()
            self.connection = connection

        def resume(self) -> Idle | None:
            self.connection.sendall(self.connection.recv(9))
            return None

    begun: Event[None] = Event()
    server = StreamServer(
        HERE, lambda connection, _: Echoing(connection), preface=lambda _, address: begun.wait() or address
    )
    server.start()
    client = keep(connect(server.address))
    settle()
    assert (server.new, server.idle) == (1, 0)
    server.close()
    begun.send()
    settle()
    assert (server.new, server.idle) == (0, 1)
    client.sendall(b"late")
    assert client.recv(9) == b"late"
    server.stop()


def test_its_repr_says_where_it_is_and_what_it_does(keep: Keep) -> None:
    server = keep(StreamServer(("127.0.0.1", 0), lambda connection, address: connection.recv(1)))
    host, port = server.address
    assert repr(server).endswith(f" address=('{host}', {port}) not started connections=0 idle=0>")
    server.start()
    with connect(server.address) as client:
        settle()
        wait_until_parked(next(iter(server._places.taken)).thread)
        assert repr(server).endswith(" accepting connections=1 idle=0>")
        client.sendall(b"x")
    server.stop()
    assert repr(server).endswith(" closed connections=0 idle=0>")
