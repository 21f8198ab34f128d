"""The application's status and field lines: which can be sent, and how they are sent."""

from typing import Any

import pytest

from greening.wsgi import headers as headers_module

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def answering(status: str, headers: Any, body: Any) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, headers)
        return body() if callable(body) else body

    return app


BAD_HEADERS = [
    ("X", "a\r\nInjected: b"),
    ("X", "a\nb"),
    ("X", "a\rb"),
    ("X", "a\x00b"),
    ("X", "a\x1bb"),
    ("X", "a\x7fb"),
    ("X", "\u20ac"),
    ("X", b"a"),
    ("X", 1),
    ("X", None),
    ("X:", "a"),
    ("X ", "a"),
    ("", "a"),
    ("X\r\nInjected", "a"),
    ("\xe9", "a"),
    (b"X", "a"),
    ("Content-Length", "5, 5"),
    ("Content-Length", "-1"),
    ("Content-Length", "+1"),
    ("Content-Length", ""),
    ("X",),
    ("X", "a", "b"),
    ["X", "a"],
    "X",
]


@pytest.mark.parametrize("header", BAD_HEADERS)
def test_headers_that_cannot_be_sent(serve: Any, header: Any) -> None:
    running = serve(answering("200 OK", [("A", "b"), header], [b"hello"]))
    client = running.connect()
    client.send(GET)
    said = client.rest()
    assert said.startswith(b"HTTP/1.1 500 ") and b"njected" not in said
    assert "Traceback" in running.log.getvalue()


@pytest.mark.parametrize(
    "status",
    ["", "200\r\nX: y", "200 OK\nX: y", "200 \x00", "20 OK", "2000 OK", "OK", "200OK", "099 X", "100 Continue", "101 X",
     "199 X", b"200 OK", 200, None, "200 \u20ac"],
)  # fmt: skip
def test_statuses_that_cannot_be_sent(serve: Any, status: Any) -> None:
    running = serve(answering(status, [], [b"hello"]))
    client = running.connect()
    client.send(GET)
    assert client.rest().startswith(b"HTTP/1.1 500 ")
    assert "Traceback" in running.log.getvalue()


def test_statuses(serve: Any) -> None:
    for status, line in (("200", b"200 "), ("299 \xe9 !", b"299 \xe9 !"), ("999 X", b"999 X"), ("404 ", b"404 ")):
        client = serve(answering(status, [], [])).connect()
        client.send(GET)
        assert client.until(b"\r\n") == b"HTTP/1.1 " + line + b"\r\n"


def test_two_lengths_are_an_error(serve: Any) -> None:
    app = answering("200 OK", [("Content-Length", "5"), ("content-length", "5")], [b"hello"])
    assert serve(app).connect().get().status == 500


def test_the_names_of_headers_are_capitalized(serve: Any) -> None:
    app = answering("200 OK", [("x-FOO-bar", "aB"), ("ETag", "1")], [])
    for capitalize, names in ((True, (b"X-Foo-Bar: aB", b"Etag: 1")), (False, (b"x-FOO-bar: aB", b"ETag: 1"))):
        client = serve(app, capitalize_response_headers=capitalize).connect()
        client.send(GET)
        head = client.until(b"\r\n\r\n")
        assert all(b"\r\n" + name + b"\r\n" in head for name in names)


def test_an_application_may_have_its_own_date_and_server(serve: Any) -> None:
    for own, given in ((("Date", "now"), "server"), (("Server", "mine"), "date")):
        fields = serve(answering("200 OK", [own], [])).connect().get().fields
        assert fields[own[0].lower()] == own[1] and given in fields
    both = serve(answering("200 OK", [("Date", "now"), ("Server", "mine")], [])).connect().get().fields
    assert (both["date"], both["server"]) == ("now", "mine")


def test_connections_are_the_server_s_business(serve: Any) -> None:
    headers = [
        ("Transfer-Encoding", "chunked"),
        ("Keep-Alive", "1"),
        ("Upgrade", "x"),
        ("Connection", "keep-alive, upgrade"),
    ]
    client = serve(answering("200 OK", headers, [b"5\r\nhello\r\n0\r\n\r\n"])).connect()
    for _ in range(2):
        answer = client.ask(GET)
        assert answer.fields.keys() == {"date", "server", "content-length"}
        assert answer.body == b"5\r\nhello\r\n0\r\n\r\n"
    client = serve(answering("200 OK", [("connection", "Close")], [b"x"])).connect()
    assert client.ask(GET).fields["connection"] == "close"
    assert client.is_closed


def test_what_is_remembered_of_headers_is_bounded(serve: Any) -> None:
    """Values may come from clients: many, long ones, and cookies must not stay."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        number = environ["PATH_INFO"].removeprefix("/")
        many = [(f"X-{each}", number) for each in range(300)]
        start_response(f"200 OK {number}", [*many, ("Long", "x" * 600), ("Set-Cookie", f"secret={number}")])
        return [b""]

    running = serve(app)
    client = running.connect()
    for number in range(6):
        assert client.get(f"/{number}").status == 200
    known = headers_module._lines
    assert len(known) <= 1024
    assert not [name for name, _ in known if name in ("Long", "Set-Cookie")]
    assert not running.server.answers


def test_statuses_are_remembered_up_to_a_number() -> None:
    for number in range(2000):
        code, line = headers_module.status_line(f"200 OK {number}")
        assert (code, line) == (200, b"200 OK %d\r\n" % number)
    assert len(headers_module._statuses) <= 1024
