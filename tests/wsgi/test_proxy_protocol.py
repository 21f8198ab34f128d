"""The PROXY protocol: byte for byte, with and without TLS, and what is no header."""

import json
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from greening._core.waiting import sleep
from greening.net.convenience import listen
from greening.wsgi.proxy_protocol import HEADER_TIMEOUT
from tests.wsgi.conftest import Client, Serve

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def binary(command: int, family: int, data: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(data)) + data


V4 = socket.inet_pton(socket.AF_INET, "1.2.3.4") + socket.inet_pton(socket.AF_INET, "5.6.7.8") + b"\x12\x34\x00\x50"
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1") + socket.inet_pton(socket.AF_INET6, "::1") + b"\x12\x34\x00\x50"
TLVS = b"\x03\x00\x04abcd\x04\x00\x00"

HEADERS = [
    (b"PROXY TCP4 1.2.3.4 5.6.7.8 4660 80\r\n", "1.2.3.4 4660"),
    (b"PROXY TCP6 2001:db8::1 ::1 4660 80\r\n", "2001:db8::1 4660"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
    (b"PROXY TCP6 " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535\r\n", "ffff:" * 7 + "ffff 65535"),
    (binary(0x21, 0x11, V4), "1.2.3.4 4660"),
    (binary(0x21, 0x12, V4), "1.2.3.4 4660"),
    (binary(0x21, 0x11, V4 + TLVS), "1.2.3.4 4660"),
    (binary(0x21, 0x21, V6 + b"\x04" + struct.pack("!H", 3000) + b"x" * 3000), "2001:db8::1 4660"),
    (binary(0x21, 0x31, b"/a/path".ljust(108, b"\0") + bytes(108)), "127.0.0.1 0"),
    (binary(0x21, 0x31, bytes(216)), "127.0.0.1 0"),
    (binary(0x21, 0x00, b""), None),
    (binary(0x21, 0x00, TLVS), None),
    (binary(0x20, 0x00, b""), None),
    (binary(0x20, 0x11, V4), None),
]

MALFORMED = [
    GET,
    b"PROXY TCP4 1.2.3.4 5.6.7.8 4660\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 4660 80 90\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 4660 65536\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 -1 80\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 \xb2 80\r\n",
    b"PROXY TCP4 ::1 ::2 4660 80\r\n",
    b"PROXY TCP6 1.2.3.4 5.6.7.8 4660 80\r\n",
    b"PROXY TCP4 1.2.3.4  5.6.7.8 4660 80\r\n",
    b"PROXY TCP4 01.2.3.4 5.6.7.8 4660 80\r\n",
    b"PROXY UDP4 1.2.3.4 5.6.7.8 4660 80\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 4660 80\n",
    b"PROXY TCP4 1.2.3.4\n5.6.7.8 4660 80\r\n",
    b"PROXY TCP4 " + b"1" * 200,
    b"proxy TCP4 1.2.3.4 5.6.7.8 4660 80\r\n",
    SIGNATURE[:11] + b"\r" + bytes(10),
    binary(0x11, 0x11, V4),
    binary(0x22, 0x11, V4),
    binary(0x21, 0x11, V4[:11]),
    binary(0x21, 0x21, V6[:35]),
    binary(0x21, 0x31, bytes(215)),
    binary(0x21, 0x41, V6),
    SIGNATURE + b"\x21\x11\xff\xff" + bytes(20),
]


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [json.dumps([environ["REMOTE_ADDR"], environ["REMOTE_PORT"], environ["wsgi.url_scheme"]]).encode()]


def port_of(client: Client) -> int:
    return int(client.sock.getsockname()[1])


def expected(client: Client, who: str | None) -> list[str]:
    return who.split() if who is not None else ["127.0.0.1", str(port_of(client))]


@pytest.mark.parametrize(("header", "who"), HEADERS)
def test_the_client_is_the_one_that_the_header_names(serve: Serve, header: bytes, who: str | None) -> None:
    running = serve(app, proxy_protocol="127.0.0.1", log_output=True, log_format="%(client_ip)s %(client_port)s")
    client = running.connect()
    client.send(header + GET + GET)  # what follows the header is read by what comes after it
    for _ in range(2):
        assert client.answer().told == [*expected(client, who), "http"]
    assert running.log.getvalue().splitlines()[-1].split() == expected(client, who)


@pytest.mark.parametrize(("header", "who"), [HEADERS[0], HEADERS[1], HEADERS[7]])
def test_a_header_may_come_byte_by_byte(jumping: None, serve: Serve, header: bytes, who: str) -> None:
    client = serve(app, proxy_protocol="127.0.0.1").connect()
    for at in range(len(header)):
        client.send(header[at : at + 1])
        sleep(0.01)
    assert client.ask(GET).told == [*who.split(), "http"]


@pytest.mark.parametrize(("header", "who"), [HEADERS[0], HEADERS[2], HEADERS[7], HEADERS[13]])
def test_the_header_comes_before_tls(serve: Serve, contexts: Any, header: bytes, who: str | None) -> None:
    client = serve(app, proxy_protocol="127.0.0.1", ssl_context=contexts[0]).connect()
    client.send(header)
    client.sock = contexts[1].wrap_socket(client.sock, server_hostname="localhost")
    assert client.ask(GET).told == [*expected(client, who), "https"]


@pytest.mark.parametrize("data", MALFORMED)
def test_what_is_no_header_is_closed_and_told(serve: Serve, data: bytes) -> None:
    running = serve(app, proxy_protocol="127.0.0.1")
    client = running.connect()
    client.send(data)
    assert client.is_closed
    said = running.log.getvalue()
    assert said.startswith(f"127.0.0.1:{port_of(client)}: closed: no PROXY protocol header: ")
    assert said.count("\n") == 1 and said.rstrip("\n").isprintable()


def test_a_header_that_does_not_come_in_time(jumping: None, serve: Serve) -> None:
    running = serve(app, proxy_protocol="127.0.0.1")
    client = running.connect()
    client.send(b"PROXY TCP4 1.2.3.4 ")
    assert client.is_closed
    assert "did not come in time" in running.log.getvalue()


def test_a_byte_now_and_then_does_not_lengthen_the_time(jumping: None, serve: Serve) -> None:
    running = serve(app, proxy_protocol="127.0.0.1")
    client = running.connect()
    for byte in HEADERS[0][0][: int(HEADER_TIMEOUT) - 1]:
        client.send(bytes([byte]))
        sleep(1)
    assert client.is_closed


def test_a_connection_that_ends_without_a_header_is_no_news(serve: Serve) -> None:
    running = serve(app, proxy_protocol="127.0.0.1")
    for begun in (b"", b"PROXY ", SIGNATURE):
        client = running.connect()
        client.send(begun) if begun else None
        client.sock.shutdown(socket.SHUT_WR)
        assert client.is_closed
    assert running.log.getvalue() == ""


def test_other_peers_have_no_header_and_are_believed_nothing(serve: Serve) -> None:
    running = serve(app, proxy_protocol="192.0.2.1,unix")
    client = running.connect()
    assert client.ask(GET).told == ["127.0.0.1", str(port_of(client)), "http"]
    running.refuses(HEADERS[0][0] + GET)
    running.refuses(HEADERS[5][0] + GET)


def test_a_unix_socket(serve: Serve, tmp_path: Path) -> None:
    running = serve(app, listener=listen(str(tmp_path / "s"), socket.AF_UNIX), proxy_protocol="unix")
    assert running.connect().ask(HEADERS[0][0] + GET).told == ["1.2.3.4", "4660", "http"]
    assert running.connect().ask(HEADERS[2][0] + GET).told == ["127.0.0.1", "0", "http"]


def test_trusted_proxies_are_judged_by_the_address_in_the_header(serve: Serve) -> None:
    asked = GET.replace(b"Host", b"X-Forwarded-For: 9.9.9.9\r\nHost")
    running = serve(app, proxy_protocol="127.0.0.1", forwarded_allow_ips="127.0.0.1,10.0.0.0/8")
    assert running.connect().ask(HEADERS[0][0] + asked).told[0] == "1.2.3.4"
    assert running.connect().ask(b"PROXY TCP4 10.1.1.1 5.6.7.8 1 80\r\n" + asked).told[0] == "9.9.9.9"


def test_stopping_does_not_wait_for_a_header(serve: Serve) -> None:
    running = serve(app, proxy_protocol="127.0.0.1")
    client = running.connect()
    client.send(b"PROXY ")
    running.server.stop(0)
    assert client.is_closed
