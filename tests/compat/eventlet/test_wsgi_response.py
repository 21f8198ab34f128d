import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening.compat.eventlet.wsgi import HttpProtocol
from greening.compat.eventlet.wsgi_response import (
    ALREADY_HANDLED,
    WSGI_LOCAL,
    Warner,
    forget_handled,
    is_handled,
)
from tests.compat.eventlet.conftest import GET, ServeEventlet


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def returning(result: Any, *headers: tuple[Any, Any], status: Any = "200 OK") -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(status, list(headers))
        return result

    return app


def test_numbers_as_header_values_and_text_in_bodies_are_let_pass(serve_eventlet: ServeEventlet) -> None:
    answer = serve_eventlet(returning(["he", b"llo"], ("X-Number", 3), ["Content-Length", 5])).get()
    assert (answer.fields["x-number"], answer.fields["content-length"], answer.body) == ("3", "5", b"hello")


def test_text_in_a_body_that_is_made_on_the_way(serve_eventlet: ServeEventlet) -> None:
    assert serve_eventlet(returning(iter(["he", b"llo"]))).get().body == b"hello"


def test_text_beyond_ascii_is_an_error(serve_eventlet: ServeEventlet) -> None:
    answer = serve_eventlet(returning(iter(["a", "\u2603"]))).get()
    assert answer.status == 500 and b"UnicodeEncodeError" in answer.body


def test_a_warning_is_given_once_for_each_kind(serve_eventlet: ServeEventlet) -> None:
    running = serve_eventlet(returning(["hello"], ("X", 3)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            assert running.get().status == 200
    texts = [str(one.message) for one in caught if one.category is RuntimeWarning]
    assert len(texts) == 2
    assert "no str but int" in texts[0] and "str in place of bytes" in texts[1]
    assert all("returning" in text for text in texts), "the application is named"


def test_the_warner_tells_kinds_apart() -> None:
    warn = Warner("app")
    with pytest.warns(RuntimeWarning) as caught:
        for what in ("a: 1", "a: 2", "b: 1"):
            warn(what)
    assert [str(one.message).split(": ")[1] for one in caught] == ["a", "b"]


def test_a_subclass_of_str_is_a_str(serve_eventlet: ServeEventlet) -> None:
    class Text(str):
        __slots__ = ()

    assert serve_eventlet(returning([b""], (Text("X"), Text("y")))).get().fields["x"] == "y"


def test_a_line_end_in_a_header_is_an_error_that_names_application_and_url(serve_eventlet: ServeEventlet) -> None:
    running = serve_eventlet(returning([b""], ("X", "a\r\nY: b")))
    answer = running.ask(b"GET /p HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.status == 500 and "y" not in answer.fields
    assert "app answers GET http://h/p" in running.log.getvalue()


def test_names_beyond_ascii_are_sent_as_they_are(serve_eventlet: ServeEventlet) -> None:
    for method in (b"GET", b"HEAD"):
        raw = serve_eventlet(returning([b""], ("x-m\xe9-a", "\xe9"))).raw(
            method + b" / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        assert b"\r\nX-M\xe9-A: \xe9\r\n" in raw


def test_names_are_capitalized_unless_the_server_is_told_otherwise(serve_eventlet: ServeEventlet) -> None:
    app = returning([b""], ("sOMe-hEADer", "vAL"))
    ask = GET + b"Connection: close\r\n\r\n"
    assert b"\r\nSome-Header: vAL\r\n" in serve_eventlet(app).raw(ask)
    assert b"\r\nsOMe-hEADer: vAL\r\n" in serve_eventlet(app, capitalize_response_headers=False).raw(ask)


def test_start_response_may_be_called_anew_until_the_head_is_sent(serve_eventlet: ServeEventlet) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("X", "1")])
        write = start_response("404 Not Found", [("Y", "2")])
        write(b"a")
        start_response("500 Too Late", [("Z", "3")])
        return [b"b"]

    answer = serve_eventlet(app).get()
    assert (answer.status, answer.body) == (404, b"ab")
    assert "x" not in answer.fields and answer.fields["y"] == "2" and "z" not in answer.fields


def test_exc_info_is_raised_when_the_head_is_sent(serve_eventlet: ServeEventlet) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])(b"begun")
        try:
            raise KeyError("late")
        except KeyError:
            start_response("500 Oops", [], sys.exc_info())
        return [b"never"]

    running = serve_eventlet(app)
    raw = running.raw(GET + b"\r\n")
    assert b"begun" in raw and b"never" not in raw
    assert "KeyError: 'late'" in running.log.getvalue()


def test_what_has_a_length_gets_a_content_length(serve_eventlet: ServeEventlet) -> None:
    for result in ([], [b"a", b"b" * 70000], (b"x",) * 3, {b"key": 1}):
        answer = serve_eventlet(returning(result)).get()
        assert answer.fields["content-length"] == str(sum(map(len, result)))
        assert answer.body == b"".join(result)


@pytest.mark.parametrize("pieces", [[], [b""], [b"", b""]])
def test_what_has_no_length_is_sent_in_chunks_even_if_there_is_nothing(
    serve_eventlet: ServeEventlet, pieces: list[bytes]
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield from pieces

    running = serve_eventlet(app)
    answer = running.raw(GET + b"Connection: close\r\n\r\n")
    assert b"Transfer-Encoding: chunked\r\n" in answer and answer.endswith(b"\r\n\r\n0\r\n\r\n")
    assert b"Content-Length" not in answer
    assert b"chunked" not in running.raw(b"GET / HTTP/1.0\r\n\r\n")


def test_pieces_are_gathered(serve_eventlet: ServeEventlet) -> None:
    def pieces(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        if "HTTP_X_MIN" in environ:
            environ["eventlet.minimum_write_chunk_size"] = int(environ["HTTP_X_MIN"])
        start_response("200 OK", [])
        return iter([b"a", b"", b"b"])

    close = b"Connection: close\r\n\r\n"
    assert serve_eventlet(pieces).raw(GET + close).endswith(b"\r\n\r\n2\r\nab\r\n0\r\n\r\n")
    one_by_one = b"\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
    assert serve_eventlet(pieces, minimum_chunk_size=1).raw(GET + close).endswith(one_by_one)
    assert serve_eventlet(pieces).raw(GET + b"X-Min: 0\r\n" + close).endswith(one_by_one)


def test_the_server_has_no_name(serve_eventlet: ServeEventlet) -> None:
    answer = serve_eventlet(returning([b""])).get()
    assert "server" not in answer.fields and answer.fields["date"].endswith(" GMT")
    assert serve_eventlet(returning([b""], ("Date", "then"))).get().fields["date"] == "then"


def test_a_204_keeps_its_length_of_zero(serve_eventlet: ServeEventlet) -> None:
    length = ("Content-Length", "0")
    assert serve_eventlet(returning([], length, status="204 No Content")).get().fields["content-length"] == "0"
    assert "content-length" not in serve_eventlet(returning([], status="204 No Content")).get().fields


@pytest.mark.parametrize(
    ("fields", "keepalive", "said"),
    [
        (b"", True, (None, None)),
        (b"Connection: keep-alive\r\n", True, ("keep-alive", None)),
        (b"Connection: keep-alive\r\n", 5, ("keep-alive", "timeout=5")),
        (b"Connection: close\r\n", True, ("close", None)),
        (b"Connection: keep-alive\r\n", False, ("close", None)),
    ],
)
def test_what_is_said_of_the_connection(
    serve_eventlet: ServeEventlet, fields: bytes, keepalive: Any, said: tuple[str | None, str | None]
) -> None:
    answer = serve_eventlet(returning([b""]), keepalive=keepalive).get(fields)
    assert (answer.fields.get("connection"), answer.fields.get("keep-alive")) == said


def test_an_application_may_have_answered_by_itself(serve_eventlet: ServeEventlet) -> None:
    def flagged(environ: dict[str, Any], start_response: Any) -> Any:
        environ["eventlet.input"].get_socket().sendall(b"RAW")
        WSGI_LOCAL.already_handled = True
        return []

    def returned(environ: dict[str, Any], start_response: Any) -> Any:
        environ["eventlet.input"].get_socket().sendall(b"RAW")
        return ALREADY_HANDLED

    def later(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        environ["eventlet.input"].get_socket().sendall(b"RAW")
        WSGI_LOCAL.already_handled = True
        yield from ()

    for app in (flagged, returned, later):
        assert serve_eventlet(app).raw(GET + b"\r\n") == b"RAW"


def test_wsgi_local_belongs_to_one_green_thread() -> None:
    WSGI_LOCAL.already_handled = True
    assert not spawn(getattr, WSGI_LOCAL, "already_handled", None).wait()
    assert is_handled() and not spawn(is_handled).wait()
    forget_handled()
    assert not is_handled() and not WSGI_LOCAL.already_handled
    del WSGI_LOCAL.already_handled


def test_a_connection_takes_what_is_longer_than_its_room(serve_eventlet: ServeEventlet) -> None:
    body = bytes(range(256)) * 16384
    assert serve_eventlet(returning([body])).get().body == body


def test_a_protocol_may_have_a_file_of_its_own_for_what_is_sent(serve_eventlet: ServeEventlet) -> None:
    class Counting(HttpProtocol):
        def setup(self) -> None:
            super().setup()
            self.wfile = Upper(self.wfile)

    class Upper:
        closed = False

        def __init__(self, file: Any) -> None:
            self.file = file
            self.flush, self.close = file.flush, file.close

        def write(self, data: bytes) -> None:
            self.file.write(data.replace(b"body", b"BODY"))

    assert serve_eventlet(returning([b"a body"]), protocol=Counting).get().body == b"a BODY"


def test_success_with_half_a_body_is_not_believed(serve_eventlet: ServeEventlet) -> None:
    """The client has announced more, and gone: whatever was done with the rest, it was not what was asked for."""

    def careless(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(environ["HTTP_X_STATUS"], [])
        data = environ["wsgi.input"].read()
        return [data] if "HTTP_X_LIST" in environ else iter([data])

    for fields in (b"", b"X-List: 1\r\n"):
        for status, answered in ((b"200 OK", 400), (b"499 Gone", 499)):
            client = serve_eventlet(careless).connect()
            client.send(
                b"PUT / HTTP/1.1\r\nHost: a\r\nX-Status: %b\r\n%bContent-Length: 9\r\n\r\nhalf" % (status, fields)
            )
            client.sock.shutdown(1)
            assert client.answer().status == answered
