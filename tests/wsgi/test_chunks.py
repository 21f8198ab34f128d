"""The chunked coding: where a body ends, and that nothing in it is taken for a request."""

from typing import Any

import pytest

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"0\r\n\r\n", ""),
        (b"000\r\n\r\n", ""),
        (b"0005\r\nhello\r\n0\r\n\r\n", "hello"),
        (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
        (b"2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        (b"1;a\r\nx\r\n0;b=c\r\n\r\n", "x"),
        (b'1 ; a = "b \\" ; \xff" ;c\r\nx\r\n0\r\n\r\n', "x"),
        (b"1\r\nx\r\n0\r\nVary: *\r\nX-Sum: 1\r\nContent-Type: x/y\r\n\r\n", "x"),
    ],
)
def test_chunks(serve: Any, data: bytes, body: str) -> None:
    running = serve()
    client = running.connect()
    client.send(CHUNKED + data + b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    told = client.answer().told
    assert told["body"] == body
    assert not {"HTTP_VARY", "HTTP_X_SUM", "CONTENT_TYPE"} & told.keys(), "trailers are thrown away"
    assert client.answer().told["PATH_INFO"] == "/next"
    for byte in CHUNKED + data:
        client.send(bytes((byte,)))
    assert client.answer().told["body"] == body


BAD_CHUNKS = [
    b"\r\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"5\rhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"\x0b5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5_0\r\nhello\r\n0\r\n\r\n",
    b"5g\r\nhello\r\n0\r\n\r\n",
    b"\xd9\xa4\r\nhello\r\n0\r\n\r\n",
    b"5\x00\r\nhello\r\n0\r\n\r\n",
    b"5,5\r\nhello\r\n0\r\n\r\n",
    b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    b"FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    b"5;\r\nhello\r\n0\r\n\r\n",
    b"5;=a\r\nhello\r\n0\r\n\r\n",
    b"5;a=\r\nhello\r\n0\r\n\r\n",
    b"5;a=b c\r\nhello\r\n0\r\n\r\n",
    b'5;a="b\r\nhello\r\n0\r\n\r\n',
    b'5;a="\x01"\r\nhello\r\n0\r\n\r\n',
    b"5;a[\r\nhello\r\n0\r\n\r\n",
    b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    b"5 a\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\r\nhello!!\r\n0\r\n\r\n",
    b"5\r\nhello__0\r\n\r\n",
    b"5\r\nhello\r_0\r\n\r\n",
    b"5\r\nhello_\n0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello\r\n\r\n",
    b"0\r\nX : y\r\n\r\n",
    b"0\r\nX\r\n\r\n",
    b"0\r\n: y\r\n\r\n",
    b"0\r\nX: a\x00b\r\n\r\n",
    b"0\r\nX: a\r\n b\r\n\r\n",
    b"0\r\nX: a\n\r\n\r\n",
    b"0\r\nContent-Length: 5\r\n\r\n",
    b"0\r\ntransfer-encoding: chunked\r\n\r\n",
    b"0\r\nHost: b\r\n\r\n",
    b"0\r\nGET / HTTP/1.1\r\n\r\n",
    b"0\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
    b"1" * 5000,
]


@pytest.mark.parametrize("data", BAD_CHUNKS)
def test_chunks_that_are_none(serve: Any, data: bytes) -> None:
    serve().refuses(CHUNKED + data + SMUGGLED)


@pytest.mark.parametrize("data", BAD_CHUNKS)
def test_a_bad_body_that_is_not_read_ends_the_connection(serve: Any, data: bytes) -> None:
    seen = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return [b"ok"]

    client = serve(app).connect()
    client.send(CHUNKED + data + SMUGGLED)
    assert client.answer().status == 200
    assert client.is_closed
    assert seen == ["/"]


def test_what_stands_between_chunks_is_bounded_as_a_whole(serve: Any) -> None:
    """Small chunks with long extensions cost much and bring little: Go's CVE-2023-39326."""
    running = serve()
    running.refuses(CHUNKED + (b"1;" + b"a" * 2000 + b"\r\nx\r\n") * 100)
    assert len(running.accepts(CHUNKED + b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n")["body"]) == 5000
