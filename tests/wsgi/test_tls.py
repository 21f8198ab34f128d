"""The same over TLS: what is different below must not be seen above."""

import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from greening._core.waiting import sleep
from greening.net.tls import GreenSSLSocket
from greening.wsgi.limits import Limits

CONTENT = bytes(range(256)) * 8192


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.sslsocket_class = GreenSSLSocket
    authority.configure_trust(client)
    return server, client


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


def test_a_plain_client_is_sent_away(serve: Any, contexts: Any) -> None:
    client = serve(None, ssl_context=contexts[0]).connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"HTTP/1.1" not in client.rest()


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
