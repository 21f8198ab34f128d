"""Where a body ends, and what comes after it: never two requests out of one."""

from typing import Any

import pytest

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\ncontent-length: 5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: 5,\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: \r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: -0\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5_0\r\n",
        b"Content-Length: 5 0\r\n",
        b"Content-Length: 5.0\r\n",
        b"Content-Length: five\r\n",
        b"Content-Length: \xb2\r\n",
        b"Content-Length: \xd9\xa4\r\n",
        b"Content-Length: 5\x0b\r\n",
        b"Content-Length: 5\xa0\r\n",
        b"Content-Length : 5\r\n",
        b"Content-Length: 9223372036854775808\r\n",
        b"Content-Length: " + b"9" * 5000 + b"\r\n",
    ],
)
def test_content_lengths_that_are_none(serve: Any, fields: bytes) -> None:
    serve().refuses(POST + fields + b"\r\nhello" + SMUGGLED)


@pytest.mark.parametrize("value", [b"5", b"005", b" 5 ", b"\t5\t"])
def test_content_lengths(serve: Any, value: bytes) -> None:
    assert serve().accepts(POST + b"content-LENGTH:" + value + b"\r\n\r\nhello")["body"] == "hello"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Content-Length: 5\r\nTransfer-Encoding: identity\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding: chunked, chunked\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 400),
        (b"Transfer-Encoding: chunked, gzip\r\n", 400),
        (b"Transfer-Encoding: gzip\r\n", 501),
        (b"Transfer-Encoding: identity\r\n", 501),
        (b"Transfer-Encoding: gzip, chunked\r\n", 501),
        (b"Transfer-Encoding: , chunked\r\n", 501),
        (b"Transfer-Encoding: chunked,\r\n", 400),
        (b"Transfer-Encoding: chunked;a=b\r\n", 400),
        (b"Transfer-Encoding: xchunked\r\n", 501),
        (b"Transfer-Encoding: chunkedchunked\r\n", 501),
        (b"Transfer-Encoding:\r\n", 400),
        (b'Transfer-Encoding: "chunked"\r\n', 400),
        (b"Transfer-Encoding: \x0bchunked\r\n", 400),
        (b"Transfer-Encoding: \x85chunked\r\n", 400),
        (b"Transfer-Encoding: chun\xe2\x84\xaaed\r\n", 400),
        (b"Transfer-Encoding:\r\n chunked\r\n", 400),
        (b"Transfer-Encoding : chunked\r\n", 400),
    ],
)
def test_transfer_encodings_that_are_none(serve: Any, fields: bytes, status: int) -> None:
    client = serve().connect()
    client.send(POST + fields + b"\r\n5\r\nhello\r\n0\r\n\r\n" + SMUGGLED)
    assert client.answer().status in {status, 400, 501}
    assert client.is_closed


def test_http_1_0_has_no_transfer_encoding(serve: Any) -> None:
    serve().refuses(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED)


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b"\tCHUNKED \t"])
def test_chunked(serve: Any, value: bytes) -> None:
    data = POST + b"Transfer-Encoding:" + value + b"\r\n\r\n"
    assert serve().accepts(data + b"5\r\nhello\r\n0\r\n\r\n")["body"] == "hello"


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
def test_a_bad_body_that_nobody_reads_ends_the_connection(serve: Any, data: bytes) -> None:
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


@pytest.mark.parametrize(
    "data", [CHUNKED, CHUNKED + b"5\r\nhel", CHUNKED + b"0\r\n", POST + b"Content-Length: 5\r\n\r\nhell"]
)
def test_a_body_that_is_cut_off_is_not_taken_for_a_whole_one(serve: Any, data: bytes) -> None:
    client = serve().connect()
    client.send(data)
    client.sock.shutdown(1)
    assert b" 200 " not in client.rest()


def test_pipelined_requests_are_answered_in_order(serve: Any) -> None:
    client = serve().connect()
    client.send(
        b"".join(
            b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\nGET /%d/get HTTP/1.1\r\nHost: a\r\n\r\n"
            % (number, number)
            for number in range(50)
        )
    )
    for number in range(50):
        told = client.answer().told
        assert (told["PATH_INFO"], told["body"]) == (f"/{number}", "abc")
        assert client.answer().told["PATH_INFO"] == f"/{number}/get"


def test_nothing_is_read_after_a_refusal(serve: Any) -> None:
    client = serve().connect()
    client.send(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n\r\n" + SMUGGLED)
    assert client.answer().status == 200
    assert client.answer().status == 400
    assert client.is_closed


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: X, \tCLOSE \t, keep-alive\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", False),
    ],
)
def test_connections_are_kept(serve: Any, data: bytes, kept: bool) -> None:
    client = serve().connect()
    answer = client.ask(data)
    assert answer.status == 200
    if not kept:
        assert answer.fields["connection"] == "close"
        client.send(SMUGGLED)
        assert client.is_closed
    else:
        assert answer.fields.get("connection") == ("keep-alive" if b"1.0" in data else None)
        assert client.ask(data).status == 200


def test_an_unread_body_is_not_taken_for_a_request(serve: Any) -> None:
    seen = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return [b"ok"]

    client = serve(app).connect()
    for body in (b"Content-Length: %d\r\n\r\n%b" % (len(SMUGGLED), SMUGGLED),
                 b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)):  # fmt: skip
        assert client.ask(POST + body).status == 200
    assert client.get("/next").status == 200
    assert seen == ["/", "/", "/next"]


def test_a_long_body_that_nobody_reads_ends_the_connection_after_the_answer(serve: Any) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"ok"]

    client = serve(app).connect()
    client.send(POST + b"Content-Length: %d\r\n\r\n" % (8 << 20))
    for _ in range(128):
        client.send(b"x" * 65536)
    answer = client.answer()
    assert (answer.status, answer.body, answer.fields["connection"]) == (200, b"ok", "close")
    assert client.is_closed
