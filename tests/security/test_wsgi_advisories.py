"""Each public advisory against a WSGI server that could apply to greening.wsgi, as a client would try it.

Some faults are here without an advisory. Then a docstring names the server that had the fault. Advisories about one
thing stand together. Those about websockets, TLS and names have their tests elsewhere.
"""

import time
from typing import Any

import pytest

from greening._core.waiting import sleep
from greening.wsgi.limits import Limits

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def only_one(serve: Any, seen: Any, data: bytes) -> bytes:
    """Send it, and read until the server closes. At most the first request was served."""
    client = serve(seen, limits=Limits(idle_timeout=0.1, head_timeout=0.1, body_timeout=0.1)).connect()
    client.send(data)
    said = client.rest()
    assert "/smuggled" not in seen.paths
    assert len(seen.paths) <= 1
    return said


@pytest.mark.parametrize(
    "trailer", [b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", b"X: y\r\nGET /smuggled HTTP/1.1\r\n\r\n"]
)
def test_eventlet_cve_2025_58068_trailers_are_no_request(serve: Any, seen: Any, trailer: bytes) -> None:
    """Also gevent's CVE-2023-41419."""
    only_one(serve, seen, CHUNKED + b"1\r\nx\r\n0\r\n" + trailer)


def test_eventlet_cve_2025_58068_a_trailer_does_not_reach_the_application(serve: Any, seen: Any) -> None:
    client = serve(seen).connect()
    assert client.ask(CHUNKED + b"0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n").status == 200
    assert "HTTP_X_FORWARDED_FOR" not in seen.environs[0]


@pytest.mark.parametrize("length", [b"0", b"6", b"+0", b"x"])
def test_transfer_encoding_with_content_length(serve: Any, seen: Any, length: bytes) -> None:
    """eventlet had this fault."""
    data = POST + b"Content-Length: " + length + b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED
    assert b" 400 " in only_one(serve, seen, data)
    assert seen.paths == []


def test_underscores_do_not_pass_for_hyphens(serve: Any, seen: Any) -> None:
    """eventlet and gevent had this fault."""
    client = serve(seen).connect()
    client.ask(b"GET / HTTP/1.1\r\nHost: a\r\nX-Auth: real\r\nX_Auth: forged\r\n\r\n")
    assert seen.environs[0]["HTTP_X_AUTH"] == "real"


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\rX-Injected: 1", "a\x00"])
def test_gunicorn_cve_2018_1000164_response_splitting(serve: Any, value: str) -> None:
    """gevent had this fault, too. eventlet still has it."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X", value)])
        return [b"ok"]

    client = serve(app).connect()
    client.send(SMUGGLED)
    said = client.rest()
    assert said.startswith(b"HTTP/1.1 500 ") and b"Injected" not in said


@pytest.mark.parametrize(
    "value",
    [
        b"chunked, identity",
        b"identity, chunked",
        b"xchunked",
        b",chunked",
        b"chunked\x0b",
        b"\x0bchunked",
        b"chun\xe2\x84\xaaed",
    ],
)
def test_gunicorn_cve_2024_1135_and_6827_transfer_codings(serve: Any, seen: Any, value: bytes) -> None:
    """Also waitress' CVE-2019-16786 and CVE-2019-16789."""
    only_one(serve, seen, POST + b"Transfer-Encoding: " + value + b"\r\n\r\n0\r\n\r\n" + SMUGGLED)
    assert seen.paths == []


def test_tornado_ghsa_753j_a_second_transfer_encoding(serve: Any, seen: Any) -> None:
    data = POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED
    only_one(serve, seen, data)
    assert seen.paths == []


@pytest.mark.parametrize("size", [b"0x0", b"+0", b"-0", b"0_0", b" 0", b"0 ", b"\xd9\xa0", b"\x0b0"])
def test_waitress_cve_2022_24761_numbers_as_python_reads_them(serve: Any, seen: Any, size: bytes) -> None:
    """Also aiohttp's CVE-2023-47627. gunicorn had this fault, too."""
    assert b" 400 " in only_one(serve, seen, CHUNKED + size + b"\r\n\r\n" + SMUGGLED)
    assert b" 400 " in only_one(serve, seen, POST + b"Content-Length: " + size.strip(b" ") + b"x\r\n\r\n" + SMUGGLED)


def test_waitress_cve_2019_16785_a_bare_lf_ends_no_line(serve: Any, seen: Any) -> None:
    data = POST + b"X: y\nContent-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED
    only_one(serve, seen, data)
    assert seen.paths == []


def test_waitress_cve_2019_16792_two_content_lengths(serve: Any, seen: Any) -> None:
    only_one(serve, seen, POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED)
    assert seen.paths == []


def test_two_hosts(serve: Any, seen: Any) -> None:
    """gunicorn had this fault."""
    only_one(serve, seen, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert seen.paths == []


def test_a_cut_off_chunk_is_not_the_last(serve: Any, seen: Any) -> None:
    """gunicorn took a last chunk that was cut off for a whole one."""
    client = serve(seen).connect()
    client.send(CHUNKED + b"5\r\nhello\r\n0")
    client.sock.shutdown(1)
    assert b" 200 " not in client.rest()


@pytest.mark.parametrize("behind", [b"__", b"\r_", b"_\n", b"xx\r\n"])
def test_h11_cve_2025_43859_what_ends_a_chunk_is_looked_at(serve: Any, seen: Any, behind: bytes) -> None:
    assert b" 400 " in only_one(serve, seen, CHUNKED + b"3\r\nabc" + behind + b"0\r\n\r\n" + SMUGGLED)


@pytest.mark.parametrize("expect", [b"Content-Length: %d" % len(SMUGGLED), b"Transfer-Encoding: chunked"])
def test_a_body_that_was_not_asked_for_is_no_request(serve: Any, expect: bytes) -> None:
    """gevent had this fault."""
    paths = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        paths.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return [b"ok"]

    client = serve(app).connect()
    client.send(POST + expect + b"\r\nExpect: 100-continue\r\n\r\n" + SMUGGLED)
    answer = client.answer()
    assert answer.fields["connection"] == "close"
    assert client.is_closed
    assert paths == ["/"]


def test_waitress_cve_2024_49768_nothing_pipelined_is_served_after_an_error(serve: Any, seen: Any) -> None:
    client = serve(seen).connect()
    client.send(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n" + SMUGGLED)
    client.rest()
    assert seen.paths == ["/1"]


def test_waitress_cve_2024_49769_a_client_that_is_gone_costs_nothing(serve: Any, seen: Any) -> None:
    running = serve(seen)
    for data in (b"", b"GET", POST + b"Content-Length: 5\r\n\r\nx", SMUGGLED):
        client = running.connect()
        client.send(data)
        client.sock.shutdown(2)
        client.close()
    began = time.process_time()
    sleep(0.1)
    assert time.process_time() - began < 0.05
    assert not running.server.connections


def test_httpoxy_cve_2016_1000110(serve: Any, seen: Any) -> None:
    serve(seen).connect().ask(b"GET / HTTP/1.1\r\nHost: a\r\nProxy: http://evil/\r\nproxy: x\r\n\r\n")
    assert "HTTP_PROXY" not in seen.environs[0]


def test_uvicorn_cve_2020_7694_log_lines_cannot_be_forged(serve: Any, seen: Any) -> None:
    running = serve(seen, log_output=True)
    data = b"GET /%0d%0a127.0.0.1%20-%20-?\xff HTTP/1.1\r\nHost: a\r\n\r\n".replace(b"\xff", b"%1b[31m")
    running.connect().ask(data)
    lines = running.log.getvalue().splitlines()
    assert len(lines) == 2
    assert all(line.isascii() and line.isprintable() for line in lines)


def test_tracebacks_are_not_for_clients(serve: Any) -> None:
    """eventlet's default, until greening."""

    def app(environ: Any, start_response: Any) -> Any:
        raise ValueError("secret")

    assert b"secret" not in serve(app).connect().get().body


def elapsed(serve: Any, data: bytes) -> float:
    """Processor time until the server has refused this, or waits for more of it."""
    running = serve(limits=Limits(head_timeout=0.2, idle_timeout=0.2, body_timeout=0.2, linger_timeout=0.1))
    client = running.connect()
    began = time.process_time()
    try:
        client.send(data)
        client.rest()
    except OSError:
        pass
    return time.process_time() - began


@pytest.mark.parametrize(
    ("head", "drip"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b" \t"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", b"X: y\r\n"),
        (b"GET / HTTP/1.1\r\nHost: ", b"a:"),
        (b"GET http://", b"a@"),
        (b"GET /", b"%"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: ", b" ,"),
        (CHUNKED + b"1;", b"a"),
        (CHUNKED + b"1", b" ;a=b"),
        (CHUNKED + b'1;a="', b"\\\\"),
        (CHUNKED, b"0" * 16 + b";a\r\n"),
        (CHUNKED + b"0\r\nX: ", b"a"),
        (CHUNKED + b"0\r\n", b"X: y\r\n"),
        (b"", b"\r\n"),
        (b"", b"A"),
        (b"GET ", b"/"),
    ],
)
def test_waitress_cve_2020_5236_time_is_linear_and_memory_bounded(serve: Any, head: bytes, drip: bytes) -> None:
    """Two megabytes of anything are refused at once; sixteen times as much costs nothing more."""
    for end in (b"", b"\r\n\r\n"):
        assert elapsed(serve, head + drip * (60000 // len(drip)) + end) < 0.3
        assert elapsed(serve, head + drip * (2_000_000 // len(drip)) + end) < 0.5


def test_go_cve_2023_39326_chunks_that_cost_more_than_they_bring(serve: Any) -> None:
    running = serve()
    running.refuses(CHUNKED + (b"1;" + b"a" * 4000 + b"\r\nx\r\n") * 20)
