"""eventlet.websocket."""

from greening.websocket.application import WebSocketWSGI
from greening.websocket.connection import WebSocket
from greening.websocket.exceptions import ConnectionClosedError
from greening.websocket.settings import DEFAULT_MAX_FRAME_LENGTH

__all__ = ["DEFAULT_MAX_FRAME_LENGTH", "ConnectionClosedError", "WebSocket", "WebSocketWSGI"]
