"""What the gunicorn worker knows of a client: how long it is waited for, and how it is cut off."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

pytest.importorskip("gunicorn")

from greening.ext.gunicorn_connection import (
    BODY,
    IDLE,
    TAKEN,
    WORKING,
    WRITING,
    BodySource,
    ClientSocket,
    Connection,
    Patience,
    TlsClientSocket,
)

DEFAULTS = Patience()


@pytest.fixture
def pair() -> Iterator[tuple[ClientSocket, socket.socket]]:
    """A client's socket as the worker has it, and the client's end."""
    accepted, client = socket.socketpair()
    with ClientSocket.of(accepted) as ours, client:
        yield ours, client


def test_limits_come_from_the_environment() -> None:
    environ = {"GREENING_GUNICORN_BODY_TIMEOUT": "2.5", "GREENING_GUNICORN_WRITE_TIMEOUT": ""}
    assert Patience.of(environ, DEFAULTS) == Patience(body_timeout=2.5)
    for text in ("x", "-1", "nan"):
        with pytest.raises(ValueError, match="GREENING_GUNICORN_BODY_RATE"):
            Patience.of({"GREENING_GUNICORN_BODY_RATE": text}, DEFAULTS)


def test_what_has_come_of_a_body_gives_it_more_time(pair: Any) -> None:
    ours, client = pair
    ours.connection.works()
    source = BodySource(ours, ours.connection, Patience(body_timeout=10, body_rate=100))
    client.sendall(b"x" * 500)
    assert source.recv(500) == b"x" * 500
    ours.connection.awaits(BODY)
    since = ours.connection.since
    assert not source.overdue(since + 14.9)
    assert source.overdue(since + 15.1)
    ours.connection.works()
    assert not source.overdue(since + 15.1)
    ours.connection.awaits(BODY)
    assert not BodySource(ours, ours.connection, Patience(body_timeout=0)).overdue(since + 1e6)


def test_writes_and_heads_have_limits() -> None:
    connection = Connection(socket.socket())
    since = connection.since
    assert connection.overdue(since + 10.1, DEFAULTS, keepalive=0) == "no request came"
    assert not connection.overdue(since + 10.1, DEFAULTS, keepalive=2)
    connection.state = WRITING
    assert "takes nothing" in connection.overdue(since + 60.1, DEFAULTS, keepalive=2)
    assert not connection.overdue(since + 60.1, Patience(write_timeout=0), keepalive=2)
    connection.sock.close()


def test_the_longest_idle_goes_first_and_then_the_slowest(pair: Any) -> None:
    def connection(state: str, kept: bool, waited: float) -> Connection:
        made = Connection(pair[0])
        made.kept = kept
        made.awaits(state, waited)
        return made

    expected = [
        connection(IDLE, True, 5),
        connection(IDLE, True, 1),
        connection(IDLE, False, 9),
        connection(TAKEN, True, 8),
        connection(BODY, True, 7),
        connection(WRITING, True, 6),
    ]
    now = expected[0].since + 5
    ranks = [it.rank(now) for it in expected]
    assert None not in ranks
    assert ranks == sorted(ranks, key=lambda rank: rank or (9, 0.0))
    assert connection(WORKING, True, 100).rank(now) is None
    assert connection(BODY, True, 0).rank(now) is None


def test_a_request_that_has_come_is_not_idle_any_more(pair: Any) -> None:
    ours, client = pair
    ours.connection.kept = True
    idle = ours.connection.rank(0)
    client.sendall(b"G")
    assert idle is not None
    assert ours.connection.rank(0) > idle
    assert ours.recv(1) == b"G"


@pytest.mark.parametrize("state", [BODY, TAKEN, WRITING])
def test_hanging_up_wakes_what_waits_for_the_client(pair: Any, state: str) -> None:
    ours, _ = pair
    ours.connection.works()
    source = BodySource(ours, ours.connection, DEFAULTS)
    outcome: list[Any] = []

    def wait() -> None:
        try:
            if state == WRITING:
                ours.sendall(b"x" * 10_000_000)
            else:
                outcome.append((source if state == BODY else ours).recv(100))
        except OSError as error:
            outcome.append(type(error))

    thread = Thread(target=wait)
    thread.start()
    while ours.connection.state != state:
        pass
    ours.connection.hang_up("enough")
    thread.join(20)
    assert outcome == {BODY: [ConnectionResetError], TAKEN: [b""], WRITING: [BrokenPipeError]}[state]
    assert ours.connection.state == WORKING
    with pytest.raises(ConnectionResetError, match="enough"):
        source.recv(1)
    with pytest.raises(BrokenPipeError, match="enough"):
        ours.send(b"x")
    assert ours.connection.rank(1e9) is None


def test_everything_is_sent_in_pieces(pair: Any, tmp_path: Path) -> None:
    ours, client = pair
    data = bytes(range(256)) * 4000
    (tmp_path / "file").write_bytes(data)
    came: list[bytes] = []

    def read() -> None:
        while some := client.recv(1 << 20):
            came.append(some)

    thread = Thread(target=read)
    thread.start()
    ours.sendall(memoryview(data).cast("I"))
    with open(tmp_path / "file", "rb") as file:
        assert ours.sendfile(file) == len(data)
        assert ours.sendfile(file, 10, 600_000) == 600_000
        assert file.tell() == 600_010
    assert ours.send(b"end") == 3
    ours.shutdown(socket.SHUT_WR)
    thread.join(20)
    assert b"".join(came) == data + data + data[10:600_010] + b"end"
    assert ours.connection.state == IDLE


def test_hanging_up_on_a_client_over_tls_does_not_give_up_the_encryption() -> None:
    accepted, client = socket.socketpair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = TlsClientSocket
    secured: Any = context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
    secured.connection = Connection(secured)
    secured.connection.hang_up("enough")
    with secured, client:
        assert client.recv(1) == b""
        with pytest.raises(OSError):
            secured.do_handshake()
        with pytest.raises(BrokenPipeError):
            secured.sendall(b"secret")
