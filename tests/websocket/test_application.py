"""`WebSocketWSGI`: which requests it answers, how its handler ends, and where it gets the connection from."""

from io import BytesIO
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening.sync.event import Event
from greening.timeout import Timeout
from greening.websocket.application import WebSocketWSGI, leave, take
from greening.websocket.client import connect
from tests.websocket.wire import CLOSE, FIN, KEY, TEXT, close_frame, frame, handshake


def test_configured_is_a_decorator_too() -> None:
    @WebSocketWSGI.configured(supported_protocols=["a"], max_frame_length=5)
    def decorated(ws: Any) -> None: ...

    direct = WebSocketWSGI.configured(print, ["a"], None, False)
    assert isinstance(decorated, WebSocketWSGI) and isinstance(direct, WebSocketWSGI)
    assert (decorated.supported_protocols, decorated.settings.max_frame_length) == (["a"], 5)
    assert direct.handler is print
    limited = WebSocketWSGI(print, 7)
    assert (limited.max_frame_length, limited.settings.message_limit) == (7, 7)
    limited.max_frame_length = 9
    assert limited.settings.message_limit == 9


def test_the_handler_learns_what_was_asked(serve: Any) -> None:
    seen = []
    running = serve(lambda ws: seen.append((ws.path, ws.origin, ws.protocol, ws.version, ws.environ["QUERY_STRING"])))
    with connect(running.url + "/a%20b?c=d", origin="http://o") as ws:
        assert ws.wait() is None
    assert seen == [("/a b", "http://o", None, 13, "c=d")]
    assert (ws.close_code, ws.close_reason) == (1000, "")


def test_a_handler_that_raises_closes_with_1011_and_the_server_is_told(serve: Any) -> None:
    def handler(ws: Any) -> None:
        raise ZeroDivisionError

    running = serve(handler)
    assert running.open().closed_with == 1011
    assert "ZeroDivisionError" in running.log.getvalue()


@pytest.mark.parametrize("error", [SystemExit(3), BaseException("of its own kind")])
def test_an_end_of_a_handler_that_nobody_asked_for_closes_with_1011(serve: Any, error: BaseException) -> None:
    def handler(ws: Any) -> None:
        raise error

    assert serve(handler).open().closed_with == 1011


def test_a_handler_whose_client_has_gone_is_no_error(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        try:
            ws.wait()
            ws.send("still there?")
        finally:
            ended.send()

    running = serve(handler)
    with connect(running.url):
        pass
    ended.wait()
    running.server.stop(5)
    assert "Traceback" not in running.log.getvalue()


def test_a_timeout_that_leaves_the_handler_is_its_error(serve: Any) -> None:
    def handler(ws: Any) -> None:
        with Timeout(0.01):
            ws.wait()

    assert serve(handler).open().closed_with == 1011


def test_a_killed_handler_says_goodbye_and_is_not_waited_for_long(serve: Any) -> None:
    entered = Event()

    def handler(ws: Any) -> None:
        entered.send()
        Event().wait()

    running = serve(handler)
    client = running.open()
    entered.wait()
    with Timeout(5):
        running.server.stop(0)
    data = client.data or client.sock.recv(100)
    assert data in (b"", b"\x88\x02\x03\xe9")


def test_a_stop_says_1001_to_connections_and_waits_for_their_answers(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        ended.send([*ws, ws.close_code])

    running = serve(handler)
    client = running.open()
    stopping = spawn(running.server.stop)
    assert client.frame() == (FIN | CLOSE, b"\x03\xe9")
    client.send(frame(FIN | TEXT, b"under way") + close_frame(1001))
    assert ended.wait() == ["under way", 1001]
    with Timeout(20):
        stopping.wait()


def test_a_stop_cuts_connections_that_do_not_answer(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        ended.send((ws.wait(), ws.close_code))

    running = serve(handler, close_timeout=0.05)
    client = running.open()
    with Timeout(20):
        running.server.stop()
    assert ended.wait() == (None, 1001)
    assert client.closed_with == 1001


def test_the_socket_of_another_server_is_found(serve: Any) -> None:
    def without(key: str) -> Any:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            taken = environ.pop("greening.upgrade")
            sock = environ["gunicorn.socket"]
            for other in ("eventlet.input", "gunicorn.socket", "werkzeug.socket"):
                environ.pop(other)
            environ[key] = sock
            assert taken
            return inner(environ, start_response)

        return app

    for key in ("gunicorn.socket", "werkzeug.socket"):
        running = serve()
        inner, running.server.app = running.server.app, without(key)
        with connect(running.url) as ws:
            ws.send("x")
            assert ws.wait() == "x"
    running = serve()
    inner, running.server.app = running.server.app, without("nothing of use")
    assert running.raw().ask(handshake())[0] == 400


class Lender:
    """An `eventlet.input` that lends its socket, or refuses."""

    def __init__(self, sock: object) -> None:
        self.sock = sock

    def get_socket(self) -> object:
        if self.sock is None:
            raise RuntimeError("not for this request")
        return self.sock


def test_the_best_way_to_the_socket_comes_first() -> None:
    environ: dict[str, Any] = {"werkzeug.socket": 4}
    assert take(environ) == 4
    environ["gunicorn.socket"] = 3
    assert take(environ) == 3
    environ["eventlet.input"] = BytesIO()
    assert take(environ) == 3
    environ["eventlet.input"] = Lender(2)
    assert take(environ) == 2
    environ["greening.upgrade"] = lambda: 1
    assert take(environ) == 1


def test_a_server_that_does_not_let_go_of_its_socket_is_a_lookup_error() -> None:
    with pytest.raises(LookupError, match="lets go of no sockets"):
        take({})
    with pytest.raises(LookupError, match="not for this request"):
        take({"eventlet.input": Lender(None)})


def test_each_server_is_left_in_its_own_way() -> None:
    started: list[str] = []

    def start_response(status: str, headers: Any) -> None:
        started.append(status)

    for ours in ("greening.upgrade", "eventlet.input"):
        assert leave({ours: None, "gunicorn.socket": None}, start_response) == []
    with pytest.raises(StopIteration):
        leave({"gunicorn.socket": None}, start_response)
    assert started == []
    assert leave({"werkzeug.socket": None}, start_response) == []
    assert started == ["200 OK"]


class Broken:
    """A connection whose peer is gone."""

    def setsockopt(self, *_: object) -> None:
        raise OSError("a Unix socket")

    def sendall(self, data: bytes) -> None:
        raise BrokenPipeError


def test_a_client_that_is_gone_before_the_answer_never_reaches_the_handler() -> None:
    environ = {
        "REQUEST_METHOD": "GET",
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_UPGRADE": "websocket",
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
        "HTTP_SEC_WEBSOCKET_KEY": KEY,
        "greening.upgrade": Broken,
    }
    app = WebSocketWSGI(lambda ws: pytest.fail("called"))
    assert app(environ, lambda *_: pytest.fail("answered")) == []
