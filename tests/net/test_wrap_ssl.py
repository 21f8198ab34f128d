"""`wrap_ssl`: eventlet's arguments, and verification that is done."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.net.convenience import connect, serve
from greening.net.socket import GreenSocket
from greening.net.tls import GreenSSLSocket
from greening.net.wrap_ssl import wrap_ssl

Pair = tuple[GreenSocket, GreenSocket]
Keep = Callable[[Any], Any]


class Files:
    """Certificates as files, as `wrap_ssl` wants them."""

    def __init__(self, authority: trustme.CA, folder: Path) -> None:
        self.ca = folder / "ca.pem"
        self.cert = folder / "cert.pem"
        self.key = folder / "key.pem"
        self.both = folder / "both.pem"
        issued = authority.issue_cert("localhost")
        authority.cert_pem.write_to_path(self.ca)
        issued.cert_chain_pems[0].write_to_path(self.cert)
        issued.private_key_pem.write_to_path(self.key)
        issued.private_key_and_cert_chain_pem.write_to_path(self.both)


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(authority, tmp_path_factory.mktemp("certificates"))


def wrapped(tcp: Pair, files: Files, server: dict[str, Any], client: dict[str, Any]) -> tuple[Any, Any]:
    """(client, server), each the wrapped socket or the error."""

    def wrap(sock: GreenSocket, options: dict[str, Any]) -> Any:
        try:
            return wrap_ssl(sock, **options)
        except OSError as error:
            return error

    accepting = spawn(wrap, tcp[1], {"server_side": True, "certfile": files.both, **server})
    return wrap(tcp[0], client), accepting.wait(5)


def exchange(one: Any, other: Any) -> bytes:
    reader = spawn(other.recv, 10)
    one.sendall(b"x")
    data: bytes = reader.wait(5)
    return data


def test_encrypted_and_by_default_not_verified(tcp: Pair, files: Files, keep: Keep) -> None:
    client, server = map(keep, wrapped(tcp, files, {}, {}))
    assert exchange(client, server) == exchange(server, client) == b"x"
    assert type(client) is type(server) is GreenSSLSocket
    assert client.version() == "TLSv1.3"
    assert client.context.verify_mode == ssl.CERT_NONE


def test_key_and_certificate_in_files_of_their_own(tcp: Pair, files: Files, keep: Keep) -> None:
    client, server = map(keep, wrapped(tcp, files, {"keyfile": files.key, "certfile": files.cert}, {}))
    assert exchange(client, server) == b"x"


@pytest.mark.parametrize("reqs", [ssl.CERT_REQUIRED, 2])
def test_a_server_that_is_to_be_verified_is(reqs: int, tcp: Pair, files: Files, keep: Keep) -> None:
    options = {"cert_reqs": reqs, "ca_certs": files.ca, "server_hostname": "localhost"}
    client, server = map(keep, wrapped(tcp, files, {}, options))
    assert exchange(client, server) == b"x"
    assert client.getpeercert()["subjectAltName"] == (("DNS", "localhost"),)


@pytest.mark.parametrize(
    "options",
    [
        {"cert_reqs": ssl.CERT_REQUIRED},
        {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": "localhost"},
        {"cert_reqs": ssl.CERT_OPTIONAL},
        {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": True, "server_hostname": "elsewhere"},
    ],
)
def test_a_server_that_cannot_be_verified_is_refused(options: dict[str, Any], tcp: Pair, files: Files) -> None:
    if options.get("ca_certs"):
        options = options | {"ca_certs": files.ca}
    client, server = wrapped(tcp, files, {}, options)
    assert isinstance(client, ssl.SSLCertVerificationError)
    assert isinstance(server, ssl.SSLError)


def test_without_a_name_the_certificate_is_verified_and_the_name_is_not(tcp: Pair, files: Files, keep: Keep) -> None:
    client, server = map(keep, wrapped(tcp, files, {}, {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": files.ca}))
    assert exchange(client, server) == b"x"


def test_a_client_that_is_to_be_verified_is(tcp: Pair, files: Files, keep: Keep) -> None:
    wanted = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": files.ca}
    client, server = map(keep, wrapped(tcp, files, wanted, {"certfile": files.both}))
    assert exchange(client, server) == b"x"
    assert server.getpeercert()["subjectAltName"] == (("DNS", "localhost"),)


def test_a_client_without_the_certificate_that_is_wanted_is_refused(tcp: Pair, files: Files, keep: Keep) -> None:
    client, server = wrapped(tcp, files, {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": files.ca}, {})
    keep(client)  # in TLS 1.3 it learns of it later
    assert isinstance(server, ssl.SSLError)


def test_files_that_are_not_there_are_an_error(tcp: Pair) -> None:
    with pytest.raises(FileNotFoundError):
        wrap_ssl(tcp[1], keyfile="/nowhere", certfile="/nowhere/either", server_side=True)
    with pytest.raises(FileNotFoundError):
        wrap_ssl(tcp[1], cert_reqs=ssl.CERT_REQUIRED, ca_certs="/nowhere")
    assert tcp[1].fileno() >= 0


def test_ciphers_and_versions(tcp: Pair, files: Files, keep: Keep) -> None:
    with pytest.warns(DeprecationWarning, match="TLSv1_2"):
        context_version = ssl.PROTOCOL_TLSv1_2
        options = {"ssl_version": context_version, "ciphers": "ECDHE+AESGCM"}
        client, server = map(keep, wrapped(tcp, files, {}, options))
    assert exchange(client, server) == b"x"
    assert client.version() == "TLSv1.2"
    assert "GCM" in client.cipher()[0]


def test_a_handshake_later(tcp: Pair, files: Files, keep: Keep) -> None:
    later = {"do_handshake_on_connect": False}
    client, server = map(keep, wrapped(tcp, files, later, later))
    assert exchange(client, server) == b"x"


def test_a_wrapped_listener_accepts_at_once_and_shakes_hands_later(
    listener: GreenSocket, files: Files, keep: Keep
) -> None:
    tls = keep(wrap_ssl(listener, certfile=files.both, server_side=True))
    silent = keep(connect(tls.getsockname()))
    server, address = tls.accept()
    assert address == silent.getsockname()
    server.close()

    def ask() -> bytes:
        with wrap_ssl(connect(tls.getsockname())) as client:
            client.sendall(b"hello")
            data: bytes = client.recv(10)
            return data

    asking = spawn(ask)
    with tls.accept()[0] as server:
        assert type(server) is GreenSSLSocket
        server.sendall(server.recv(10))
        assert asking.wait(5) == b"hello"


def test_a_wrapped_listener_is_served(listener: GreenSocket, files: Files, keep: Keep) -> None:
    tls = keep(wrap_ssl(listener, certfile=files.both, server_side=True))
    serving = spawn(serve, tls, lambda sock, _: sock.sendall(sock.recv(10)))
    keep(connect(tls.getsockname()))  # silent
    with wrap_ssl(connect(tls.getsockname())) as client:
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
    serving.kill()
    tls.close()
    sleep(0)


def test_a_socket_that_is_wrapped_before_it_listens_accepts_silent_clients(files: Files, keep: Keep) -> None:
    tls = keep(wrap_ssl(GreenSocket(), certfile=files.both, server_side=True))
    tls.bind(("127.0.0.1", 0))
    tls.listen(5)
    keep(connect(tls.getsockname()))
    keep(spawn(tls.accept).wait(5)[0])
    asking = spawn(lambda: wrap_ssl(connect(tls.getsockname())))
    server = keep(tls.accept()[0])
    reading = spawn(server.recv, 10)  # shakes hands
    client = keep(asking.wait(5))
    client.sendall(b"hello")
    assert reading.wait(5) == b"hello"
