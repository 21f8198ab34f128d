"""The same over TLS: what is different below must not be seen above."""

import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
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

from greening._core.waiting import sleep
from greening.net.tls import GreenSSLSocket
from greening.wsgi.limits import Limits
from greening.wsgi.tls import TlsSettings, split_sni, tls_environ

CONTENT = bytes(range(256)) * 8192


@pytest.fixture
def connect(serve: Any, contexts: Any) -> Any:
    def connected(app: Any, **settings: Any) -> Any:
        running = serve(app, ssl_context=contexts[0], **settings)
        client = running.connect()
        # A connection that ends without TLS's farewell is an error with this.
        client.sock = contexts[1].wrap_socket(client.sock, server_hostname="localhost", suppress_ragged_eofs=False)
        return client

    return connected


def test_requests_and_responses(connect: Any) -> None:
    seen = []

    def app(environ: Any, start_response: Any) -> Any:
        seen.append((environ["wsgi.url_scheme"], environ["HTTPS"]))
        body = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return iter([body[:1000], body[1000:]]) if body else [b"none"]

    client = connect(app)
    assert client.get().body == b"none"
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT)
    assert client.answer().body == CONTENT
    assert client.get().body == b"none"
    assert set(seen) == {("https", "on")}


def test_files(connect: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", str(len(CONTENT)))])
        return environ["wsgi.file_wrapper"]((tmp_path / "file").open("rb"))

    client = connect(app)
    for _ in range(2):
        assert client.get().body == CONTENT


def test_refusals(connect: Any) -> None:
    client = connect(None)
    client.send(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.answer().status == 400
    assert client.is_closed


def test_deadlines(jumping: None, connect: Any) -> None:
    slow = connect(None, limits=Limits(head_timeout=10))
    slow.send(b"GET / HTTP/1.1\r\n")
    with suppress(BrokenPipeError, ConnectionResetError):  # it may have given up already
        for _ in range(9):
            slow.send(b"X: y\r\n")
            sleep(1.2)
    assert slow.answer().status == 408
    assert connect(None, limits=Limits(head_timeout=5)).is_closed


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "M-SEARCH", "CONNECT", "x"])
def test_plain_http_gets_a_page_that_says_so(serve: Any, contexts: Any, method: str) -> None:
    client = serve(None, ssl_context=contexts[0]).connect()
    # More than the server reads at once: what it has not read must not take the answer away.
    client.send(b"%b / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n" % method.encode() + b"x" * 99999)
    answer = client.answer()
    assert (answer.status, answer.fields["connection"]) == (400, "close")
    assert b"this port speaks HTTPS" in answer.body
    client.sock.shutdown(socket.SHUT_WR)
    assert client.is_closed


@pytest.mark.parametrize(
    "data", [b"\r\n", b"\x16", b"\x16\x03\x01\xff\xff" + bytes(100), b"\x80\x2e\x01\x00\x02" + bytes(50), b" GET"]
)
def test_other_nonsense_gets_no_page(serve: Any, contexts: Any, data: bytes) -> None:
    client = serve(None, ssl_context=contexts[0]).connect()
    client.send(data)
    client.sock.shutdown(socket.SHUT_WR)
    assert b"HTTP" not in client.rest()


def test_silence_before_the_handshake_has_its_deadline(jumping: None, serve: Any, contexts: Any) -> None:
    assert serve(None, ssl_context=contexts[0]).connect().is_closed


def test_another_protocol(connect: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        sock = environ["greening.upgrade"]()
        sock.sendall(b"taken")
        while data := sock.recv(100):
            sock.sendall(data.upper())
        return []

    client = connect(app)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
    client.until(b"taken")
    client.send(b"abc")
    assert client.exactly(3) == b"ABC"


def test_a_body_that_ends_with_the_connection(connect: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return iter([CONTENT])

    client = connect(app)
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    assert client.rest().endswith(CONTENT)


def test_stopping_ends_connections_that_wait_for_a_request(connect: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return [b"ok"]

    client = connect(app)
    assert client.get().status == 200


# What is said of certificates

AUTHORITY = trustme.CA()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Certificates: a, b, w (a wildcard), the key of a encrypted, and the authority."""
    for name, hosts in (("a", ["a.org"]), ("b", ["b.org"]), ("w", ["*.w.org"])):
        issued = AUTHORITY.issue_cert(*hosts)
        issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / f"{name}.pem"))
        issued.cert_chain_pems[0].write_to_path(str(tmp_path / f"{name}.crt"))
        issued.private_key_pem.write_to_path(str(tmp_path / f"{name}.key"))
    key = load_pem_private_key((tmp_path / "a.key").read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    (tmp_path / "locked.key").write_bytes(locked)
    (tmp_path / "word").write_bytes(b"open sesame\n")
    (tmp_path / "wrong").write_bytes(b"wrong")
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path


@pytest.fixture
def settings(folder: Path) -> Callable[..., TlsSettings]:
    def made(**given: Any) -> TlsSettings:
        paths = ("certfile", "keyfile", "keyfile_password_file", "ca_certs")
        given = {name: str(folder / value) if name in paths else value for name, value in given.items()}
        return TlsSettings(**{"certfile": str(folder / "a.pem"), **given})

    return made


def client_of(running: Any, host: str, **how: Any) -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = GreenSSLSocket
    AUTHORITY.configure_trust(context)
    if how.get("show"):
        how["show"].configure_cert(context)
    context.maximum_version = how.get("version", ssl.TLSVersion.MAXIMUM_SUPPORTED)
    client = running.connect()
    client.sock = context.wrap_socket(client.sock, server_hostname=host)
    return client


def telling(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [repr({name: value for name, value in environ.items() if name.startswith("SSL_")}).encode()]


def told(client: Any) -> dict[str, str]:
    return eval(client.get().body)  # our own application's


def test_names_choose_the_certificate(serve: Any, folder: Path, settings: Any) -> None:
    sni = (f"B.org={folder / 'b.pem'}", f"*.w.org={folder / 'w.crt'},{folder / 'w.key'}")
    running = serve(telling, ssl_context=settings(sni=sni).context())
    for host in ("a.org", "b.org", "x.w.org"):  # each is verified by the client
        assert told(client_of(running, host))["SSL_CLIENT_VERIFY"] == "NONE"
    for host in ("w.org", "x.y.w.org", "other.org"):
        with pytest.raises(ssl.SSLCertVerificationError, match="certificate is not valid for"):
            client_of(running, host)


def test_without_clients_certificates_the_environ_tells_of_the_connection_alone(serve: Any, settings: Any) -> None:
    said = told(client_of(serve(telling, ssl_context=settings().context()), "a.org"))
    assert said == {"SSL_PROTOCOL": "TLSv1.3", "SSL_CIPHER": said["SSL_CIPHER"], "SSL_CLIENT_VERIFY": "NONE"}
    assert tls_environ(object()) == {}


@pytest.mark.parametrize("requirement", ["optional", "required", "1", "2", None])
def test_a_clients_certificate_is_in_the_environ(serve: Any, folder: Path, settings: Any, requirement: str) -> None:
    sni = (f"b.org={folder / 'b.pem'}",)
    context = settings(ca_certs="ca.pem", cert_reqs=requirement, sni=sni).context()
    mine = AUTHORITY.issue_cert(
        "ann@example.org", "ann.example.org", common_name='A\u00f1n, "x"', organization_name="O"
    )
    for host in ("a.org", "b.org"):
        said = told(client_of(serve(telling, ssl_context=context), host, show=mine))
        assert said["SSL_CLIENT_VERIFY"] == "SUCCESS"
        name = said["SSL_CLIENT_S_DN"].encode("latin-1").decode()
        assert name.startswith('CN=A\u00f1n\\, \\"x\\",') and name.endswith(",O=O")
        assert said["SSL_CLIENT_S_DN_CN"].encode("latin-1").decode() == 'A\u00f1n, "x"'
        assert "trustme" in said["SSL_CLIENT_I_DN"]
        assert said["SSL_CLIENT_SAN_DNS_0"] == "ann.example.org"
        assert said["SSL_CLIENT_SAN_Email_0"] == "ann@example.org"
        assert int(said["SSL_CLIENT_M_SERIAL"], 16) > 0
        assert said["SSL_CLIENT_V_END"].endswith(" GMT")
        assert said["SSL_CLIENT_CERT"].strip() == mine.cert_chain_pems[0].bytes().decode().strip()


def test_a_certificate_that_is_required_and_is_not_shown_or_is_a_strangers(serve: Any, settings: Any) -> None:
    running = serve(telling, ssl_context=settings(ca_certs="ca.pem").context())
    for shown in (None, trustme.CA().issue_cert("x.org")):
        with pytest.raises(OSError):  # in TLS 1.3 the client learns of it when it reads
            client_of(running, "a.org", show=shown).sock.recv(1)


def test_an_optional_certificate_need_not_be_shown(serve: Any, settings: Any) -> None:
    running = serve(telling, ssl_context=settings(ca_certs="ca.pem", cert_reqs="optional").context())
    assert told(client_of(running, "a.org"))["SSL_CLIENT_VERIFY"] == "NONE"
    with pytest.raises(OSError):
        client_of(running, "a.org", show=trustme.CA().issue_cert("x.org")).sock.recv(1)


def test_the_minimum_version_and_the_ciphers(serve: Any, settings: Any) -> None:
    two = ssl.TLSVersion.TLSv1_2
    name = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
    running = serve(telling, ssl_context=settings(ciphers=name).context())
    assert told(client_of(running, "a.org", version=two))["SSL_CIPHER"] in name.split(":")
    running = serve(telling, ssl_context=settings(tls_min_version="TLSv1.3").context())
    with pytest.raises(ssl.SSLError):
        client_of(running, "a.org", version=two)


def test_an_encrypted_key_with_its_password(serve: Any, settings: Any) -> None:
    context = settings(certfile="a.crt", keyfile="locked.key", keyfile_password_file="word").context()
    assert told(client_of(serve(telling, ssl_context=context), "a.org"))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"certfile": "a.crt", "keyfile": "locked.key"},
            "locked.key: the private key is encrypted.*keyfile_password_file",
        ),
        (
            {"certfile": "a.crt", "keyfile": "locked.key", "keyfile_password_file": "wrong"},
            "not a certificate with its private key: .*locked.key .its password is in .*wrong",
        ),
        (
            {"certfile": "a.crt", "keyfile": "locked.key", "keyfile_password_file": "no"},
            "password .* from .*/no: No such",
        ),
        ({"certfile": "a.crt", "keyfile": "b.key"}, "not a certificate with its private key: .*a.crt and .*b.key"),
        ({"certfile": "none.pem"}, "cannot read .*none.pem: No such file"),
        ({"ca_certs": "none.pem"}, "cannot read .*none.pem: No such file"),
        ({"ca_certs": "locked.key"}, "no certificates of authorities, in PEM, for ca_certs: .*locked.key"),
        ({"sni": ("b.org=/none.pem",)}, "cannot read /none.pem: No such file"),
    ],
)
def test_files_that_are_no_good_are_named(settings: Any, given: Any, problem: str) -> None:
    with pytest.raises(OSError, match=problem):
        settings(**given).context()


@pytest.mark.slow
def test_a_terminal_is_never_asked_for_a_password(folder: Path) -> None:
    """OpenSSL opens /dev/tty. With `script` the program has one."""
    paths = f"{str(folder / 'a.crt')!r}, {str(folder / 'locked.key')!r}"
    code = f"from greening.net.accept import server_context; server_context({paths})"
    found = subprocess.run(
        ["script", "-qec", f'"{sys.executable}" -c "{code}"', "/dev/null"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=Path(__file__).parents[2],
    )
    assert "the private key is encrypted" in found.stdout and "pass phrase" not in found.stdout


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"cert_reqs": "always"}, "neither 'none', 'optional' nor 'required'"),
        ({"cert_reqs": "required"}, "no authority is named"),
        ({"cert_reqs": "none", "ca_certs": "ca.pem"}, "no meaning"),
        ({"ciphers": "nonsense"}, "none of these ciphers"),
        ({"tls_min_version": "SSLv3"}, "TLSv1.2, TLSv1.3"),
        ({"sni": ("nonsense",)}, "not of the form"),
    ],
)
def test_what_makes_no_sense_is_refused(given: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        TlsSettings(certfile="x", **given)


@pytest.mark.parametrize(
    "text", ["", "a.org", "=x", "a.org=", "a.org=,k", "a.org=c,", "a.org=c,k,x", "a.*.org=c", "*=c"]
)
def test_what_names_no_certificate(text: str) -> None:
    with pytest.raises(ValueError, match="HOST=CERT"):
        split_sni(text)


def test_what_names_a_certificate() -> None:
    assert split_sni("A.org=c") == ("a.org", "c", None)
    assert split_sni("*.A.org=c=d,k") == ("*.a.org", "c=d", "k")
