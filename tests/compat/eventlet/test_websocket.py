import socket
from pathlib import Path
from typing import Any

import pytest
import trustme

from greening._core.greenthread import spawn
from greening.compat.eventlet import websocket
from greening.compat.eventlet.websocket import RFC6455WebSocket, WebSocket, WebSocketWSGI
from greening.compat.eventlet.wsgi_response import WSGI_LOCAL
from greening.net.convenience import connect as connect_tcp
from greening.net.convenience import listen
from greening.net.socket import GreenSocket
from greening.net.wrap_ssl import wrap_ssl
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
    assert b"Sec-WebSocket-Extensions: permessage-deflate\r\n" in head
    agreed = {"permessage-deflate": {"server_max_window_bits": 15, "client_max_window_bits": True}}
    ws = RFC6455WebSocket(sock, {"PATH_INFO": "/p"}, client=True, extensions=agreed)
    with Timeout(20):
        ws.send("long enough to be compressed, " * 10)
        assert ws.wait() == "long enough to be compressed, " * 10
        ws.close()
    assert (ws.version, ws.path, isinstance(ws, WebSocket)) == (13, "/p", True)


def frames_of(sock: Any, *messages: bytes) -> bytes:
    """What a server of RFC6455WebSocket answers, up to the end, to frames that no client class has made."""
    sock.sendall(b"".join(messages))
    got = b""
    while data := sock.recv(4096):
        got += data
    return got


def open_raw(running: Any, *lines: bytes) -> Any:
    """A socket with its handshake made."""
    sock = connect_tcp(running.address)
    sock.sendall(HANDSHAKE + b"".join(line + b"\r\n" for line in lines) + b"\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    assert head.startswith(b"HTTP/1.1 101 ")
    return sock


def test_over_tls(serve_eventlet: ServeEventlet, tmp_path: Path) -> None:
    path = tmp_path / "all.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(path)
    running = serve_eventlet(
        WebSocketWSGI(echo), listener=wrap_ssl(listen(("127.0.0.1", 0)), certfile=path, server_side=True)
    )
    with Timeout(20), wrap_ssl(connect_tcp(running.address)) as sock:
        sock.sendall(HANDSHAKE + b"\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        assert head.startswith(b"HTTP/1.1 101 ")
        ws = RFC6455WebSocket(sock, {}, client=True)
        ws.send("x" * 100_000)
        assert ws.wait() == "x" * 100_000
        ws.close()


def test_the_time_limit_of_the_server_holds_for_its_websockets(serve_eventlet: ServeEventlet) -> None:
    errors = []

    def handler(ws: WebSocket) -> None:
        with pytest.raises(TimeoutError) as caught:
            ws.wait()
        errors.append(caught.type)
        raise caught.value

    running = serve_eventlet(WebSocketWSGI(handler), socket_timeout=0.01)
    with Timeout(20), open_raw(running) as sock:
        assert frames_of(sock) == b"\x88\x02\x03\xf3"
    assert errors == [TimeoutError]


def test_a_handler_that_returns_ends_the_stream_without_waiting_for_the_client(serve_eventlet: ServeEventlet) -> None:
    running = serve_eventlet(WebSocketWSGI(lambda ws: ws.send("x")))
    with Timeout(20), open_raw(running) as sock:
        assert frames_of(sock) == b"\x81\x01x\x88\x00"


def test_close_returns_soon_and_says_what_it_is_told(serve_eventlet: ServeEventlet) -> None:
    after = []

    def handler(ws: WebSocket) -> None:
        ws.close((3000, "bye"))
        ws.close()
        after.append((ws.wait(), ws.websocket_closed))
        with pytest.raises(websocket.ConnectionClosedError):
            ws.send("x")
        after.append(None)

    running = serve_eventlet(WebSocketWSGI(handler))
    with Timeout(2), open_raw(running) as sock:
        assert frames_of(sock) == b"\x88\x05\x0b\xb8bye"
        running.stop()
    assert after == [(None, True), None]


MASK = b"\0\0\0\0"


@pytest.mark.parametrize(
    ("close", "answer"),
    [(b"\x88\x80" + MASK, b"\x88\x02\x03\xe8"), (b"\x88\x85" + MASK + b"\x03\xe9bye", b"\x88\x02\x03\xe9")],
)
def test_a_close_is_answered_with_its_code(serve_eventlet: ServeEventlet, close: bytes, answer: bytes) -> None:
    with Timeout(20), open_raw(serve_eventlet(WebSocketWSGI(echo))) as sock:
        assert frames_of(sock, close) == answer


def test_messages_in_several_frames_and_control_frames(serve_eventlet: ServeEventlet) -> None:
    mistakes = []

    def handler(ws: WebSocket) -> None:
        ws.send("a", final=False)
        ws.send(b"", control_code=9)
        ws.send("b", continuation=True, final=False)
        ws.send("c", continuation=True)
        ws.send(b"d", final=False)
        ws.send(b"e", continuation=True)
        wrong: list[tuple[Any, dict[str, Any]]] = [
            ("x", {"control_code": 3}),
            ("x", {"control_code": 11}),
            ("x", {"control_code": 9, "final": False}),
            ("x", {"control_code": 9, "continuation": True}),
            (b"x" * 126, {"control_code": 10}),
        ]
        for message, how in wrong:
            with pytest.raises(websocket.ProtocolError):
                ws.send(message, **how)
            mistakes.append(how)

    with Timeout(20), open_raw(serve_eventlet(WebSocketWSGI(handler))) as sock:
        frames = b"\x01\x01a" + b"\x89\x00" + b"\x00\x01b" + b"\x80\x01c" + b"\x02\x01d" + b"\x80\x01e"
        assert frames_of(sock) == frames + b"\x88\x00"
    assert len(mistakes) == 5


def test_text_that_is_no_utf8_ends_the_connection_and_is_no_error(serve_eventlet: ServeEventlet) -> None:
    got = []
    running = serve_eventlet(WebSocketWSGI(lambda ws: got.append(ws.wait())))
    with Timeout(20), open_raw(running) as sock:
        assert frames_of(sock, b"\x81\x81" + MASK + b"\xff")[2:4] == b"\x03\xef"
    assert got == [None]


@pytest.mark.parametrize("errno", sorted(websocket.ACCEPTABLE_CLIENT_ERRORS))
def test_a_handler_may_end_with_an_error_that_says_that_the_client_has_gone(
    serve_eventlet: ServeEventlet, errno: int
) -> None:
    def handler(ws: WebSocket) -> None:
        raise OSError(errno, "gone")

    app = WebSocketWSGI(handler)
    results = []

    def watching(environ: dict[str, Any], start_response: Any) -> Any:
        results.append(app(environ, start_response))
        return results[0]

    running = serve_eventlet(watching)
    with Timeout(20), open_raw(running) as sock:
        frames_of(sock)
    running.stop()
    assert results == [[]]


def test_another_error_of_a_handler_reaches_the_application_around_it(serve_eventlet: ServeEventlet) -> None:
    def handler(ws: WebSocket) -> None:
        raise OSError(22, "no such thing")

    app = WebSocketWSGI(handler)
    errors = []

    def watching(environ: dict[str, Any], start_response: Any) -> Any:
        try:
            return app(environ, start_response)
        except OSError as error:
            errors.append(error)
            raise

    running = serve_eventlet(watching)
    with Timeout(20), open_raw(running) as sock:
        assert frames_of(sock) == b"\x88\x02\x03\xf3"
    running.stop()
    assert len(errors) == 1 and "no such thing" in running.log.getvalue()


def test_version_8_is_13_with_another_name_for_the_origin(serve_eventlet: ServeEventlet) -> None:
    seen = []

    @WebSocketWSGI.configured(origin_checker=lambda host, origin: seen.append(origin) or True)
    def handler(ws: WebSocket) -> None:
        seen.append(ws.version)
        ws.send("x")

    running = serve_eventlet(handler)
    request = HANDSHAKE.replace(b"Version: 13", b"Version: 8") + b"Sec-WebSocket-Origin: http://o\r\n\r\n"
    assert running.raw(request).endswith(b"\r\n\r\n\x81\x01x\x88\x00")
    assert seen == ["http://o", 8] and handler.protocol_version == 8
    answer = running.raw(request.replace(b"Version: 8", b"Version: 7"))
    assert answer.startswith(b"HTTP/1.1 426 ") and b"Sec-Websocket-Version: 8, 13\r\n" in answer


def test_what_was_agreed_on_is_an_attribute(serve_eventlet: ServeEventlet) -> None:
    seen: list[Any] = []

    def handler(ws: RFC6455WebSocket) -> None:
        seen.append((ws.extensions, ws.client, ws.max_frame_length, type(ws)))

    running = serve_eventlet(WebSocketWSGI(handler, max_frame_length=1000))
    asked = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10; server_no_context_takeover"
    with Timeout(20), open_raw(running, asked) as sock:
        frames_of(sock)
    agreed = {"server_max_window_bits": 15, "client_max_window_bits": 10}
    agreed |= {"server_no_context_takeover": True, "client_no_context_takeover": False}
    assert seen == [({"permessage-deflate": agreed}, False, 1000, RFC6455WebSocket)]


@pytest.mark.parametrize("version", [75, 76])
def test_drafts_before_the_rfc_are_refused(version: int) -> None:
    with pytest.raises(ValueError, match=f"version {version} of WebSocket is not spoken"):
        WebSocket(None, {}, version)


def test_errors_that_programs_make_and_catch() -> None:
    refused = websocket.BadRequest("403 Forbidden", b"no", [("A", "b")])
    assert (refused.status, refused.body, refused.headers) == ("403 Forbidden", b"no", [("A", "b")])
    failed = websocket.FailedConnectionError(1002, "why")
    assert (failed.status, failed.message, failed.args) == (1002, "why", (1002, "why"))
    assert 1005 not in websocket.VALID_CLOSE_STATUS and {1000, 1011, 4999} <= websocket.VALID_CLOSE_STATUS
    assert len(websocket.PROTOCOL_GUID) == 36
