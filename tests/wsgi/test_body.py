"""`wsgi.input`: a file of just the body; 100 Continue; what a body that does not come means."""

from typing import Any

import pytest

from greening.testing import settle
from greening.wsgi.errors import BadBody
from greening.wsgi.limits import Limits

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
BODY = b"one\ntwo\n\nthree"


def framed(body: bytes, chunk: int) -> bytes:
    if not chunk:
        return POST + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    pieces = [body[at : at + chunk] for at in range(0, len(body), chunk)]
    return (
        POST
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
    )


def asked(serve: Any, data: bytes, read: Any) -> Any:
    """What `read(wsgi.input)` gives in an application."""
    seen = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(read(environ["wsgi.input"]))
        start_response("204 No Content", [])
        return []

    client = serve(app).connect()
    assert client.ask(data).status == 204
    assert client.ask(data).status == 204, "the connection goes on"
    assert seen[0] == seen[1]
    return seen[0]


@pytest.mark.parametrize("chunk", [0, 1, 3, 100])
@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda file: file.read(), BODY),
        (lambda file: file.read(-1), BODY),
        (lambda file: file.read(None), BODY),
        (lambda file: file.read(1000), BODY),
        (lambda file: file.read(0), b""),
        (lambda file: [file.read(5), file.read(5), file.read(5), file.read(5)], [BODY[:5], BODY[5:10], BODY[10:], b""]),
        (lambda file: list(file), [b"one\n", b"two\n", b"\n", b"three"]),
        (lambda file: file.readlines(), [b"one\n", b"two\n", b"\n", b"three"]),
        (lambda file: [file.readlines(5), file.readlines(0)], [[b"one\n", b"two\n"], [b"\n", b"three"]]),
        (lambda file: [file.readline(2), file.readline(2), file.readline(100)], [b"on", b"e\n", b"two\n"]),
        (
            lambda file: [file.readline(), file.read(2), file.readline(), file.read()],
            [b"one\n", b"tw", b"o\n", b"\nthree"],
        ),
        (lambda file: [file.readline(0), file.read(3), file.readline(1)], [b"", b"one", b"\n"]),
    ],
)
def test_reading(serve: Any, chunk: int, read: Any, expected: Any) -> None:
    assert asked(serve, framed(BODY, chunk), read) == expected


@pytest.mark.parametrize("chunk", [0, 5000, 100000])
def test_long_bodies(serve: Any, chunk: int) -> None:
    body = bytes(range(256)) * 4096
    assert asked(serve, framed(body, chunk), lambda file: file.read() == body)
    assert asked(serve, framed(body, chunk), lambda file: b"".join(file) == body)
    assert asked(serve, framed(body, chunk), lambda file: b"".join(iter(lambda: file.read(1000), b"")) == body)


def test_no_body(serve: Any) -> None:
    read = lambda file: [file.read(), file.read(5), file.readline(), list(file)]  # noqa: E731  # as the others here
    assert asked(serve, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", read) == [b"", b"", b"", []]
    assert asked(serve, POST + b"\r\n", read) == [b"", b"", b"", []]


def test_100_continue_is_sent_when_the_body_is_read(serve: Any) -> None:
    client = serve().connect()
    for framing in (b"Content-Length: 5", b"Transfer-Encoding: chunked"):
        client.send(POST + framing + b"\r\nExpect: 100-continue\r\n\r\n")
        assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"hello" if b"Length" in framing else b"5\r\nhello\r\n0\r\n\r\n")
        assert client.answer().told["body"] == "hello"


def test_100_continue_is_left_out_when_the_body_is_there(serve: Any) -> None:
    client = serve().connect()
    client.send(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
    assert client.answer().told["body"] == "hello"


def test_no_100_continue_for_http_1_0(serve: Any) -> None:
    client = serve().connect()
    client.send(b"POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    settle()
    client.send(b"hello")
    assert client.answer().told["body"] == "hello"


def test_100_continue_may_have_fields(serve: Any) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"]
        with pytest.raises(ValueError):
            body.set_hundred_continue_response_headers([("X", "a\r\nb")])
        body.set_hundred_continue_response_headers([("x-hint", "1")])
        body.read()
        start_response("204 No Content", [])
        return []

    client = serve(app).connect()
    client.send(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\nX-Hint: 1\r\n\r\n"
    client.send(b"hello")
    assert client.answer().status == 204


@pytest.mark.parametrize("late", [False, True])
def test_a_body_that_was_waited_for_and_not_read_ends_the_connection(serve: Any, late: bool) -> None:
    """It may never come. Read after the response has begun, it is not asked for any more."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        yield b"no"
        if late:
            environ["wsgi.input"].read()

    client = serve(app, limits=Limits(body_timeout=0.05)).connect()
    client.send(POST + b"Content-Length: 40\r\nExpect: 100-continue\r\n\r\n")
    answer_head = client.until(b"\r\n\r\n")
    assert b"200 OK" in answer_head and b"Connection: close" in answer_head
    client.send(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"HTTP/1.1" not in client.rest()


def test_errors_of_reading_are_told_as_such(serve: Any) -> None:
    seen = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        for _ in range(2):
            try:
                environ["wsgi.input"].read()
            except OSError as error:
                seen.append((type(error), error.status))  # type: ignore[attr-defined]  # BadBody's
        start_response("200 OK", [])
        return [b"all the same"]

    client = serve(app).connect()
    client.send(POST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n")
    assert client.answer().body == b"all the same"
    assert client.is_closed
    assert seen == [(BadBody, 400)] * 2
