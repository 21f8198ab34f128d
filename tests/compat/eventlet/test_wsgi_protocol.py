import re
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest

from greening._core.waiting import sleep
from greening.compat.eventlet import wsgi
from greening.compat.eventlet.wsgi_protocol import HttpProtocol, addr_to_host_port
from greening.net.convenience import listen
from greening.timeout import Timeout
from tests.compat.eventlet.conftest import GET, ServeEventlet
from tests.wsgi.conftest import Client, echo


def environ_of(serve_eventlet: ServeEventlet, request: bytes, **settings: Any) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return []

    assert serve_eventlet(app, **settings).ask(request).status == 200
    return seen


def test_it_is_a_handler_of_the_standard_library() -> None:
    assert issubclass(HttpProtocol, BaseHTTPRequestHandler)
    assert wsgi.HttpProtocol is HttpProtocol


def test_an_environ_as_eventlet_makes_it(serve_eventlet: ServeEventlet) -> None:
    request = (
        b"GET /a%20b/%E2%98%83?x=1&y HTTP/1.1\r\nHost: h\r\nx-ANY_k: one\r\nX-A: 1\r\nx-a: 2\r\nCookie: a=1\r\n"
        b"Cookie: b\r\nProxy: evil\r\nX-Blanks:  v \t\r\n\r\n"
    )
    environ = environ_of(serve_eventlet, request, environ={"my.own": 1})
    expected = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b/\xe2\x98\x83",
        "RAW_PATH_INFO": "/a%20b/%E2%98%83",
        "QUERY_STRING": "x=1&y",
        "CONTENT_TYPE": "text/plain",
        "SERVER_PROTOCOL": "HTTP/1.0",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_NAME": "127.0.0.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "h",
        "HTTP_X_A": "1,2",
        "HTTP_COOKIE": "a=1; b",
        "HTTP_X_BLANKS": "v",
        "wsgi.url_scheme": "http",
        "my.own": 1,
        "eventlet.posthooks": [],
    }
    assert expected.items() <= environ.items()
    assert "HTTP_X_ANY_K" not in environ and "HTTP_PROXY" not in environ and "CONTENT_LENGTH" not in environ
    raw = dict(environ["headers_raw"])
    assert raw["x-ANY_k"] == "one" and raw["X-Blanks"] == "v" and raw["Proxy"] == "evil"
    assert int(environ["REMOTE_PORT"]) and int(environ["SERVER_PORT"])
    assert environ["wsgi.input"] is environ["eventlet.input"]


def test_no_query_and_a_method_of_its_own(serve_eventlet: ServeEventlet) -> None:
    environ = environ_of(serve_eventlet, b"SSYNC http://real/p HTTP/1.1\r\nHost: other\r\n\r\n")
    assert environ["REQUEST_METHOD"] == "SSYNC" and "QUERY_STRING" not in environ
    assert (environ["HTTP_HOST"], environ["PATH_INFO"]) == ("real", "/p")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.0\nHost: a\n\n", 400),
        (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (GET + b"Content-Length: argh\r\n\r\n", 400),
        (GET + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (GET + b"X: y\0\r\n\r\n", 400),
        (GET + b"Expect: miracles\r\n\r\n", 417),
        (b"GET / HTTP/1.1\rHost: a\r", 400),
        (b"GET / HTTP/3.0\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 400),
        (b"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (GET + b"Host: b\r\n\r\n", 400),
        (GET + b"X : y\r\n\r\n", 400),
        (GET + b"X: y\r\n z\r\n\r\n", 400),
        (GET + b"Content-Length: +1\r\n\r\nx", 400),
        (GET + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
        (GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ],
)
@pytest.mark.parametrize("overrides", [(), ("parse_request",), ("get_environ", "handle_one_request", "send_error")])
def test_subclasses_refuse_what_greening_refuses(
    serve_eventlet: ServeEventlet, request_: bytes, status: int, overrides: tuple[str, ...]
) -> None:
    called = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        called.append(environ)
        return echo(environ, start_response)

    def passing_on(name: str) -> Any:
        return lambda self, *args, **kwargs: getattr(HttpProtocol, name)(self, *args, **kwargs)

    protocol = type("Mine", (HttpProtocol,), {name: passing_on(name) for name in overrides})
    raw = serve_eventlet(app, protocol=protocol).raw(request_)
    assert re.match(rb"HTTP/1\.[01] %d " % status, raw)
    assert len(re.findall(rb"HTTP/1\.[01] \d", raw)) == 1 and not called


def test_a_refusal_is_said_and_logged_by_the_hooks_of_a_subclass(serve_eventlet: ServeEventlet) -> None:
    told = []

    class Mine(HttpProtocol):
        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            told.append((code, explain))
            super().send_error(code, "Not like that", explain)

        def log_message(self, format: str, *args: Any) -> None:
            told.append(format % args)

    raw = serve_eventlet(protocol=Mine).raw(b"GET / HTTP/1.1\r\n\r\n")
    assert raw.startswith(b"HTTP/1.1 400 Not like that\r\n")
    assert told[0] == (400, "no Host") and "Not like that" in told[1]


def test_without_hooks_a_refusal_is_in_the_log_of_the_server(serve_eventlet: ServeEventlet) -> None:
    running = serve_eventlet()
    running.raw(GET + b"X: y\x1b\r\n\r\n")
    assert "code 400" in running.log.getvalue() and "\x1b" not in running.log.getvalue()


def test_one_line_end_before_a_request_is_let_pass(serve_eventlet: ServeEventlet) -> None:
    client = serve_eventlet().connect()
    assert client.ask(b"\r\n" + GET + b"\r\n").status == client.ask(b"\r\n" + GET + b"\r\n").status == 200


def test_too_long_lines_are_refused_as_by_eventlet(
    serve_eventlet: ServeEventlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = serve_eventlet()
    assert running.raw(b"GET /" + b"x" * 9000).startswith(b"HTTP/1.0 414 Request URI Too Long\r\n")
    line = GET + b"X: " + b"y" * 9000 + b"\r\n\r\n"
    assert running.raw(line).startswith(b"HTTP/1.0 400 Header Line Too Long\r\n")
    many = GET + (b"X: " + b"y" * 8000 + b"\r\n") * 9 + b"\r\n"
    assert running.raw(many).startswith(b"HTTP/1.0 400 Headers Too Large\r\n")
    monkeypatch.setattr(wsgi, "MAX_HEADER_LINE", 16384)
    assert running.ask(line).status == 200
    monkeypatch.setattr(wsgi, "MAX_TOTAL_HEADER_SIZE", 100000)
    assert running.ask(many).status == 200
    assert serve_eventlet(url_length_limit=20000).ask(line.replace(b"/ ", b"/" + b"x" * 9000 + b" ", 1)).status == 200


def test_both_lengths_where_a_subclass_lets_them_pass(serve_eventlet: ServeEventlet) -> None:
    class Mine(HttpProtocol):
        reject_bad_requests = False

    client = serve_eventlet(protocol=Mine).connect()
    answer = client.ask(GET + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert answer.told["body"] == "hello" and answer.fields["connection"] == "close" and client.is_closed


def test_no_host_where_a_subclass_lets_that_pass(serve_eventlet: ServeEventlet) -> None:
    class Mine(HttpProtocol):
        reject_bad_requests = False

    for _ in range(2):
        told = serve_eventlet(protocol=Mine).ask(b"GET /p HTTP/1.1\r\n\r\n").told
        assert told["PATH_INFO"] == "/p" and "HTTP_HOST" not in told
    assert serve_eventlet(protocol=Mine).raw(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n").startswith(b"HTTP/1.1 400 ")


class Own(HttpProtocol):
    """Parses heads itself, carelessly."""

    default_request_version = "HTTP/1.0"

    def parse_request(self) -> bool:
        words = self.raw_requestline.decode("latin-1").split()
        self.command, self.request_version, self.close_connection = None, self.default_request_version, True  # type: ignore[assignment]
        if len(words) < 2:
            self.send_error(400, "Two words, please")
            return False
        self.command, self.path = words[:2]
        self.requestline = " ".join(words)
        self.headers = self.MessageClass()
        while (line := self.rfile.readline().decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = line.partition(":")
            self.headers.set_raw(name, value.strip())  # type: ignore[attr-defined]  # email's
        if len(words) > 2:
            self.request_version = words[2]
            self.close_connection = self.request_version != "HTTP/1.1"
        return True


def test_a_subclass_may_parse_heads_itself(serve_eventlet: ServeEventlet) -> None:
    client = serve_eventlet(protocol=Own).connect()
    told = client.ask(b"GET /\xff HTTP/1.1\nX-a: 1\n\n").told
    assert told["RAW_PATH_INFO"] == "/\xff" and told["HTTP_X_A"] == "1"
    assert client.get().status == 200
    assert serve_eventlet(protocol=Own).raw(b"hello\r\n\r\n").startswith(b"HTTP/1.1 400 Two words")


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        (b"Content-Length: 3\r\nContent-Length: 4\r\n", b"HTTP/1.1 400"),
        (b"Content-Length: +3\r\n", b"HTTP/1.1 400"),
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"HTTP/1.1 400"),
        (b"Transfer-Encoding: gzip, chunked\r\n", b"HTTP/1.1 200"),
        (b"X: " + b"y" * 9000 + b"\r\n", b"HTTP/1.0 400 Header Line Too Long"),
    ],
)
def test_where_its_bodies_end_is_checked_all_the_same(
    serve_eventlet: ServeEventlet, fields: bytes, answer: bytes
) -> None:
    raw = serve_eventlet(protocol=Own).raw(
        b"POST / HTTP/1.1\r\n" + fields + b"\r\n" + b"GET /smuggled HTTP/1.1\r\n\r\n"
    )
    assert raw.startswith(answer) and raw.count(b"HTTP/1.1 ") <= 1 and b"smuggled" not in raw


def test_a_subclass_may_read_a_line_before_the_first_request(serve_eventlet: ServeEventlet) -> None:
    class Proxied(HttpProtocol):
        def handle(self) -> None:
            self.client_address = tuple(self.rfile.readline(100).decode().split()[1:3])
            super().handle()

    client = serve_eventlet(protocol=Proxied).connect()
    assert client.ask(b"PROXY 9.9.9.9 99\r\n" + GET + b"\r\n").told["REMOTE_ADDR"] == "9.9.9.9"
    assert client.get().told["REMOTE_PORT"] == "99"


def test_a_subclass_may_change_the_state_before_it_is_served(serve_eventlet: ServeEventlet, tmp_path: Any) -> None:
    class Local(HttpProtocol):
        def __init__(self, conn_state: list[Any], server: Any) -> None:
            if not conn_state[0]:
                conn_state[0] = ("<local>", 0)
            super().__init__(conn_state, server)

    path = str(tmp_path / "s")
    running = serve_eventlet(protocol=Local, listener=listen(path, family=1))
    assert running.get().told["REMOTE_ADDR"] == "<local>"
    assert "<local> - - [" in running.log.getvalue()


def test_a_subclass_may_have_its_own_message_class_and_environ(serve_eventlet: ServeEventlet) -> None:
    class Mine(HttpProtocol):
        class MessageClass(HttpProtocol.MessageClass):
            def get_default_type(self) -> str:
                return ""

        def get_environ(self) -> dict[str, Any]:
            return {**super().get_environ(), "MINE": self.headers["x-a"]}

        def formalize_key_naming(self, k: str) -> str | None:
            return k.upper().replace("-", "_")

    told = serve_eventlet(protocol=Mine).get(b"X-A: 1\r\nX_B: 2\r\n").told
    assert (told["CONTENT_TYPE"], told["MINE"], told["HTTP_X_B"]) == ("", "1", "2")


def test_the_state_of_a_connection(serve_eventlet: ServeEventlet) -> None:
    seen = []

    class Mine(HttpProtocol):
        def _read_request_line(self) -> bytes:
            seen.append(self.conn_state[2])
            return super()._read_request_line()

        def get_environ(self) -> dict[str, Any]:
            seen.append(self.conn_state[2])
            return super().get_environ()

    client = serve_eventlet(protocol=Mine).connect()
    client.get()
    client.get()
    assert seen[:4] == [wsgi.STATE_IDLE, wsgi.STATE_REQUEST] * 2


def test_files_that_are_no_sockets_will_do() -> None:
    """Programs test their protocols that way."""
    wfile = BytesIO()
    wfile.close = lambda: None  # type: ignore[method-assign]
    rfile = BytesIO(GET + b"\r\n" + GET + b"Connection: close\r\n\r\n")
    sock = SimpleNamespace(
        makefile=lambda mode, size: rfile if "r" in mode else wfile,
        getsockname=lambda: ("1.2.3.4", 80),
        shutdown=lambda how: None,
        settimeout=lambda seconds: None,
        close=lambda: None,
    )
    server = wsgi.Server(sock, ("1.2.3.4", 80), echo, log_output=False)
    server.process_request([("5.6.7.8", 9), sock, wsgi.STATE_IDLE])
    assert wfile.getvalue().count(b"HTTP/1.1 200 OK") == 2
    assert b'"REMOTE_ADDR": "5.6.7.8"' in wfile.getvalue()


def test_what_is_left_of_a_body_is_read_before_the_next_request(serve_eventlet: ServeEventlet) -> None:
    def deaf(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"ok"]

    client = serve_eventlet(deaf).connect()
    for _ in range(2):
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000)
        assert client.answer().body == b"ok"
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + GET + b"\r\n")
    assert client.answer().body == b"ok" and client.is_closed


def test_a_body_that_was_not_asked_for_ends_the_connection(serve_eventlet: ServeEventlet) -> None:
    def deaf(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("413 Too Much", [])
        return [b""]

    client = serve_eventlet(deaf).connect()
    answer = client.ask(GET + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert answer.status == 413 and answer.fields["connection"] == "close" and client.is_closed


def test_a_malformed_body_is_the_clients_fault(serve_eventlet: ServeEventlet) -> None:
    client = serve_eventlet().connect()
    client.send(GET.replace(b"GET", b"PUT") + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert client.answer().status == 400 and client.is_closed


@pytest.mark.parametrize("debug", [True, False])
def test_an_error_of_the_application(serve_eventlet: ServeEventlet, debug: bool) -> None:
    closed = []

    class Broken:
        def __iter__(self) -> Any:
            raise Timeout(None) if debug else ValueError("boom")

        def close(self) -> None:
            closed.append(1)
            raise ValueError("while it is closed")

    running = serve_eventlet(lambda environ, start_response: Broken(), debug=debug)
    client = running.connect()
    answer = client.get()
    assert answer.status == 500 and client.is_closed and closed == [1]
    assert (b"Traceback" in answer.body) is debug
    assert "Traceback" in running.log.getvalue() and "while it is closed" in running.log.getvalue()


@pytest.mark.parametrize("error", [BrokenPipeError(32, "upstream"), ConnectionResetError(104, "upstream")])
def test_a_lost_connection_of_the_application_is_an_error_of_the_application(
    serve_eventlet: ServeEventlet, error: OSError
) -> None:
    """It may be one to a database: the client is there, and gets an answer."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        raise error

    running = serve_eventlet(app)
    answer = running.get()
    assert answer.status == 500 and b"upstream" in answer.body
    running.stop()
    assert "upstream" in running.log.getvalue() and '" 500 ' in running.log.getvalue()


def test_a_body_in_chunks_has_no_length(serve_eventlet: ServeEventlet) -> None:
    seen = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        body = environ["wsgi.input"]
        seen.append((body.content_length, body.chunked_input, body.read()))
        start_response("200 OK", [])
        return []

    running = serve_eventlet(app)
    running.ask(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
    running.ask(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert seen == [(None, True, b"x"), (0, False, b"")]


def test_hooks_are_called_after_the_answer(serve_eventlet: ServeEventlet) -> None:
    called = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        def hook(environ: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            called.append((environ["PATH_INFO"], args, kwargs))
            raise ValueError("of a hook")

        environ["eventlet.posthooks"] += [(hook, (1,), {"two": 2}), (hook, (), {})]
        return echo(environ, start_response)

    running = serve_eventlet(app)
    client = running.connect()
    assert client.get("/p").status == client.get("/q").status == 200
    assert called[:2] == [("/p", (1,), {"two": 2}), ("/p", (), {})]
    assert "of a hook" in running.log.getvalue()


def test_a_client_that_is_gone_is_no_error(serve_eventlet: ServeEventlet) -> None:
    gone = []

    def endless(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        try:
            while True:
                yield b"x" * 65536
        finally:
            gone.append(1)

    running = serve_eventlet(endless, debug=False)
    client = running.connect()
    client.send(GET + b"\r\n")
    client.exactly(100)
    client.close()
    with Timeout(20):
        while not gone:
            sleep(0)
    sleep(0)
    assert "Traceback" not in running.log.getvalue()


def test_lines_of_the_log(serve_eventlet: ServeEventlet) -> None:
    running = serve_eventlet(log_format="%(client_ip)s|%(request_line)s|%(status_code)s|%(body_length)s", debug=False)
    answer = running.get(b"X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\n")
    assert f"1.2.3.4,5.6.7.8,127.0.0.1|GET / HTTP/1.1|200|{len(answer.body)}\n" in running.log.getvalue()
    quiet = serve_eventlet(log_x_forwarded_for=False, log_format="%(client_ip)s|", debug=False)
    quiet.get(b"X-Forwarded-For: 1.2.3.4\r\n")
    assert "\n127.0.0.1|\n" in quiet.log.getvalue()
    silent = serve_eventlet(lambda environ, start_response: 1 / 0, log_output=False)
    silent.get()
    assert silent.log.getvalue() == ""


def test_addresses() -> None:
    assert addr_to_host_port(("::1", 80, 0, 0)) == ("::1", 80)
    assert addr_to_host_port("") == addr_to_host_port(b"\0x") == ("unix", "")


def test_http_10(serve_eventlet: ServeEventlet) -> None:
    client = serve_eventlet(max_http_version="HTTP/1.0").connect()
    client.send(GET + b"\r\n")
    assert client.until(b"\r\n") == b"HTTP/1.0 200 OK\r\n"
    assert b"\r\nConnection: close\r\n" in client.rest()
    kept: Client = serve_eventlet().connect()
    assert kept.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").fields["connection"] == "keep-alive"
    assert kept.ask(b"GET / HTTP/1.0\r\n\r\n").fields["connection"] == "close" and kept.is_closed
