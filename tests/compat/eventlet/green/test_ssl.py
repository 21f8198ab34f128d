"""eventlet.green.ssl: whatever makes a socket, it is of one class, and green."""

import ssl as stdlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from greening._core.greenthread import spawn
from greening.compat.eventlet.green import ssl
from greening.net.convenience import connect, listen
from greening.net.socket import GreenSocket
from greening.timeout import Timeout


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    path = tmp_path / "server.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(path)
    return path


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    with Timeout(20):
        yield


def talk(server: Any, client: Any) -> tuple[Any, Any]:
    """Both ends of a connection, wrapped by the two functions, after a word each way."""
    with listen(("127.0.0.1", 0)) as listener:
        plain = connect(listener.getsockname())
        accepted, _ = listener.accept()
    waiting = spawn(server, accepted)
    theirs = client(plain)
    ours = waiting.wait()
    theirs.sendall(b"ping")
    assert ours.recv(10) == b"ping"
    ours.sendall(b"pong")
    assert theirs.recv(10) == b"pong"
    ours.close()
    theirs.close()
    return ours, theirs


def test_contexts_make_green_sockets(certificate: Path) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate.parent / "ca.pem"))
    assert isinstance(trusting, ssl.SSLContext) and trusting.verify_mode == ssl.CERT_REQUIRED
    for end in talk(
        lambda sock: serving.wrap_socket(sock, server_side=True),
        lambda sock: trusting.wrap_socket(sock, server_hostname="localhost"),
    ):
        assert type(end) is ssl.GreenSSLSocket
        assert isinstance(end, GreenSocket) and isinstance(end, stdlib.SSLSocket)


def test_wrap_socket_makes_the_same(certificate: Path) -> None:
    for end in talk(lambda sock: ssl.wrap_socket(sock, certfile=certificate, server_side=True), ssl.wrap_socket):
        assert isinstance(end, ssl.SSLSocket)


def test_a_server_that_cannot_be_verified_is_refused(certificate: Path) -> None:
    def server(sock: Any) -> Any:
        with pytest.raises(OSError):
            ssl.wrap_socket(sock, certfile=certificate, server_side=True).recv(1)

    def client(sock: Any) -> Any:
        return ssl.create_default_context().wrap_socket(sock, server_hostname="localhost")

    with pytest.raises(ssl.SSLCertVerificationError):
        talk(server, client)


def test_the_other_names_are_those_of_the_green_module() -> None:
    assert ssl.SSLContext is ssl.GreenSSLContext and ssl.SSLSocket is ssl.GreenSSLSocket
    assert ssl.SSLError is stdlib.SSLError
    assert {"create_default_context", "get_server_certificate", "CERT_NONE"} <= set(dir(ssl))
