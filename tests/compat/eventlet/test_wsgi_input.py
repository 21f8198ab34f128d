from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest

from greening.compat.eventlet.wsgi_input import BodyTimeoutError, ChunkReadError, EarlyEndError, Input
from tests.compat.eventlet.conftest import ServeEventlet

CHUNKS = b"8\r\na\nbcdef\n\r\n6\r\nx\ny\nzz\r\n0\r\nT: 1\r\n\r\nGET"


def chunked(data: bytes) -> Input:
    return Input(BytesIO(data), None, None, chunked_input=True)


def test_a_body_with_a_length_ends_there() -> None:
    file = BytesIO(b"hello world")
    body = Input(file, "5", None)
    assert (body.read(2), body.read(), body.read(), body.position) == (b"he", b"llo", b"", 5)
    assert file.read() == b" world"
    assert body.ended


def test_a_body_without_a_length_is_empty() -> None:
    body = Input(BytesIO(b"hello"), None, None)
    assert body.read() == b"" and body.ended


def test_chunks_are_joined_and_their_end_is_taken_off_the_file() -> None:
    file = BytesIO(CHUNKS)
    body = Input(file, 99, None, chunked_input=True)
    assert body.read() == b"a\nbcdef\nx\ny\nzz"
    assert body.ended and file.read() == b"GET"


@pytest.mark.parametrize("make", [lambda: chunked(CHUNKS), lambda: Input(BytesIO(b"a\nbcdef\nx\ny\nzz"), 14, None)])
def test_lines(make: Callable[[], Input]) -> None:
    body = make()
    assert [body.readline(), body.readline(2), body.readline(-1), body.readlines()] == [
        b"a\n",
        b"bc",
        b"def\n",
        [b"x\n", b"y\n", b"zz"],
    ]
    assert list(make()) == [b"a\n", b"bcdef\n", b"x\n", b"y\n", b"zz"]


def test_a_line_takes_no_more_off_the_file_than_it_has() -> None:
    file = BytesIO(CHUNKS)
    Input(file, None, None, chunked_input=True).readline()
    assert file.read(3) == b"bcd"


def test_attributes_decide_about_the_framing_until_the_first_read() -> None:
    body = Input(BytesIO(b"2\r\nhi\r\n0\r\n\r\n"), 5, None)
    body.chunked_input = True
    assert body.read() == b"hi"
    body = Input(BytesIO(b"hello"), None, None)
    body.content_length = 4
    assert body.read() == b"hell"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"zz\r\nhello", r"invalid literal for int\(\) with base 16: b'zz\\r\\n'"),
        (b"5\r\nhello\r\n", r"invalid literal for int\(\) with base 16: b''"),
        (b"5\r\nhelloXY", "end of line"),
        (b"0\r\nno trailer\r\n\r\n", "trailer"),
    ],
)
def test_malformed_chunks(data: bytes, message: str) -> None:
    body = chunked(data)
    with pytest.raises(ChunkReadError, match=message):
        body.read()
    with pytest.raises(ChunkReadError):
        body.read(1)
    assert body.failed is not None and body.failed.status == 400


def test_an_end_within_a_chunk_is_an_oserror() -> None:
    body = chunked(b"a\r\nhel")
    for _ in range(2):
        with pytest.raises(EarlyEndError) as caught:
            body.read()
        assert isinstance(caught.value, OSError) and not isinstance(caught.value, ValueError)


def test_an_end_before_the_length_only_makes_it_shorter() -> None:
    body = Input(BytesIO(b"hel"), 5, None)
    assert not body.cut_short
    assert body.read() == b"hel" and body.read() == b""
    assert body.cut_short and not body.ended


def test_a_time_limit_of_the_socket_is_a_timeout_error() -> None:
    class Slow(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise TimeoutError

    body = Input(Slow(), 5, None)
    with pytest.raises(TimeoutError) as caught:
        body.read()
    assert isinstance(caught.value, BodyTimeoutError) and body.failed is not None and body.failed.status == 408


def test_what_is_left_is_discarded() -> None:
    file = BytesIO(b"x" * 50000 + b"GET")
    assert Input(file, 50000, None).discard()
    assert file.read() == b"GET"
    assert not Input(BytesIO(b"x"), 2, None).discard()


def test_the_first_read_says_100_continue_once() -> None:
    wfile = BytesIO()
    body = Input(BytesIO(b"hello"), 5, None, wfile, b"HTTP/1.1 100 Continue\r\n")
    body.set_hundred_continue_response_headers([("x-foo-bar", "1")])
    assert body.should_send_hundred_continue and body.waited_for
    body.read(1)
    body.read()
    assert wfile.getvalue() == b"HTTP/1.1 100 Continue\r\nX-Foo-Bar: 1\r\n\r\n"
    assert body.is_hundred_continue_response_sent and not body.waited_for


def test_no_100_continue_when_the_answer_is_on_its_way() -> None:
    wfile = BytesIO()
    body = Input(BytesIO(b"hello"), 5, None, wfile, b"HTTP/1.1 100 Continue\r\n")
    body.started = lambda: True
    assert body.read() == b"hello" and wfile.getvalue() == b""


def test_a_line_end_in_a_header_of_100_continue_is_refused() -> None:
    body = Input(BytesIO(b"hello"), 5, None, BytesIO(), b"HTTP/1.1 100 Continue\r\n")
    body.set_hundred_continue_response_headers([("X", "a\r\nY: b")])
    with pytest.raises(ValueError, match="no header may have"):
        body.read()


def test_after_another_100_continue_another_body_in_chunks_may_come(serve_eventlet: ServeEventlet) -> None:
    def commit(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"]
        first = body.read()
        body.set_hundred_continue_response_headers([("X-Commit", "yes")], capitalize_response_headers=False)
        body.send_hundred_continue_response()
        second = body.read()
        start_response("200 OK", [])
        return [first + b"+" + second]

    client = serve_eventlet(commit).connect()
    client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
    assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"3\r\none\r\n0\r\n\r\n")
    assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\nX-Commit: yes\r\n\r\n"
    client.send(b"3\r\ntwo\r\n0\r\n\r\n")
    assert client.answer().body == b"one+two"
    assert client.get().status == 200


def test_the_socket_can_be_had_for_any_request(serve_eventlet: ServeEventlet) -> None:
    def peer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["eventlet.input"].get_socket().getpeername()[0].encode()]

    client = serve_eventlet(peer).connect()
    assert client.get().body == b"127.0.0.1"
    assert client.get().body == b"127.0.0.1"
