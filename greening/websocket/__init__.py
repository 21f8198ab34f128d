"""WebSocket (RFC 6455, RFC 7692), server and client, over green sockets, with eventlet's interface. It needs the extra
`websocket` (wsproto).

| | |
|---|---|
| `WebSocketWSGI` | a handler of connections, or callbacks, as a WSGI application |
| `connect` | a client's connection |
| `WebSocket` | a connection |
| `Settings`, `DEFAULT_MAX_FRAME_LENGTH` | what a connection may cost, in bytes and in time |
| `Budget`, `PROCESS_BUDGET` | what unfinished messages of all connections may take up |
| `ConnectionClosedError` | sending on a connection that is closed |
| `HandshakeError` | the server, or a proxy, does not want `connect` |
"""

from greening.websocket.application import WebSocketWSGI
from greening.websocket.budget import PROCESS_BUDGET, Budget
from greening.websocket.client import connect
from greening.websocket.connection import WebSocket
from greening.websocket.exceptions import ConnectionClosedError, HandshakeError
from greening.websocket.settings import DEFAULT_MAX_FRAME_LENGTH, Settings

__all__ = [
    "WebSocketWSGI",
    "connect",
    "WebSocket",
    "Settings",
    "DEFAULT_MAX_FRAME_LENGTH",
    "Budget",
    "PROCESS_BUDGET",
    "ConnectionClosedError",
    "HandshakeError",
]
