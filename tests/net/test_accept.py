"""The accept loop: errors that pass, errors that do not, handshakes, contexts of servers."""

import errno
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from greening._core.greenthread import kill, spawn
from greening._core.waiting import sleep
from greening.net import accept
from greening.net.accept import Acceptor
from greening.net.accept import server_context as context_of_server
from greening.net.convenience import connect
from greening.net.socket import GreenSocket
from greening.net.tls import GreenSSLSocket
from greening.testing import fake_time, wait_until_parked

Pair = tuple[GreenSocket, GreenSocket]
Keep = Callable[[Any], Any]


class Faulty:
    """A listener whose `accept` fails a few times."""

    def __init__(self, listener: GreenSocket, *errors: int) -> None:
        self.listener = listener
        self.errors = list(errors)

    def accept(self) -> Any:
        if self.errors:
            raise OSError(self.errors.pop(0), "faulty")
        return self.listener.accept()


@pytest.mark.parametrize("errors", [(errno.EMFILE, errno.ENFILE, errno.ENOMEM), (errno.ECONNABORTED, errno.EPROTO)])
def test_passing_troubles_of_accept_are_survived_and_told_once(
    errors: tuple[int, ...], listener: GreenSocket, keep: Keep, caplog: pytest.LogCaptureFixture
) -> None:
    client = keep(connect(listener.getsockname()))
    acceptor = Acceptor(Faulty(listener, *errors))
    with fake_time() as fake:
        before = fake.clock.now()
        server, address = acceptor.accept()
        rests = errno.EMFILE in errors
        paused = accept._SHORT_PAUSE + (len(errors) - 1) * accept._PAUSE if rests else 0
        assert fake.clock.now() - before == pytest.approx(paused)
    keep(server)
    assert address == client.getsockname()
    assert [record.message.split(";")[0] for record in caplog.records] == (
        [f"accept: {os.strerror(errno.EMFILE)}"] if rests else []
    )


def test_the_next_time_room_runs_out_is_told_again(
    listener: GreenSocket, keep: Keep, caplog: pytest.LogCaptureFixture
) -> None:
    faulty = Faulty(listener)
    acceptor = Acceptor(faulty)
    with fake_time():
        for expected in (1, 2):
            faulty.errors += [errno.EMFILE, errno.ENFILE]
            keep(connect(listener.getsockname()))
            keep(acceptor.accept()[0])
            assert len(caplog.records) == expected


def test_errors_of_the_listener_are_raised(listener: GreenSocket) -> None:
    with pytest.raises(OSError) as caught:
        Acceptor(Faulty(listener, errno.EINVAL)).accept()
    assert caught.value.errno == errno.EINVAL
    listener.close()
    with pytest.raises(OSError) as caught:
        Acceptor(listener).accept()
    assert caught.value.errno == errno.EBADF


def test_an_accept_that_waits_can_be_killed(listener: GreenSocket) -> None:
    waiting = spawn(Acceptor(listener).accept)
    wait_until_parked(waiting)
    kill(waiting)
    assert waiting.dead


# TLS


def test_an_ordinary_listener_has_no_tls_unless_a_context_says_so(
    listener: GreenSocket, server_context: ssl.SSLContext
) -> None:
    assert not Acceptor(listener).tls
    assert Acceptor(listener, server_context).tls


def test_connections_of_a_tls_listener_shake_hands_in_secure_and_not_in_accept(
    listener: GreenSocket, keep: Keep, authority: trustme.CA, client_context: ssl.SSLContext
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = GreenSSLSocket
    authority.issue_cert("localhost").configure_cert(context)
    acceptor = Acceptor(keep(context.wrap_socket(listener, server_side=True)), handshake_timeout=5)
    assert acceptor.tls

    def ask() -> bytes:
        with client_context.wrap_socket(connect(address), server_hostname="localhost") as client:
            return client.recv(10)

    address = acceptor.listener.getsockname()
    client_context.sslsocket_class = GreenSSLSocket
    try:
        asking = spawn(ask)
        connection, _ = acceptor.accept()
        assert type(connection) is GreenSocket  # plain so far
        with acceptor.secure(connection) as secured:
            assert type(secured) is GreenSSLSocket
            assert secured.gettimeout() is None  # the deadline was the handshake's
            secured.sendall(b"hello")
            assert asking.wait(5) == b"hello"
    finally:
        client_context.sslsocket_class = ssl.SSLSocket


def test_nonsense_instead_of_a_handshake_closes_the_connection(tcp: Pair, server_context: ssl.SSLContext) -> None:
    client, server = tcp
    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert Acceptor(None, server_context, 5).secure(server) is None
    assert server.fileno() == -1


def test_a_silent_client_is_dropped_after_the_timeout_of_the_handshake(
    tcp: Pair, server_context: ssl.SSLContext
) -> None:
    client, server = tcp
    with fake_time() as fake:
        before = fake.clock.now()
        assert Acceptor(None, server_context, 10).secure(server) is None
        assert fake.clock.now() - before == pytest.approx(10)
        assert client.recv(10) == b""


PLAINLY = b"this port speaks TLS\n"


@pytest.mark.parametrize("asked", [b"GET / HTTP/1.0\r\n\r\n", b"delete / HTTP/1.1\r\n" + b"x" * 100_000])
def test_a_client_without_tls_gets_an_answer_if_there_is_one(
    tcp: Pair, server_context: ssl.SSLContext, asked: bytes
) -> None:
    client, server = tcp
    securing = spawn(Acceptor(None, server_context, 5, PLAINLY).secure, server)
    client.sendall(asked)
    assert client.recv(100) == PLAINLY
    assert client.recv(100) == b""
    client.shutdown(socket.SHUT_WR)
    assert securing.wait(5) is None
    assert server.fileno() == -1


def test_a_client_without_tls_that_goes_on_and_on_is_closed(tcp: Pair, server_context: ssl.SSLContext) -> None:
    client, server = tcp
    client.sendall(b"GET")
    with fake_time() as fake:
        before = fake.clock.now()
        assert Acceptor(None, server_context, 5, PLAINLY).secure(server) is None
        assert fake.clock.now() - before == pytest.approx(accept._LINGER)
    assert client.recv(100) == PLAINLY


@pytest.mark.parametrize("sent", [b"\x16", b"\x16\x03\x01"])
def test_looking_for_a_client_without_tls_takes_from_the_time_of_the_handshake(
    tcp: Pair, server_context: ssl.SSLContext, sent: bytes
) -> None:
    client, server = tcp
    with fake_time() as fake:
        before = fake.clock.now()
        securing = spawn(Acceptor(None, server_context, 10, PLAINLY).secure, server)
        sleep(6)
        client.sendall(sent)
        assert securing.wait() is None
        assert fake.clock.now() - before == pytest.approx(10, abs=0.1)
    assert client.recv(10) == b""


def test_the_answer_for_clients_without_tls_does_not_disturb_the_others(
    tcp: Pair, keep: Keep, authority: trustme.CA, server_context: ssl.SSLContext
) -> None:
    client, server = tcp
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.sslsocket_class = GreenSSLSocket
    authority.configure_trust(asking)
    securing = spawn(Acceptor(None, server_context, 5, PLAINLY).secure, server)
    keep(asking.wrap_socket(client, server_hostname="localhost"))
    assert keep(securing.wait(5)).gettimeout() is None


def test_a_context_for_an_http_server(tmp_path: Path, tcp: Pair, keep: Keep, authority: trustme.CA) -> None:
    client, server = tcp
    certificate = authority.issue_cert("localhost")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    context = context_of_server(chain, key)
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.sslsocket_class = GreenSSLSocket
    authority.configure_trust(asking)
    asking.set_alpn_protocols(["h2", "http/1.1"])
    securing = spawn(Acceptor(None, context, 5).secure, server)
    secured = keep(asking.wrap_socket(client, server_hostname="localhost"))
    assert secured.selected_alpn_protocol() == "http/1.1"
    keep(securing.wait(5))


def test_a_context_without_its_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        context_of_server(tmp_path / "missing.pem")
    (tmp_path / "wrong.pem").write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        context_of_server(tmp_path / "wrong.pem")


def test_an_encrypted_key_is_an_error_unless_there_is_its_password(tmp_path: Path, authority: trustme.CA) -> None:
    certificate = authority.issue_cert("localhost")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    plain = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    key.write_bytes(plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")))
    with pytest.raises(OSError, match="is encrypted") as found:
        context_of_server(chain, key)
    assert found.value.filename == key
    with pytest.raises(ssl.SSLError):
        context_of_server(chain, key, password="wrong")
    context_of_server(chain, key, password="word")
    context_of_server(chain, key, password=lambda: b"word")


def test_what_a_context_asks_of_clients(tmp_path: Path, authority: trustme.CA) -> None:
    both, trusted = tmp_path / "both.pem", tmp_path / "ca.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(both))
    authority.cert_pem.write_to_path(str(trusted))
    three = ssl.TLSVersion.TLSv1_3
    context = context_of_server(both, ca_certs=trusted, cert_reqs=ssl.CERT_REQUIRED, minimum_version=three)
    assert (context.verify_mode, context.minimum_version) == (ssl.CERT_REQUIRED, three)
    assert [found["serialNumber"] for found in context.get_ca_certs()]
    context = context_of_server(both, ca_certs=tmp_path, ciphers="ECDHE+AESGCM")
    assert context.verify_mode == ssl.CERT_NONE
    names = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"]
    assert names and all(name.startswith("ECDHE-") and "GCM" in name for name in names)
    with pytest.raises(ssl.SSLError):
        context_of_server(both, ciphers="nonsense")
