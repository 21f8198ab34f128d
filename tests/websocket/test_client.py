"""`connect`: URLs, fields, TLS, and servers that do not do their part."""

import ssl
from pathlib import Path
from socket import AF_UNIX
from typing import Any

import pytest

from greening._core.greenthread import kill, spawn
from greening.net import convenience
from greening.net.convenience import listen
from greening.sync.event import Event
from greening.testing import wait_until_parked
from greening.timeout import Timeout
from greening.websocket.application import WebSocketWSGI
from greening.websocket.client import connect
from greening.websocket.exceptions import HandshakeError
from greening.websocket.headers import accept_of
from greening.wsgi.server import Server


@pytest.fixture
def answering() -> Any:
    """A server that answers one request with given bytes, in which ACCEPT is replaced, and keeps the request."""
    listeners = []

    def start(data: bytes) -> tuple[str, list[bytes]]:
        listener = listen(("127.0.0.1", 0))
        listeners.append(listener)
        requests: list[bytes] = []

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                request = sock.recv(65536)
                requests.append(request)
                key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
                sock.sendall(data.replace(b"ACCEPT", accept_of(key).encode()))

        spawn(serve)
        return f"ws://127.0.0.1:{listener.getsockname()[1]}", requests

    yield start
    for listener in listeners:
        listener.close()


YES = b"HTTP/1.1 101 Fine\r\nUpgrade: WebSocket\r\nConnection: x, upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n"


def test_frames_behind_the_answer_are_not_lost(answering: Any) -> None:
    url, _ = answering(YES + b"\r\n\x81\x05early\x88\x00")
    with connect(url) as ws:
        assert list(ws) == ["early"]
        assert ws.close_code == 1005


def test_the_request_is_what_was_asked_for(answering: Any) -> None:
    url, requests = answering(YES + b"\r\n\x88\x00")
    where = url.replace("//", "//user:p%40ss@") + "/path?q=1"
    with connect(where, origin="http://o", headers={"Cookie": "a=b"}, subprotocols=["x", "y"], compression=False):
        pass
    line, *fields = requests[0].decode().split("\r\n")[:-2]
    assert line == "GET /path?q=1 HTTP/1.1"
    told = dict(field.split(": ", 1) for field in fields)
    assert told["Host"] == url.removeprefix("ws://")
    assert told["Origin"] == "http://o"
    assert told["Cookie"] == "a=b"
    assert told["Sec-WebSocket-Protocol"] == "x, y"
    assert told["Authorization"] == "Basic dXNlcjpwQHNz"
    assert "Sec-WebSocket-Extensions" not in told


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nX: y\r\n\r\nno", 403),
        (b"HTTP/1.1 302 Found\r\n\r\n", 302),
        (b"HTTP/1.1 304 Not Modified\r\nLocation: /\r\n\r\n", 304),
        (YES.replace(b"ACCEPT", b"x") + b"\r\n", 101),
        (YES.replace(b"WebSocket\r", b"h2c\r") + b"\r\n", 101),
        (YES.replace(b"upgrade", b"close") + b"\r\n", 101),
        (YES + b"Sec-WebSocket-Protocol: other\r\n\r\n", 101),
        (YES + b"Sec-WebSocket-Extensions: x-other\r\n\r\n", 101),
        (b"SSH-2.0-OpenSSH\r\n\r\n", None),
        (b"HTTP/1.1 101 Fine\r\nno colon\r\n\r\n", None),
        (b"HTTP/1.1 101 Fine\r\n", None),
        (b"", None),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, None),
    ],
)
def test_other_answers_are_handshake_errors(answering: Any, answer: bytes, status: int | None) -> None:
    url, _ = answering(answer)
    with pytest.raises(HandshakeError) as caught:
        connect(url)
    assert caught.value.status == status


def redirecting(location: str, status: str = "302 Found") -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status, [("Location", location), ("Content-Length", "0")])
        return []

    return app


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_redirections_are_followed(serve: Any, status: str) -> None:
    there, here = serve(lambda ws: ws.send(ws.path + str(ws.environ.get("HTTP_COOKIE")))), serve()
    here.server.app = redirecting(there.url.replace("ws", "http") + "/there", status)
    with connect(here.url, headers={"Cookie": "secret"}) as ws:
        assert ws.wait() == "/thereNone"


def test_a_circle_of_redirections_is_left(serve: Any) -> None:
    running = serve()
    running.server.app = redirecting("/again")
    with pytest.raises(HandshakeError, match="one redirection too many, to '/again'") as caught:
        connect(running.url, max_redirects=3)
    assert caught.value.status == 302


def test_over_a_socket_of_ones_own_no_redirection_is_followed(serve: Any) -> None:
    running = serve()
    running.server.app = redirecting(running.url)
    with pytest.raises(HandshakeError, match="302"):
        connect(running.url, sock=convenience.connect(running.address))


def test_a_refusal_says_what_the_server_said(answering: Any) -> None:
    url, _ = answering(b"HTTP/1.1 403 Forbidden\r\nX: y\r\n\r\nno")
    with pytest.raises(HandshakeError, match="403") as caught:
        connect(url)
    assert (caught.value.headers, caught.value.body) == ((("X", "y"),), b"no")


@pytest.mark.parametrize("url", ["http://a", "ws://", "a", "ws://a/#b", "ws://a/b c", "ws://a/\r\nX: y", "ws://a:x/"])
def test_faulty_urls_are_mistakes(url: str) -> None:
    with pytest.raises(ValueError):
        connect(url)


@pytest.mark.parametrize(
    "settings",
    [
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": [("a b", "c")]},
        {"origin": "\n"},
        {"subprotocols": ["a,b"]},
        {"subprotocols": "a"},
    ],
)
def test_fields_that_cannot_be_sent_are_mistakes(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        connect("ws://127.0.0.1:1", **settings)


def test_a_server_that_says_nothing_is_given_up() -> None:
    with listen(("127.0.0.1", 0)) as listener:
        with pytest.raises(TimeoutError):
            connect(f"ws://127.0.0.1:{listener.getsockname()[1]}", timeout=0.05)


def test_a_server_that_is_not_there_is_an_oserror() -> None:
    with listen(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        connect(f"ws://127.0.0.1:{port}")


def test_a_client_that_is_killed_while_it_connects_leaves_nothing_open() -> None:
    with listen(("127.0.0.1", 0)) as listener:
        connecting = spawn(connect, f"ws://127.0.0.1:{listener.getsockname()[1]}")
        sock, _ = listener.accept()
        kill(connecting)
        with sock, Timeout(5):
            while sock.recv(1000):
                pass


def test_over_tls(serve: Any, contexts: Any) -> None:
    server, client = contexts()
    running = serve(server={"ssl_context": server})
    with connect(running.url, ssl_context=client) as ws:
        for message in ("x", bytes(3 << 20)):
            ws.send(message)
            assert ws.wait() == message
        ws.close((4000, "done"))
    assert (ws.close_code, ws.close_reason) == (4000, "done")


def test_over_tls_too_a_message_whose_sender_is_killed_is_finished_by_the_next_one(serve: Any, contexts: Any) -> None:
    big = bytes(range(256)) * 50_000
    killed, read = Event(), Event()

    def handler(ws: Any) -> None:
        for _ in range(3):
            with pytest.raises(Timeout):
                with Timeout(0.02):
                    ws.send(big)
        killed.send()
        read.wait()
        ws.send("next")

    server, client = contexts()
    running = serve(handler, compression=False, server={"ssl_context": server})
    with connect(running.url, ssl_context=client, max_frame_length=len(big)) as ws:
        killed.wait()
        read.send()
        assert list(ws) == [big, "next"]


def test_both_directions_at_once_over_tls(serve: Any, contexts: Any) -> None:
    def handler(ws: Any) -> None:
        sending = spawn(lambda: [ws.send(bytes([number]) * 100_000) for number in range(20)])
        for number in range(20):
            assert ws.wait() == bytes([number]) * 100_000
        sending.wait()

    server, client = contexts()
    with connect(serve(handler, compression=False, server={"ssl_context": server}).url, ssl_context=client) as ws:
        sending = spawn(lambda: [ws.send(bytes([number]) * 100_000) for number in range(20)])
        assert list(ws) == [bytes([number]) * 100_000 for number in range(20)]
        sending.wait()


def test_a_certificate_of_an_unknown_authority_is_refused(serve: Any, contexts: Any) -> None:
    running = serve(server={"ssl_context": contexts()[0]})
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(running.url)


def test_over_a_socket_of_ones_own(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    server = Server(listen(path, AF_UNIX), WebSocketWSGI(lambda ws: ws.send(ws.wait())), log_output=False)
    server.start()
    with connect("ws://a/", sock=convenience.connect(path, AF_UNIX)) as ws:
        ws.send("x")
        assert ws.wait() == "x"
    server.stop(5)


def test_loops_run_on_while_a_connection_waits(serve: Any) -> None:
    with connect(serve().url) as ws:
        waiting = spawn(ws.wait)
        wait_until_parked(waiting)
        ws.send("x")
        assert waiting.wait() == "x"
