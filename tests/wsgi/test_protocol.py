"""A connection's life: deadlines, clients that go away, what comes after a request, other protocols."""

import time
from socket import SO_LINGER, SOL_SOCKET
from struct import pack
from typing import Any

import pytest

from greening._core.current import get_hub
from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.sync.event import Event
from greening.testing import settle
from greening.wsgi import protocol
from greening.wsgi.limits import Limits
from greening.wsgi.protocol import HttpProtocol

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: x\r\n\r\n"


def test_a_client_that_says_nothing_is_cut_off(jumping: None, serve: Any) -> None:
    assert serve(limits=Limits(head_timeout=5)).connect().is_closed


def test_a_head_that_comes_slowly_is_cut_off(jumping: None, serve: Any) -> None:
    """The deadline is for the head as a whole: drip by drip does not help."""
    client = serve(limits=Limits(head_timeout=10)).connect()
    client.send(b"GET / HTTP/1.1\r\n")
    for _ in range(9):
        client.send(b"X: y\r\n")
        sleep(1.2)
    assert b" 408 " in client.rest()


@pytest.mark.parametrize("settings", [{"limits": Limits(idle_timeout=5)}, {"keepalive": 5}])
def test_an_idle_connection_is_closed_without_a_word(jumping: None, serve: Any, settings: Any) -> None:
    client = serve(**settings).connect()
    assert client.get().status == 200
    assert client.is_closed


@pytest.mark.parametrize("data", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: a\r\n"])
def test_a_client_that_goes_away_before_it_has_asked(serve: Any, data: bytes) -> None:
    running = serve()
    client = running.connect()
    client.send(data)
    client.sock.shutdown(1)
    assert client.is_closed
    assert running.log.getvalue() == ""


def test_a_client_may_close_its_half(serve: Any) -> None:
    client = serve().connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
    client.sock.shutdown(1)
    assert client.answer().told["body"] == "abc"
    assert client.is_closed


def test_keepalive_can_be_switched_off(serve: Any) -> None:
    client = serve(keepalive=False).connect()
    assert client.get().fields["connection"] == "close"
    assert client.is_closed


def test_slow_clients_cost_the_others_nothing(serve: Any) -> None:
    running = serve()
    for _ in range(200):
        running.connect().send(b"GET / HTTP/1.1\r\nHo")
    assert running.connect().get().status == 200


def test_heads_that_come_again_are_understood_again(serve: Any) -> None:
    """They are remembered by their bytes; what an application does to its environ stays its own."""
    seen = []

    def app(environ: Any, start_response: Any) -> Any:
        seen.append(environ.get("HTTP_X"))
        environ["HTTP_X"] = "changed"
        environ["PATH_INFO"] = "/changed"
        start_response("200 OK", [])
        return [b"ok"]

    running = serve(app)
    for _ in range(2):
        client = running.connect()
        for number in range(300):
            assert client.ask(b"GET / HTTP/1.1\r\nHost: a\r\nX: %d\r\n\r\n" % (number % 150)).status == 200
    assert seen == [str(number % 150) for number in range(300)] * 2
    assert len(running.server.heads) <= 128


def test_secrets_are_not_remembered(serve: Any) -> None:
    running = serve()
    client = running.connect()
    for secret in (b"Cookie: a=b", b"Authorization: Basic eA==", b"Proxy-Authorization: x"):
        assert client.ask(b"GET / HTTP/1.1\r\nHost: a\r\n" + secret + b"\r\n\r\n").status == 200
    assert not running.server.heads


@pytest.mark.parametrize("how", ["greening.upgrade", "werkzeug.socket", "gunicorn.socket", "eventlet.input"])
def test_an_application_may_speak_another_protocol(jumping: None, serve: Any, how: str) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        given = environ[how]
        sock = given() if how == "greening.upgrade" else given.get_socket() if how == "eventlet.input" else given
        assert sock.gettimeout() is None
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        while data := sock.recv(100):
            sock.sendall(data.upper())
        start_response("200 OK", [])
        if how == "gunicorn.socket":
            raise StopIteration
        return [b"not sent"]

    running = serve(app, limits=Limits(idle_timeout=5, head_timeout=10))
    client = running.connect()
    client.send(UPGRADE)
    assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
    for word in (b"one", GET):
        sleep(20)
        client.send(word)
        assert client.exactly(len(word)) == word.upper()
    client.sock.shutdown(1)
    assert client.rest() == b""
    assert running.log.getvalue() == ""


def test_errors_of_an_application_that_took_the_connection_are_told(serve: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        environ["greening.upgrade"]()
        raise ValueError("oops")

    running = serve(app)
    client = running.connect()
    client.send(UPGRADE)
    assert client.rest() == b""
    assert "ValueError: oops" in running.log.getvalue()


def test_an_upgrade_may_be_declined(serve: Any) -> None:
    client = serve().connect()
    answer = client.ask(UPGRADE)
    assert answer.status == 200
    assert "connection" not in answer.fields
    assert client.get().status == 200, "the connection is kept"


@pytest.mark.parametrize(
    "data",
    [
        GET,
        UPGRADE.replace(b", Upgrade", b""),
        UPGRADE.replace(b"Upgrade: x\r\n", b""),
        UPGRADE.replace(b"/1.1", b"/1.0"),
        UPGRADE.replace(b"Upgrade: x\r\n", b"Upgrade: x\r\nContent-Length: 3\r\n") + b"abc",
        UPGRADE.replace(b"Upgrade: x\r\n", b"Upgrade: h2c\r\n"),
        UPGRADE + b"too early",
        UPGRADE.replace(b"GET / ", b"CONNECT a:1 "),
    ],
)
def test_others_cannot_have_the_connection(serve: Any, data: bytes) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        assert not environ.keys() & {"greening.upgrade", "werkzeug.socket", "gunicorn.socket"}
        with pytest.raises(RuntimeError):
            environ["eventlet.input"].get_socket()
        start_response("204 No Content", [])
        return []

    assert serve(app).connect().ask(data).status == 204


def test_a_request_behind_an_upgrade_that_is_declined_is_served(serve: Any) -> None:
    client = serve().connect()
    client.send(UPGRADE + GET.replace(b"/ ", b"/behind ", 1))
    assert client.answer().told["PATH_INFO"] == "/"
    assert client.answer().told["PATH_INFO"] == "/behind"
    assert client.get().status == 200


def test_a_101_of_the_application_s_own(serve: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("101 Switching Protocols", [("Upgrade", "x"), ("Connection", "Upgrade")])
        write(b"")
        return []

    client = serve(app).connect()
    client.send(UPGRADE)
    assert client.rest() == b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"
    assert serve(app).connect().get().status == 500


def test_posthooks_are_called_after_the_response(serve: Any) -> None:
    seen = []

    def hook(environ: Any, *args: Any, **kwargs: Any) -> None:
        seen.append((environ["PATH_INFO"], args, kwargs))
        raise ValueError("hook")

    def app(environ: Any, start_response: Any) -> Any:
        environ["eventlet.posthooks"] += [(hook, (1,), {"a": 2}), (hook, (), {})]
        start_response("200 OK", [])
        return [b"ok"]

    running = serve(app)
    client = running.connect()
    assert client.get("/1").body == b"ok"
    assert client.get("/2").body == b"ok"
    assert seen[:2] == [("/1", (1,), {"a": 2}), ("/1", (), {})]
    assert "ValueError: hook" in running.log.getvalue()


def test_a_protocol_of_one_s_own(serve: Any) -> None:
    seen = []

    class Mine(HttpProtocol):
        def run(self) -> None:
            seen.append(self.address)
            super().run()

    client = serve(protocol=Mine).connect()
    assert client.get().status == 200
    assert seen == [client.sock.getsockname()]


def test_many_at_once(serve: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        sleep(0)
        body = environ["PATH_INFO"].encode() + environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [body]

    running = serve(app)

    def client(number: int) -> bool:
        one = running.connect()
        return all(
            one.ask(b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n%03d" % (number, turn)).body
            == b"/%d%03d" % (number, turn)
            for turn in range(20)
        )

    assert all(thread.wait() for thread in [spawn(client, number) for number in range(50)])


@pytest.mark.slices_end
def test_after_a_long_request_others_have_their_turn(serve: Any) -> None:
    """Two clients that always have another request ready take turns."""
    order: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        order.append(environ["PATH_INFO"])
        began = time.perf_counter()
        while time.perf_counter() - began < 0.002:
            pass
        start_response("200 OK", [("Content-Length", "0")])
        return []

    server = serve(app)
    clients = {"a": server.connect(), "b": server.connect()}
    for name, one in clients.items():
        one.send(f"GET /{name} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 5)
    for one in clients.values():
        for _ in range(5):
            assert one.answer().status == 200
    assert order.index("/b") < 4, order


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


@pytest.mark.parametrize("error", [SystemExit("a library gave up"), BaseException("odd"), GeneratorExit()])
def test_whatever_an_application_raises_ends_its_own_request_only(serve: Any, error: BaseException) -> None:
    entered, go_on = Event(), Event()

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/exit":
            raise error
        entered.send()
        go_on.wait()
        start_response("200 OK", [])
        return [b"ok"]

    running = serve(app)
    other, one = running.connect(), running.connect()
    other.send(GET)
    entered.wait()
    assert one.get("/exit").status == 500
    assert one.is_closed
    go_on.send()
    assert other.answer().body == b"ok"
    assert type(error).__name__ in running.log.getvalue()


def test_sys_exit_behind_the_response_ends_nothing_either(serve: Any) -> None:
    class Result:
        def __iter__(self) -> Any:
            return iter([b"ok"])

        def close(self) -> None:
            raise SystemExit("close")

    def hook(environ: Any) -> None:
        raise SystemExit("hook")

    def app(environ: Any, start_response: Any) -> Any:
        environ["eventlet.posthooks"].append((hook, (), {}))
        start_response("200 OK", [("Content-Length", "2")])
        return Result()

    running = serve(app)
    client = running.connect()
    assert client.get().body == client.get().body == b"ok"
    assert "SystemExit: close" in running.log.getvalue()
    assert "SystemExit: hook" in running.log.getvalue()


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


def test_a_long_body_that_is_not_read_ends_the_connection_after_the_answer(serve: Any) -> None:
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


def test_what_is_sent_on_a_connection_that_was_taken_over_is_dropped(serve: Any) -> None:
    """The bytes on it are the application's own from then on."""

    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [])
        sock = environ["greening.upgrade"]()
        write(b"dropped")
        sock.sendall(b"mine")
        return [b"dropped, too"]

    client = serve(app).connect()
    client.send(UPGRADE)
    assert client.rest() == b"mine"


def test_a_client_that_resets_at_once_is_no_error(serve: Any) -> None:
    running = serve()
    client = running.connect()
    client.sock.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
    client.sock.close()
    assert running.connect().get().status == 200
    assert "Traceback" not in running.log.getvalue()


def test_a_second_request_behind_the_last_answer_does_not_reset_the_connection(serve: Any) -> None:
    """Bytes that nobody has read when a socket is closed make the system reset the connection, and answers are lost."""
    size = 4 << 20
    go_on = Event()

    def app(environ: Any, start_response: Any) -> Any:
        go_on.wait()
        start_response("200 OK", [("Content-Length", str(size)), ("Connection", "close")])
        return [bytes(size)]

    client = serve(app, limits=Limits(linger_timeout=5)).connect()
    client.send(GET)
    settle()
    client.send(GET)
    go_on.send()
    settle()
    answer = client.answer()
    assert (answer.status, len(answer.body)) == (200, size)


def test_a_list_of_long_parts_has_a_length(serve: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return [b"x" * 100_000, b"", b"y" * 50_000]

    answer = serve(app).connect().get()
    assert answer.fields["content-length"] == "150000"
    assert answer.body == b"x" * 100_000 + b"y" * 50_000


def test_a_log_that_fails_does_not_end_connections(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[BaseException] = []
    monkeypatch.setattr(protocol, "report_unhandled", lambda error, thread: reported.append(error))

    class Full:
        def write(self, text: str) -> None:
            if "GET" in text:
                raise OSError("No space left on device")

    client = serve(log=Full(), log_output=True).connect()
    assert client.get().status == 200
    assert client.get().status == 200
    assert [str(error) for error in reported] == ["No space left on device"] * 2


def test_handshakes_of_other_protocols_are_not_remembered(serve: Any) -> None:
    running = serve()
    client = running.connect()
    for _ in range(2):
        assert client.ask(UPGRADE).status == 200
    assert running.server.heads == {}


def test_the_first_head_counts_from_the_accept(jumping: None, serve: Any) -> None:
    client = serve(limits=Limits(head_timeout=10)).connect()
    sleep(6)
    client.send(GET[:10])
    begun = get_hub().now()
    assert b" 408 " in client.rest()
    assert get_hub().now() - begun < 5
