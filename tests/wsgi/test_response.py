"""What an application may answer, and what becomes of it: PEP 3333, RFC 9112."""

import sys
from typing import Any

import pytest

from greening.sync.event import Event
from greening.timeout import Timeout
from greening.wsgi.limits import Limits

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GET_1_0 = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"


def answering(status: str, headers: Any, body: Any) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, headers)
        return body() if callable(body) else body

    return app


def pieces(*parts: bytes) -> Any:
    return lambda: iter(parts)


@pytest.mark.parametrize("body", [[b"hello"], (b"hello",), [b"he", b"llo"], [b"", b"hello", b""]])
def test_a_list_has_a_length(serve: Any, body: Any) -> None:
    client = serve(answering("200 OK", [("X-A", "b")], body)).connect()
    for _ in range(2):
        answer = client.ask(GET)
        assert (answer.status, answer.body) == (200, b"hello")
        assert answer.fields.pop("date").endswith(" GMT")
        assert answer.fields == {"x-a": "b", "server": "greening", "content-length": "5"}


def test_a_long_list_has_a_length_too(serve: Any) -> None:
    client = serve(answering("200 OK", [], [b"a" * 70000, b"b"])).connect()
    answer = client.ask(GET)
    assert answer.fields["content-length"] == "70001" and answer.body == b"a" * 70000 + b"b"
    answer = client.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert len(answer.body) == 70001 and answer.fields["connection"] == "keep-alive"


class Broken:
    """An application that is an object."""

    def __init__(self, headers: list[Any], body: Any) -> None:
        self.headers, self.body = headers, body

    def __call__(self, environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", self.headers)
        if self.body is None:
            write("text")
        return self.body() if callable(self.body) else self.body


@pytest.mark.parametrize(
    ("headers", "body", "what"),
    [
        ([("X", 5)], [b""], "TypeError: a header's name and value are str, not 'X', 5"),
        ([("X", "a\r\nb")], [b""], "ValueError: the value of X has characters"),
        ([], ["text"], "TypeError: a body consists of bytes, not str"),
        ([], [b"", "text"], "TypeError: a body consists of bytes, not str"),
        ([], lambda: iter(["text"]), "TypeError: a body consists of bytes, not str"),
        ([], None, "TypeError: a body consists of bytes, not str"),
    ],
)
@pytest.mark.parametrize("target", [b"/p?q", b"http://h/p?q"])
def test_what_cannot_be_sent_is_told_with_the_application_and_the_url(
    serve: Any, headers: list[Any], body: Any, what: str, target: bytes
) -> None:
    running = serve(Broken(headers, body))
    assert running.connect().ask(b"POST %b HTTP/1.1\r\nHost: h\r\n\r\n" % target).status == 500
    last = running.log.getvalue().splitlines()[-1]
    assert last.startswith(what) and last.endswith("test_response.Broken answers POST http://h/p?q")


@pytest.mark.parametrize("body", [[], (), [b""], pieces(), pieces(b"", b"")])
def test_an_empty_body(serve: Any, body: Any) -> None:
    client = serve(answering("200 OK", [], body)).connect()
    for _ in range(2):
        answer = client.ask(GET)
        assert (answer.body, answer.fields["content-length"]) == (b"", "0")


def test_an_iterable_is_chunked(serve: Any) -> None:
    client = serve(answering("200 OK", [], pieces(b"he", b"", b"llo"))).connect()
    for _ in range(2):
        answer = client.ask(GET)
        assert (answer.body, answer.fields["transfer-encoding"]) == (b"hello", "chunked")
        assert "content-length" not in answer.fields


def test_an_iterable_with_a_length_is_not(serve: Any) -> None:
    client = serve(answering("200 OK", [("content-length", "5")], pieces(b"he", b"llo"))).connect()
    for _ in range(2):
        answer = client.ask(GET)
        assert (answer.body, answer.fields["content-length"]) == (b"hello", "5")
        assert "transfer-encoding" not in answer.fields


def test_an_http_1_0_client_gets_no_chunks(serve: Any) -> None:
    running = serve(answering("200 OK", [], pieces(b"he", b"llo")))
    assert running.connect().ask(GET_1_0).fields.keys() == {"date", "server", "connection"}
    client = running.connect()
    client.send(GET_1_0)
    assert client.rest().endswith(b"\r\n\r\nhello")


def test_a_server_may_pretend_to_be_http_1_0(serve: Any) -> None:
    client = serve(answering("200 OK", [], pieces(b"hello")), max_http_version="HTTP/1.0").connect()
    client.send(GET)
    said = client.rest()
    assert said.startswith(b"HTTP/1.0 200 OK\r\n") and said.endswith(b"Connection: close\r\n\r\nhello")


@pytest.mark.parametrize("body", [[b"hello"], pieces(b"he", b"llo")])
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_some_statuses_have_no_body(serve: Any, status: str, body: Any) -> None:
    client = serve(answering(status, [], body)).connect()
    for _ in range(2):
        assert client.ask(GET).fields.keys() == {"date", "server"}


def test_204_has_no_length(serve: Any) -> None:
    client = serve(answering("204 No Content", [("Content-Length", "5")], [])).connect()
    assert "content-length" not in client.ask(GET).fields
    assert "content-length" not in client.ask(GET).fields


def test_head_has_a_length_and_no_body(serve: Any) -> None:
    client = serve(answering("200 OK", [("Content-Length", "5")], [b"hello"])).connect()
    for _ in range(2):
        client.send(HEAD)
        assert client.answer(head_only=True).fields["content-length"] == "5"
    assert client.ask(GET).body == b"hello"


def test_never_more_than_content_length(serve: Any) -> None:
    for body in ([b"hello, world"], pieces(b"hel", b"lo, ", b"world"), [b"hello, ", b"world"]):
        running = serve(answering("200 OK", [("Content-Length", "5")], body))
        client = running.connect()
        assert client.ask(GET).body == b"hello"
        assert client.ask(GET).body == b"hello"
        assert "longer than its Content-Length" in running.log.getvalue()


def test_less_than_content_length_ends_the_connection(serve: Any) -> None:
    for body in ([b"hell"], pieces(b"he", b"ll"), [], pieces()):
        running = serve(answering("200 OK", [("Content-Length", "5")], body))
        client = running.connect()
        client.send(GET)
        client.until(b"\r\n\r\n")
        assert len(client.rest()) < 5
        assert "shorter than its Content-Length" in running.log.getvalue()


def test_write(serve: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [])
        write(b"")
        write(b"he")
        write(b"ll")
        return [b"", b"o"]

    client = serve(app).connect()
    for _ in range(2):
        assert client.ask(GET).body == b"hello"


def test_what_is_written_is_sent_at_once(serve: Any) -> None:
    more = Event()

    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [])
        write(b"first")
        more.wait()
        yield b"second"

    client = serve(app).connect()
    client.send(GET)
    client.until(b"first")
    more.send()
    client.until(b"second")


def test_small_pieces_may_be_gathered(serve: Any) -> None:
    app = answering("200 OK", [], pieces(b"a", b"b", b"c", b"d", b"e"))

    def asking(environ: Any, start_response: Any) -> Any:
        environ["eventlet.minimum_write_chunk_size"] = 2
        return app(environ, start_response)

    for running in (serve(app, minimum_chunk_size=2), serve(asking)):
        client = running.connect()
        client.send(GET)
        client.until(b"\r\n\r\n")
        assert client.until(b"0\r\n\r\n") == b"2\r\nab\r\n2\r\ncd\r\n1\r\ne\r\n0\r\n\r\n"


@pytest.mark.parametrize("bad", ["hello", bytearray(b"x"), 1, None])
@pytest.mark.parametrize("how", ["list", "iterator", "write", "first"])
def test_bodies_consist_of_bytes(serve: Any, bad: Any, how: str) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [])
        if how == "write":
            write(bad)
        return {"list": [bad], "first": [bad, b"x"]}.get(how) or iter([bad])

    assert serve(app).connect().get().status == 500


def test_start_response_has_to_be_called_once(serve: Any) -> None:
    def never(environ: Any, start_response: Any) -> Any:
        return [b"x"]

    def never_and_nothing(environ: Any, start_response: Any) -> Any:
        return iter(())

    def twice(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        start_response("200 OK", [])
        return []

    for app in (never, never_and_nothing, twice):
        assert serve(app).connect().get().status == 500


def test_start_response_may_be_called_by_the_iterable(serve: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        yield b"hello"

    assert serve(app).connect().get().body == b"hello"


def test_an_error_may_replace_a_response_that_has_not_begun(serve: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("X-Old", "1")])
        try:
            raise ValueError("oops")
        except ValueError:
            start_response("503 Later", [("X-New", "1")], sys.exc_info())
        return [b"sorry"]

    answer = serve(app).connect().get()
    assert (answer.status, answer.body) == (503, b"sorry")
    assert "x-new" in answer.fields and "x-old" not in answer.fields


def test_an_error_cannot_replace_a_response_that_has_begun(serve: Any) -> None:
    seen = []

    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [])
        write(b"begun")
        try:
            raise ValueError("oops")
        except ValueError:
            try:
                start_response("500 Sorry", [], sys.exc_info())
            except ValueError as error:
                seen.append(str(error))
                raise
        return []

    client = serve(app).connect()
    client.send(GET)
    assert client.rest().endswith(b"5\r\nbegun\r\n"), "no last chunk: it is not complete"
    assert seen == ["oops"]


@pytest.mark.parametrize("debug", [False, True])
def test_tracebacks_go_to_the_log(serve: Any, debug: bool) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise ValueError("secret \x1b[31m\nPOST")

    running = serve(app, debug=debug)
    answer = running.connect().get()
    assert answer.status == 500
    assert (b"secret" in answer.body) is debug
    assert "ValueError: secret \\x1b[31m" in running.log.getvalue()
    assert "\x1b" not in running.log.getvalue()


class Closing:
    def __init__(self, parts: Any) -> None:
        self.parts = iter(parts)
        self.closed = 0
        self.was_closed: Event = Event()

    def __iter__(self) -> Any:
        return self.parts

    def close(self) -> None:
        self.closed += 1
        if self.closed == 1:
            self.was_closed.send()


def fails() -> Any:
    yield b"x"
    raise ValueError("oops")


@pytest.mark.parametrize("data", [GET, HEAD])
@pytest.mark.parametrize("parts", [lambda: [b"x"], fails, lambda: ["x"], list])
def test_iterables_are_closed(serve: Any, data: bytes, parts: Any) -> None:
    body = Closing(parts())
    client = serve(answering("200 OK", [], body)).connect()
    client.send(data.replace(b"a\r\n", b"a\r\nConnection: close\r\n"))
    client.rest()
    assert body.closed == 1


def test_an_iterable_is_closed_when_the_client_is_gone(serve: Any) -> None:
    def forever() -> Any:
        while True:
            yield b"x" * 65536

    body = Closing(forever())
    running = serve(answering("200 OK", [], body))
    client = running.connect()
    client.send(GET)
    client.until(b"xxx")
    client.close()
    with Timeout(20):
        body.was_closed.wait()
    assert "Traceback" not in running.log.getvalue()


def test_a_client_that_takes_nothing_is_cut_off(jumping: None, serve: Any) -> None:
    def forever() -> Any:
        while True:
            yield b"x" * 65536

    body = Closing(forever())
    client = serve(answering("200 OK", [], body), limits=Limits(write_timeout=5)).connect()
    client.send(GET)
    with Timeout(20):
        body.was_closed.wait()


def test_an_error_in_close_is_told(serve: Any) -> None:
    class Broken(Closing):
        def close(self) -> None:
            raise ValueError("broken close")

    running = serve(answering("200 OK", [], Broken([b"x"])))
    client = running.connect()
    assert client.get().body == b"x"
    assert client.get().body == b""
    assert "broken close" in running.log.getvalue()


def test_big_bodies(serve: Any) -> None:
    body = bytes(range(256)) * 20000
    for given in ([body], [body, body], pieces(body, body)):
        client = serve(answering("200 OK", [], given)).connect()
        for _ in range(2):
            assert client.ask(GET).body == (body if given == [body] else body + body)


def test_a_write_of_a_past_request_is_not_sent(serve: Any) -> None:
    """The connection has gone on: what is written late would be part of another response."""
    kept = []

    def app(environ: Any, start_response: Any) -> Any:
        kept.append(start_response("200 OK", []))
        if len(kept) > 1:
            with pytest.raises(AssertionError):
                kept[0](b"late")
        return iter([b"ok"])

    client = serve(app).connect()
    assert client.get().body == b"ok"
    assert client.get().body == b"ok"
