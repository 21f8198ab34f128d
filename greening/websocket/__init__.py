"""WebSocket (RFC 6455, RFC 7692), server and client, over green sockets, with eventlet's interface. It needs the extra
`websocket` (wsproto).

| | |
|---|---|
| `WebSocketWSGI` | a handler of connections as a WSGI application |
| `connect` | a client's connection |
| `WebSocket` | a connection |
| `Settings`, `DEFAULT_MAX_FRAME_LENGTH` | what a connection may cost |
| `ConnectionClosedError` | sending on a connection that is closed |
| `HandshakeError` | the server does not want `connect` |
"""

from greening.websocket.application import WebSocketWSGI
from greening.websocket.client import connect
from greening.websocket.connection import WebSocket
from greening.websocket.exceptions import ConnectionClosedError, HandshakeError
from greening.websocket.message_limits import DEFAULT_MAX_FRAME_LENGTH, Settings

__all__ = [
    "WebSocketWSGI",
    "connect",
    "WebSocket",
    "Settings",
    "DEFAULT_MAX_FRAME_LENGTH",
    "ConnectionClosedError",
    "HandshakeError",
]
