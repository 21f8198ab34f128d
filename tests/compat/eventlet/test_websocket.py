import socket
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening.compat.eventlet import websocket
from greening.compat.eventlet.websocket import RFC6455WebSocket, WebSocket, WebSocketWSGI
from greening.compat.eventlet.wsgi_response import WSGI_LOCAL
from greening.net.convenience import connect as connect_tcp
from greening.net.socket import GreenSocket
from greening.timeout import Timeout
from greening.websocket.client import connect
from tests.compat.eventlet.conftest import GET, ServeEventlet

HANDSHAKE = (
    GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def echo(ws: WebSocket) -> None:
    for message in ws:
        ws.send(message)


def url(running: Any) -> str:
    return f"ws://127.0.0.1:{running.address[1]}/chat?x=1"


def test_names_that_programs_use() -> None:
    assert set(websocket.__all__) <= set(dir(websocket))
    assert websocket.DEFAULT_MAX_FRAME_LENGTH == 8 << 20


def test_a_handler_as_an_application(serve_eventlet: ServeEventlet) -> None:
    running = serve_eventlet(WebSocketWSGI(echo))
    with Timeout(20), connect(url(running)) as ws:
        ws.send("text")
        ws.send(b"\0\1")
        assert (ws.wait(), ws.wait()) == ("text", b"\0\1")
    running.stop()
    assert '"GET /chat?x=1 HTTP/1.1" 101 ' in running.log.getvalue()


def test_a_subclass_that_takes_the_socket_first(serve_eventlet: ServeEventlet) -> None:
    """As Engine.IO does."""
    socks = []

    class Sub(WebSocketWSGI):
        def __init__(self, handler: Any, limit: int) -> None:
            super().__init__(handler, max_frame_length=limit)

        def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
            socks.append(environ["eventlet.input"].get_socket())
            return super().__call__(environ, start_response)

    running = serve_eventlet(Sub(echo, 10))
    with Timeout(20), connect(url(running)) as ws:
        ws.send("short")
        assert ws.wait() == "short"
        ws.send("x" * 11)
        assert ws.wait() is None and ws.close_code == 1009
    assert running.get().status == 400
    running.stop()
    assert socks[0].fileno() == -1


def test_a_request_that_is_no_handshake_ends_its_connection(serve_eventlet: ServeEventlet) -> None:
    client = serve_eventlet(WebSocketWSGI(echo)).connect()
    answer = client.get()
    assert answer.status == 400 and answer.fields["connection"] == "close" and client.is_closed


def test_a_client_that_does_not_wait_is_refused(serve_eventlet: ServeEventlet) -> None:
    """What it sent behind its request has been read with the request, and would be lost."""
    running = serve_eventlet(WebSocketWSGI(echo))
    assert running.raw(HANDSHAKE + b"\r\n" + b"\x81\x80abcd").startswith(b"HTTP/1.1 400 ")


def test_a_connection_that_was_taken_over_is_closed_when_the_application_returns(serve_eventlet: ServeEventlet) -> None:
    def raw(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["greening.upgrade"]().sendall(b"RAW")
        return []

    client = serve_eventlet(raw).connect()
    client.send(HANDSHAKE + b"\r\n")
    assert client.until(b"RAW") == b"RAW"
    client.send(GET + b"\r\n")
    assert client.is_closed


def test_configured() -> None:
    asked = []

    @WebSocketWSGI.configured(supported_protocols=["a", "b"], origin_checker=lambda host, origin: asked.append(origin))
    def handler(ws: WebSocket) -> None:
        """Not reached."""

    class Bare(WebSocketWSGI):
        def __init__(self, handler: Any) -> None:
            super().__init__(handler)

    assert isinstance(handler, WebSocketWSGI) and handler.supported_protocols == ["a", "b"]
    environ = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_ORIGIN": "http://b", "HTTP_HOST": "a"}
    environ |= {"HTTP_CONNECTION": "upgrade", "HTTP_UPGRADE": "websocket", "HTTP_SEC_WEBSOCKET_VERSION": "13"}
    environ["HTTP_SEC_WEBSOCKET_KEY"] = "dGhlIHNhbXBsZSBub25jZQ=="
    answers: list[Any] = []
    handler(environ, lambda *args: answers.append(args))
    assert answers[0][0].startswith("403 ") and ("Connection", "close") in answers[0][1] and asked == ["http://b"]
    bare = Bare.configured(echo, supported_protocols=["c"])
    assert isinstance(bare, Bare) and bare.supported_protocols == ["c"]


def test_the_server_is_told_that_it_has_been_handled() -> None:
    ours, theirs = (GreenSocket(fileno=one.detach()) for one in socket.socketpair())
    with ours, theirs:
        environ = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "greening.upgrade": lambda: ours}
        environ |= {"HTTP_CONNECTION": "upgrade", "HTTP_UPGRADE": "websocket", "HTTP_SEC_WEBSOCKET_VERSION": "13"}
        environ |= {"HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==", "HTTP_HOST": "a"}
        WSGI_LOCAL.already_handled = False
        theirs.shutdown(socket.SHUT_WR)
        assert WebSocketWSGI(echo)(environ, pytest.fail) == []
        assert WSGI_LOCAL.already_handled


def test_a_server_that_is_killed_does_not_wait_for_a_connection(serve_eventlet: ServeEventlet) -> None:
    running = serve_eventlet(WebSocketWSGI(echo))
    with Timeout(20), connect(url(running)) as ws:
        ws.send("a")
        assert ws.wait() == "a"
        stopping = spawn(running.stop)
        assert ws.wait() is None
        stopping.wait()


def test_a_connection_on_a_socket_of_ones_own(serve_eventlet: ServeEventlet) -> None:
    running = serve_eventlet(WebSocketWSGI(echo))
    sock = connect_tcp(running.address)
    sock.sendall(HANDSHAKE + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(1)
    assert b"permessage-deflate; server_max_window_bits=12\r\n" in head
    agreed = {"permessage-deflate": {"server_max_window_bits": 12, "client_max_window_bits": True}}
    ws = RFC6455WebSocket(sock, {"PATH_INFO": "/p"}, client=True, extensions=agreed)
    with Timeout(20):
        ws.send("long enough to be compressed, " * 10)
        assert ws.wait() == "long enough to be compressed, " * 10
        ws.close()
    assert (ws.version, ws.path, isinstance(ws, WebSocket)) == (13, "/p", True)
