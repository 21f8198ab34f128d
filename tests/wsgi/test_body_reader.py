"""The bytes of a body: how long they may take, and what it means that they do not come."""

from typing import Any

import pytest

from greening._core.waiting import sleep
from greening.net.socket import GreenSocket
from greening.wsgi.body_reader import BodyReader
from greening.wsgi.errors import BadBody
from greening.wsgi.limits import Limits

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "data", [CHUNKED, CHUNKED + b"5\r\nhel", CHUNKED + b"0\r\n", POST + b"Content-Length: 5\r\n\r\nhell"]
)
def test_a_body_that_is_cut_off_is_not_taken_for_a_whole_one(serve: Any, data: bytes) -> None:
    client = serve().connect()
    client.send(data)
    client.sock.shutdown(1)
    assert b" 200 " not in client.rest()


def test_a_slow_body_is_cut_off(jumping: None, serve: Any) -> None:
    client = serve(limits=Limits(body_timeout=10, body_rate=1000)).connect()
    client.send(POST + b"Content-Length: 1000000\r\n\r\n")
    for _ in range(9):
        client.send(b"x")
        sleep(1.2)
    assert b" 408 " in client.rest()


def test_a_body_that_comes_steadily_may_take_long(jumping: None, serve: Any) -> None:
    client = serve(limits=Limits(body_timeout=3, body_rate=5)).connect()
    client.send(POST + b"Content-Length: 50\r\n\r\n")
    for _ in range(10):
        client.send(b"x" * 5)
        sleep(1)
    assert client.answer().told["body"] == "x" * 50


def test_the_application_takes_its_time(jumping: None, serve: Any) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(1)
        sleep(20)
        body += environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [body]

    client = serve(app, limits=Limits(body_timeout=10)).connect()
    client.send(POST + b"Content-Length: 2\r\n\r\nx")
    sleep(15)
    client.send(b"y")
    assert client.answer().body == b"xy"


def test_a_body_without_a_limit_may_pause_on_a_busy_connection(serve: Any) -> None:
    # A client that asks often is waited for in a green thread, with a limit of its own.
    client = serve(limits=Limits(body_timeout=None, idle_timeout=0.05)).connect()
    for _ in range(3):
        assert client.get().status == 200
    client.send(POST + b"Content-Length: 2\r\n\r\nx")
    sleep(0.1)
    client.send(b"y")
    assert client.answer().told["body"] == "xy"


class Source(GreenSocket):
    """A socket that is not connected: gives pieces, then what is to be raised."""

    def __init__(self, *pieces: bytes | OSError) -> None:
        super().__init__()
        self.close()
        self.pieces = list(pieces)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        piece = self.pieces.pop(0)
        if isinstance(piece, OSError):
            raise piece
        assert len(piece) <= size
        return piece


def reader(*pieces: bytes | OSError, raw: bytes = b"", at: int = 0) -> BodyReader:
    return BodyReader(Source(*pieces), Limits(body_timeout=None), lambda: 0.0, raw, at)


def test_bytes_that_came_with_the_head_come_first() -> None:
    inlet = reader(b"def", raw=b"head abc", at=5)
    assert [inlet.some(2), inlet.some(9), inlet.some(9)] == [b"ab", b"c", b"def"]


def test_exactly_waits_for_all_that_it_was_asked_for() -> None:
    inlet = reader(b"b", b"cd", raw=b"a")
    assert inlet.exactly(4) == b"abcd"


def test_a_line_ends_in_cr_lf_wherever_it_is_cut() -> None:
    inlet = reader(b"\r", b"\nrest", raw=b"one\r\ntwo")
    assert [inlet.line(10), inlet.line(10)] == [b"one", b"two"]
    assert inlet.some(10) == b"rest"


@pytest.mark.parametrize("pieces", [(b"x" * 11,), (b"x" * 6, b"x" * 6), (b"x" * 11 + b"\r\n",)])
def test_a_line_that_is_too_long_is_refused_before_it_ends(pieces: tuple[bytes, ...]) -> None:
    with pytest.raises(BadBody, match="too long"):
        reader(*pieces, b"").line(10)


@pytest.mark.parametrize("raw", [b"a\nb", b"a\x00", b"a\rb"])
def test_controls_in_a_line_are_refused_before_it_ends(raw: bytes) -> None:
    with pytest.raises(BadBody, match="control characters"):
        reader(raw=raw).line(10)


@pytest.mark.parametrize(
    ("end", "status", "why"),
    [
        (b"", 400, "ends too early"),
        (TimeoutError("timed out"), 408, "too slowly"),
        (ConnectionResetError(104, "reset"), 400, "the client is gone"),
    ],
)
def test_what_ends_a_body_too_early_is_told_with_its_status(end: bytes | OSError, status: int, why: str) -> None:
    with pytest.raises(BadBody, match=why) as caught:
        reader(end).some(1)
    assert caught.value.status == status
