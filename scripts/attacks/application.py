"""What the attacked server serves: an answer of two bytes, a big one, a body that is read, and WebSockets."""

from __future__ import annotations

from typing import Any

from greening.websocket import WebSocket, WebSocketWSGI

BIG = b"x" * (20 << 20)
BLOCK = b"x" * 65536


def _echo(ws: WebSocket) -> None:
    for message in ws:
        ws.send(str(len(message)))


def _talk(ws: WebSocket) -> None:
    while True:
        ws.send(BLOCK)


_websockets = {"/echo": WebSocketWSGI(_echo), "/talk": WebSocketWSGI(_talk)}


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """WSGI."""
    path = environ["PATH_INFO"]
    if path in _websockets:
        return _websockets[path](environ, start_response)
    body = b"ok"
    if path == "/big":
        body = BIG
    elif path == "/read":
        while environ["wsgi.input"].read(65536):
            pass
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
