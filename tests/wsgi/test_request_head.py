"""Which heads are let in, and what they say about the body. Every case is bytes over a real socket."""

from typing import Any

import pytest

from greening.wsgi import request_head as head_module
from greening.wsgi.errors import Refused
from greening.wsgi.limits import Limits
from greening.wsgi.request_head import read_head

HOST = b"Host: a\r\n"
GET = b"GET / HTTP/1.1\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\rHost: a\r\n\r\n", 400),
        (GET + b"Host: a\nX: y\r\n\r\n", 400),
        (GET + b"Host: a\r\nX: a\rb\r\n\r\n", 400),
        (GET + b"Host: a\n\n", 400),
        (b"\r\n\r\n" + GET + HOST + b"\r\n", 400),
        (b"\n" + GET + HOST + b"\r\n", 400),
        (b"   \r\n\r\n", 400),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03abcdefgh\r\n\r\n", 400),
    ],
)
def test_lines_end_in_cr_lf(serve: Any, data: bytes, status: int) -> None:
    serve().refuses(data, status)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /", 400),
        (b"GET", 400),
        (b"GET HTTP/1.1", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET /  HTTP/1.1", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b" GET / HTTP/1.1", 400),
        (b"GET\t/ HTTP/1.1", 400),
        (b"GET /a b HTTP/1.1", 400),
        (b"G@T / HTTP/1.1", 400),
        (b"GET\x00 / HTTP/1.1", 400),
        (b"GET: / HTTP/1.1", 400),
        (b"G\xc3\x89T / HTTP/1.1", 400),
        (b"FOOBAR / HTTP/1.1", 501),
        (b"get / HTTP/1.1", 501),
        (b"GET / http/1.1", 400),
        (b"GET / HTTP/1", 400),
        (b"GET / HTTP/01.1", 400),
        (b"GET / HTTP/1.1.1", 400),
        (b"GET / HTTP/ 1.1", 400),
        (b"GET / HTTP/1.x", 400),
        (b"GET / XTTP/1.1", 400),
        (b"GET / HTTP/0.9", 505),
        (b"GET / HTTP/2.0", 505),
        (b"PRI * HTTP/2.0", 505),
        (b"HTTP/1.1 GET /", 400),
    ],
)
def test_request_lines_that_are_none(serve: Any, line: bytes, status: int) -> None:
    serve().refuses(line + b"\r\n" + HOST + b"\r\n", status)


@pytest.mark.parametrize(
    "target",
    [
        b"*",
        b"a",
        b"a/b",
        b"example.com:443",
        b"//\x7f",
        b"/\xc3\xa9",
        b"/\x00",
        b"/\x01",
        b"/a#b",
        b"/%00",
        b"ftp://a/",
        b"http:///a",
        b"http://",
        b"http://user@a/",
        b"http://a:b/",
        b"http://a:99999/",
        b"http://[::1/",
        b"http://[1::2::3]/",
        b"http://a,b/",
        b"http:/a",
    ],
)
def test_targets_that_are_none(serve: Any, target: bytes) -> None:
    serve().refuses(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        (b"/", "/", "", "a"),
        (b"/a/b?c=d&e", "/a/b", "c=d&e", "a"),
        (b"/a?b?c", "/a", "b?c", "a"),
        (b"//a///b", "//a///b", "", "a"),
        (b"/%41%2f%C3%A9", "/A/\xc3\xa9", "", "a"),
        (b"/a?%zz|{}[]^`", "/a", "%zz|{}[]^`", "a"),
        (b"/;a,b@c:d!$&'()*+=~", "/;a,b@c:d!$&'()*+=~", "", "a"),
        # What browsers send as it is (a lone percent sign, a backslash in a query), and what other clients do.
        (b"/s?path=C:\\dir", "/s", "path=C:\\dir", "a"),
        (b"/100%", "/100%", "", "a"),
        (b"/%", "/%", "", "a"),
        (b"/%4/%zz%41", "/%4/%zzA", "", "a"),
        (b'/a"b<c>\\d?"<>', '/a"b<c>\\d', '"<>', "a"),
        (b"http://b.example/c?d", "/c", "d", "b.example"),
        (b"HTTPS://b:8080/c", "/c", "", "b:8080"),
        (b"http://b", "/", "", "b"),
        (b"http://b?c", "/", "c", "b"),
        (b"http://[::1]:80/", "/", "", "[::1]:80"),
    ],
)
def test_targets(serve: Any, target: bytes, path: str, query: str, host: str) -> None:
    told = serve().accepts(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (told["PATH_INFO"], told["QUERY_STRING"], told["HTTP_HOST"]) == (path, query, host)
    assert told["wsgi.url_scheme"] == "http"


def test_methods_of_an_applications_own() -> None:
    for method in (b"SSYNC", b"BAN", b"X-OWN_METHOD", b"GET"):
        head = read_head(b"\r\n" + method + b" / HTTP/1.1\r\nHost: a\r\n\r\n", Limits(), any_method=True)
        assert head.method == method.decode()
    for method in (b"get", b"Get", b"-X", b"CONNECT"):
        with pytest.raises(Refused):
            read_head(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n", Limits(), any_method=True)


@pytest.mark.parametrize("version", [b"1.2", b"1.9"])
def test_a_later_minor_version_is_served_as_the_one_that_is_known(serve: Any, version: bytes) -> None:
    """RFC 9110 2.5."""
    client = serve().connect()
    told = client.ask(b"GET /a HTTP/" + version + b"\r\nHost: a\r\nX: HTTP/1.2\r\n\r\n").told
    assert (told["PATH_INFO"], told["SERVER_PROTOCOL"], told["HTTP_X"]) == ("/a", "HTTP/1.1", "HTTP/1.2")
    assert client.get().status == 200, "the connection is kept, as in 1.1"


def test_a_missing_host_may_be_let_pass() -> None:
    assert "HTTP_HOST" not in read_head(b"GET / HTTP/1.1\r\n\r\n", Limits(), needs_host=False).environ
    with pytest.raises(Refused, match="Host"):
        read_head(b"GET / HTTP/1.1\r\n\r\n", Limits())


def test_options_asks_about_the_whole_server(serve: Any) -> None:
    told = serve().accepts(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (told["REQUEST_METHOD"], told["PATH_INFO"]) == ("OPTIONS", "*")


@pytest.mark.parametrize("target", [b"/", b"*", b"a", b"a:", b":80", b"http://a:80/", b"a:80/", b"u@a:80", b"a:66666"])
def test_connect_names_a_host_and_a_port(serve: Any, target: bytes) -> None:
    serve().refuses(b"CONNECT " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")


def test_a_connection_ends_with_connect(serve: Any) -> None:
    """RFC 9931: what the client sends behind it may be anything."""
    seen = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append((environ["REQUEST_METHOD"], environ["RAW_PATH_INFO"]))
        start_response("200 OK", [("Content-Length", "2")])
        return [b"no"]

    client = serve(app).connect()
    client.send(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = client.answer(head_only=True)
    assert answer.fields["connection"] == "close"
    assert not answer.fields.keys() & {"content-length", "transfer-encoding"}
    assert client.is_closed
    assert seen == [("CONNECT", "a:443")]


@pytest.mark.parametrize(
    "fields",
    [
        b"",
        b"X: y\r\n",
        b"Host: a\r\nHost: a\r\n",
        b"Host: a\r\nhost: b\r\n",
        b"Host:\r\n",
        b"Host: \r\n",
        b"Host: a b\r\n",
        b"Host: a,b\r\n",
        b"Host: a/b\r\n",
        b"Host: u@a\r\n",
        b"Host: a?b\r\n",
        b"Host: http://a\r\n",
        b"Host: a:b\r\n",
        b"Host: a:1:2\r\n",
        b"Host: a:65536\r\n",
        b"Host: [::1\r\n",
        b"Host: [g::1]\r\n",
        b"Host: []\r\n",
        b"Host: [::1]a\r\n",
        b"Host: a%zz\r\n",
        b"Host: \xc3\xa9\r\n",
        b"Host: a\x00b\r\n",
        b"Host: a\x0bb\r\n",
        b"Host: " + b"a" * 301 + b"\r\n",
    ],
)
def test_hosts_that_are_none(serve: Any, fields: bytes) -> None:
    serve().refuses(GET + fields + b"\r\n")


@pytest.mark.parametrize(
    "host", [b"a", b"a:", b"A.example:8080", b"127.0.0.1:1", b"[::1]", b"[::ffff:1.2.3.4]:80", b"a_b%41"]
)
def test_hosts(serve: Any, host: bytes) -> None:
    assert serve().accepts(GET + b"Host:\t" + host + b" \t\r\n\r\n")["HTTP_HOST"] == host.decode()


def test_http_1_0_needs_no_host_but_only_a_good_one(serve: Any) -> None:
    running = serve()
    assert "HTTP_HOST" not in running.accepts(b"GET / HTTP/1.0\r\n\r\n")
    assert running.accepts(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert running.accepts(b"GET http://b/ HTTP/1.0\r\n\r\n")["HTTP_HOST"] == "b"
    running.refuses(b"GET / HTTP/1.0\r\nHost: a/b\r\n\r\n")
    running.refuses(b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n")


def test_an_absolute_target_needs_a_host_all_the_same(serve: Any) -> None:
    running = serve()
    running.refuses(b"GET http://a/ HTTP/1.1\r\n\r\n")
    running.refuses(b"GET http://a/ HTTP/1.1\r\nHost: a/b\r\n\r\n")


@pytest.mark.parametrize(
    "line",
    [
        b"X : y",
        b"X\t: y",
        b" X: y",
        b"\tX: y",
        b": y",
        b"X",
        b"X y",
        b"X@: y",
        b"X\x00: y",
        b"X(: y",
        b'X": y',
        b"X\xc3\xa9: y",
        b"X: a\x00b",
        b"X: a\x01b",
        b"X: a\x0bb",
        b"X: a\x1bb",
        b"X: a\x7fb",
        b"X: a\r\n b",
        b"X: a\r\n\tb",
        b"X:\r\n b",
        b"X: a\nY: b",
        b"X: a\rY: b",
    ],
)
def test_fields_that_are_none(serve: Any, line: bytes) -> None:
    running = serve()
    running.refuses(GET + HOST + line + b"\r\n\r\n")
    running.refuses(GET + line + b"\r\n" + HOST + b"\r\n")


def test_fields_reach_the_environ(serve: Any) -> None:
    told = serve().accepts(
        GET + HOST + b"X.Y!#$%&'*+-^`|~1: z\r\nEmpty:\r\nPadded: \t a  b \t \r\nBytes: \xa0\xc3\xa9\x85\r\n"
        b"Twice: 1\r\nTwice: 2\r\ntwice: 3\r\nCookie: a=1\r\nCookie: b=2\r\nContent-Type: text/x\r\n\r\n"
    )
    assert told["HTTP_X.Y!#$%&'*+_^`|~1"] == "z"
    assert told["HTTP_EMPTY"] == ""
    assert told["HTTP_PADDED"] == "a  b"
    assert told["HTTP_BYTES"] == "\xa0\xc3\xa9\x85"
    assert told["HTTP_TWICE"] == "1,2,3"
    assert told["HTTP_COOKIE"] == "a=1; b=2"
    assert told["CONTENT_TYPE"] == "text/x"
    assert "HTTP_CONTENT_TYPE" not in told


def test_names_that_would_pass_for_others_are_left_out(serve: Any) -> None:
    told = serve().accepts(
        GET + HOST + b"X_Y: 1\r\nX-Z_: 2\r\nProxy: http://evil/\r\nContent_Length: 5\r\nRemote_Addr: 6.6.6.6\r\n\r\n"
    )
    assert not [key for key in told if key.startswith(("HTTP_X", "HTTP_PROXY", "HTTP_CONTENT", "HTTP_REMOTE"))]
    assert told["REMOTE_ADDR"] == "127.0.0.1"
    assert "CONTENT_LENGTH" not in told


def test_a_second_content_type_is_refused(serve: Any) -> None:
    serve().refuses(GET + HOST + b"Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n")


def test_fields_are_there_as_they_came_too(serve: Any) -> None:
    seen = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(environ["eventlet.headers_raw"])
        start_response("204 No Content", [])
        return []

    assert serve(app).connect().ask(GET + b"host: a\r\nX_y:  1 \r\nX-y: 2\r\nX-y: 3\r\n\r\n").status == 204
    assert seen == [(("host", "a"), ("X_y", "1"), ("X-y", "2"), ("X-y", "3"))]


def test_limits(serve: Any) -> None:
    running = serve(url_length_limit=100)
    running.accepts(b"GET /" + b"a" * 99 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    running.refuses(b"GET /" + b"a" * 100 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414)
    running.refuses(b"GET /" + b"a" * 300, 414)
    running.accepts(GET + HOST + b"X: y\r\n" * 99 + b"\r\n")
    running.refuses(GET + HOST + b"X: y\r\n" * 100 + b"\r\n", 431)
    running.accepts(GET + HOST + b"X: " + b"y" * 60000 + b"\r\n\r\n")
    running.refuses(GET + HOST + b"X: " + b"y" * 66000 + b"\r\n\r\n", 431)
    running.refuses(GET + HOST + b"X: " + b"y" * 66000, 431)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\n",
        b"GET / HTTP/9.9\r\n",
        b"GE\x00",
        b" ",
        GET + b" ",
        GET + b"Host: a\r\nX : y\r\n",
        GET + b"Host: a\r\nX: y\n",
        GET + b"Host: a\r\nX: y\r\n folded\r\n",
        GET + b"Host: a\r\nX: \x00",
    ],
)
def test_a_head_that_can_become_none_is_refused_before_it_is_complete(serve: Any, data: bytes) -> None:
    client = serve().connect()
    client.send(data)
    assert client.answer().status in (400, 505)
    assert client.is_closed


def test_what_is_remembered_is_bounded(serve: Any) -> None:
    """Names and hosts are the client's: many, and long ones, must not stay."""
    running = serve()
    for number in range(30):
        names = b"".join(b"N%d-%d: x\r\n" % (number, name) for name in range(50))
        running.accepts(b"GET / HTTP/1.1\r\nHost: a%d\r\n%bL%b: y\r\n\r\n" % (number, names, b"o" * 20000))
        assert sum(map(len, head_module._names)) < 512 * 64
        assert len(head_module._hosts) <= 512


def test_expectations(serve: Any) -> None:
    running = serve()
    running.accepts(GET + HOST + b"Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n")
    running.refuses(GET + HOST + b"Expect: 100-continue\r\nExpect: 200-ok\r\n\r\n", 417)
    running.refuses(GET + HOST + b"Expect: 200-ok\r\n\r\n", 417)
    running.accepts(GET + HOST + b"Expect: 100-Continue\r\n\r\n")
    running.accepts(b"GET / HTTP/1.0\r\nExpect: 200-ok\r\n\r\n")


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
        (b"Content-Length: 5\r\nTransfer-Encoding: identity\r\n", 501),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding: chunked, chunked\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 501),
        (b"Transfer-Encoding: chunked, gzip\r\n", 400),
        (b"Transfer-Encoding: gzip\r\n", 501),
        (b"Transfer-Encoding: identity\r\n", 501),
        (b"Transfer-Encoding: gzip, chunked\r\n", 501),
        (b"Transfer-Encoding: , chunked\r\n", 501),
        (b"Transfer-Encoding: chunked,\r\n", 400),
        (b"Transfer-Encoding: chunked;a=b\r\n", 400),
        (b"Transfer-Encoding: xchunked\r\n", 501),
        (b"Transfer-Encoding: chunkedchunked\r\n", 501),
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
    assert client.answer().status == status
    assert client.is_closed


def test_an_empty_transfer_encoding_is_none(serve: Any) -> None:
    """llhttp refuses it, and older versions of it let it pass: then it is no coding that is known."""
    client = serve().connect()
    client.send(POST + b"Transfer-Encoding:\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + SMUGGLED)
    assert client.answer().status in (400, 501)
    assert client.is_closed


def test_http_1_0_has_no_transfer_encoding(serve: Any) -> None:
    serve().refuses(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED)


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b"\tCHUNKED \t"])
def test_chunked(serve: Any, value: bytes) -> None:
    data = POST + b"Transfer-Encoding:" + value + b"\r\n\r\n"
    assert serve().accepts(data + b"5\r\nhello\r\n0\r\n\r\n")["body"] == "hello"


def test_only_so_many_hosts_are_remembered() -> None:
    for number in range(1100):
        host = f"host{number}"
        head = read_head(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host.encode(), Limits())
        assert head.environ["HTTP_HOST"] == host
        assert host in head_module._hosts
        assert len(head_module._hosts) <= 512
