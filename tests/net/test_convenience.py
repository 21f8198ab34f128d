"""eventlet's short-cuts: connect, listen and serve."""

import contextlib
import errno
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from greening._core.greenthread import spawn
from greening.errors import GreenletExit, StopServe
from greening.net import convenience
from greening.net.convenience import connect, listen, serve
from greening.net.socket import GreenSocket
from greening.net.tls import GreenSSLSocket
from greening.sync.event import Event
from greening.testing import settle, wait_until_parked

Keep = Callable[[Any], Any]


def accepted(listener: GreenSocket, keep: Keep) -> GreenSocket:
    sock: GreenSocket = keep(listener.accept()[0])
    return sock


def test_a_client_and_a_listener(keep: Keep) -> None:
    listener = keep(listen(("127.0.0.1", 0)))
    client = keep(connect(listener.getsockname()))
    server = accepted(listener, keep)
    assert {type(sock) for sock in (listener, client, server)} == {GreenSocket}
    assert client.getpeername() == listener.getsockname() == server.getsockname()


def test_by_name(keep: Keep) -> None:
    listener = keep(listen(("localhost", 0)))
    keep(connect(("localhost", listener.getsockname()[1])))


def test_a_path(keep: Keep, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    listener = keep(listen(path, socket.AF_UNIX))
    client = keep(connect(path, socket.AF_UNIX))
    client.sendall(b"x")
    assert accepted(listener, keep).recv(1) == b"x"
    with pytest.raises(OSError) as caught:
        listen(path, family=socket.AF_UNIX)
    assert caught.value.errno == errno.EADDRINUSE


def test_a_thousand_clients_fit_into_the_backlog(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    listen_for_real = GreenSocket.listen

    def note(sock: GreenSocket, backlog: int) -> None:
        asked.append(backlog)
        listen_for_real(sock, backlog)

    monkeypatch.setattr(GreenSocket, "listen", note)
    keep(listen(("127.0.0.1", 0)))
    keep(listen(("127.0.0.1", 0), socket.AF_INET, 7))
    assert asked == [1024, 7]


def test_the_own_address(keep: Keep) -> None:
    listener = keep(listen(("127.0.0.1", 0)))
    client = keep(connect(listener.getsockname(), bind=("127.0.0.1", 0)))
    assert client.getsockname()[0] == "127.0.0.1"


def test_a_connection_that_fails_leaves_nothing_open(keep: Keep) -> None:
    sock = keep(GreenSocket())
    sock.bind(("127.0.0.1", 0))
    with pytest.raises(ConnectionRefusedError):
        connect(sock.getsockname())
    with pytest.raises(OSError):
        connect(sock.getsockname(), bind=("192.0.2.1", 0))


def test_options_only_as_asked_for(keep: Keep) -> None:
    def options(sock: GreenSocket) -> tuple[bool, bool]:
        get = sock.getsockopt
        return (
            bool(get(socket.SOL_SOCKET, socket.SO_REUSEADDR)),
            bool(get(socket.SOL_SOCKET, socket.SO_REUSEPORT)),
        )

    here = ("127.0.0.1", 0)
    assert options(keep(listen(here))) == (True, False)
    assert options(keep(listen(here, reuse_addr=False))) == (False, False)
    shared = keep(listen(here, reuse_port=True))
    assert options(shared) == (True, True)
    keep(listen(shared.getsockname(), reuse_port=True))
    with pytest.raises(OSError) as caught:
        listen(shared.getsockname())
    assert caught.value.errno == errno.EADDRINUSE


# serve


def echo(sock: Any, _: Any) -> None:
    while data := sock.recv(100):
        if data == b"stop":
            raise StopServe
        if data == b"fail":
            raise RuntimeError("a handler's")
        sock.sendall(data)


def ask(listener: GreenSocket, data: bytes) -> bytes:
    with connect(listener.getsockname()) as client:
        client.sendall(data)
        return client.recv(100)


@pytest.fixture
def here(keep: Keep) -> GreenSocket:
    listener: GreenSocket = keep(listen(("127.0.0.1", 0)))
    return listener


def test_every_connection_has_a_green_thread_of_its_own(here: GreenSocket, keep: Keep) -> None:
    serving = spawn(serve, here, echo)
    clients = [keep(connect(here.getsockname())) for _ in range(5)]
    for number, client in reversed(list(enumerate(clients))):
        client.sendall(b"%d" % number)
        assert client.recv(10) == b"%d" % number
    serving.kill()
    for client in clients:
        client.close()
    settle()


def test_a_handler_that_returns_closes_its_connection(here: GreenSocket) -> None:
    serving = spawn(serve, here, lambda sock, address: sock.sendall(repr(address).encode()))
    with connect(here.getsockname()) as client:
        assert client.recv(100) == repr(client.getsockname()).encode()
        assert client.recv(100) == b""
    serving.kill()


def test_stop_serve_makes_it_return(here: GreenSocket) -> None:
    serving = spawn(serve, here, echo)
    assert ask(here, b"stop") == b""
    assert serving.wait(5) is None


def test_a_handlers_exception_is_that_of_serve(here: GreenSocket) -> None:
    serving = spawn(serve, here, echo)
    serving.quiet = True
    assert ask(here, b"fail") == b""
    with pytest.raises(RuntimeError, match="a handler's"):
        serving.wait(5)


def test_stop_serve_reaches_it_also_when_it_waits_for_a_place(here: GreenSocket, keep: Keep) -> None:
    serving = spawn(serve, here, echo, 1)
    first, second = (keep(connect(here.getsockname())) for _ in range(2))
    settle()
    first.sendall(b"stop")
    assert serving.wait(5) is None
    assert second.recv(1) == b""  # the one that waited is not forgotten


def test_no_more_handlers_than_asked_for(here: GreenSocket, keep: Keep) -> None:
    most, now, gate = [0], [0], Event()

    def handle(_: Any, __: Any) -> None:
        now[0] += 1
        most[0] = max(most[0], now[0])
        gate.wait()
        now[0] -= 1

    serving = spawn(serve, here, handle, 3)
    clients = [keep(connect(here.getsockname())) for _ in range(8)]
    settle()
    assert now[0] == 3
    gate.send()
    for client in clients:
        assert client.recv(1) == b""
    assert most[0] == 3
    serving.kill()


def test_handlers_outlive_serve_and_what_they_raise_is_only_reported(
    here: GreenSocket, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[BaseException] = []
    monkeypatch.setattr(convenience, "report_unhandled", lambda error, thread: reported.append(error))
    survivors = [keep(connect(here.getsockname())) for _ in range(2)]
    stopper = spawn(lambda: (settle(), ask(here, b"stop")))
    serve(here, echo)  # in the main greenlet
    stopper.wait(5)
    survivors[0].sendall(b"fail")
    survivors[1].sendall(b"still there")
    assert survivors[0].recv(1) == b""
    assert survivors[1].recv(100) == b"still there"
    survivors[1].sendall(b"stop")
    assert survivors[1].recv(1) == b""
    settle()
    assert [str(error) for error in reported] == ["a handler's"]


def test_of_two_failing_handlers_one_ends_serve_and_one_is_reported(
    here: GreenSocket, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[BaseException] = []
    monkeypatch.setattr(convenience, "report_unhandled", lambda error, thread: reported.append(error))
    gate = Event()

    def handle(_: Any, __: Any) -> None:
        gate.wait()
        raise RuntimeError

    serving = spawn(serve, here, handle)
    serving.quiet = True
    clients = [keep(connect(here.getsockname())) for _ in range(2)]
    settle()
    gate.send()
    with pytest.raises(RuntimeError):
        serving.wait(5)
    assert [client.recv(1) for client in clients] == [b"", b""]
    assert len(reported) == 1


def test_a_killed_handler_ends_nothing_but_its_connection(here: GreenSocket, keep: Keep) -> None:
    def handle(sock: Any, _: Any) -> None:
        sock.recv(1)
        raise GreenletExit

    serving = spawn(serve, here, handle)
    assert ask(here, b"x") == b""
    assert ask(here, b"x") == b""
    assert not serving.dead
    serving.kill()


def test_closing_the_listener_ends_it(here: GreenSocket) -> None:
    serving = spawn(serve, here, echo)
    serving.quiet = True
    wait_until_parked(serving)
    here.close()
    with pytest.raises(OSError) as caught:
        serving.wait(5)
    assert caught.value.errno == errno.EBADF


def test_serve_goes_on_after_passing_troubles_of_accept(here: GreenSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    real, errors = GreenSocket.accept, [errno.ECONNABORTED, errno.EPROTO]

    def accept(sock: GreenSocket) -> Any:
        if errors:
            raise OSError(errors.pop(), "passing")
        return real(sock)

    monkeypatch.setattr(GreenSocket, "accept", accept)
    serving = spawn(serve, here, echo)
    assert ask(here, b"alive") == b"alive"
    serving.kill()
    settle()


# serve, over TLS


def test_a_tls_client_is_served_while_others_are_silent_or_talk_nonsense(
    here: GreenSocket, keep: Keep, authority: trustme.CA
) -> None:
    client_context, server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client_context.sslsocket_class = server_context.sslsocket_class = GreenSSLSocket
    authority.configure_trust(client_context)
    authority.issue_cert("localhost").configure_cert(server_context)
    listener = keep(server_context.wrap_socket(here, server_side=True))
    troubles: list[Any] = []
    serving = spawn(serve, listener, lambda sock, address: (troubles.append(sock), echo(sock, address)))
    silent = keep(connect(listener.getsockname()))
    nonsense = keep(connect(listener.getsockname()))
    nonsense.sendall(b"GET / HTTP/1.0\r\n\r\n")
    with contextlib.suppress(ConnectionResetError):
        while nonsense.recv(100):
            pass
    with client_context.wrap_socket(connect(listener.getsockname()), server_hostname="localhost") as client:
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
    assert len(troubles) == 1  # the handler never saw the others
    assert not serving.dead
    silent.close()
    serving.kill()
    settle()


class Unclosable:
    """A listener whose connections cannot be closed without an error."""

    def __init__(self, listener: GreenSocket) -> None:
        self.listener = listener

    def accept(self) -> Any:
        connection, address = self.listener.accept()
        return UnclosableConnection(connection), address

    def close(self) -> None:
        self.listener.close()


class UnclosableConnection:
    def __init__(self, connection: GreenSocket) -> None:
        self.recv, self.sendall = connection.recv, connection.sendall
        self._connection = connection

    def close(self) -> None:
        self._connection.close()
        raise OSError(errno.EIO, "cannot be closed")


def test_a_connection_that_fails_to_close_is_over_all_the_same(here: GreenSocket) -> None:
    serving = spawn(serve, Unclosable(here), lambda sock, address: sock.sendall(b"served"))
    for _ in range(2):
        assert ask(here, b"") == b"served"
    assert not serving.dead
    serving.kill()
    settle()
