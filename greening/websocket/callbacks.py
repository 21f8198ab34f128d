"""A connection without a green thread: functions that are called when something comes.

Facts: a green thread that waits for a message costs 8 KiB and more. Most connections wait most of the time.
Decision: what serves a connection is an `Idle` of the server's. Bytes that come start a green thread, which calls the
functions for each message and ends.
"""

from collections.abc import Callable
from typing import Any

from greening._core.greenthread import spawn
from greening.net.idle import Idle
from greening.websocket._wsproto import CloseReason
from greening.websocket.connection import WebSocket
from greening.websocket.exceptions import ConnectionClosedError

OnMessage = Callable[[WebSocket, Any], object]
OnEvent = Callable[[WebSocket], object]


class Callbacks:
    """The functions. As a handler it calls them from the one green thread of a connection: other servers than
    greening.wsgi have nothing better.

    Args:
        on_message: gets the connection and a message: str or bytes. on_open, on_close: get the connection.
    """

    def __init__(self, on_message: OnMessage, on_open: OnEvent | None = None, on_close: OnEvent | None = None) -> None:
        self.on_message = on_message
        self.on_open = on_open
        self.on_close = on_close

    def __call__(self, ws: WebSocket) -> None:
        error: BaseException | None = None
        try:
            self.opened(ws)
            for message in ws:
                self.on_message(ws, message)
        except BaseException as failure:
            error = failure
            raise
        finally:
            ws.finish(error)
            self.closed(ws)

    def opened(self, ws: WebSocket) -> None:
        """The connection is open."""
        if self.on_open is not None:
            self.on_open(ws)

    def closed(self, ws: WebSocket) -> None:
        """It is over."""
        if self.on_close is not None:
            self.on_close(ws)


class Watched(Idle):
    """Stands for a connection on whose messages a green thread waits: it may be told to end."""

    __slots__ = ("_ws",)

    def __init__(self, ws: WebSocket) -> None:
        super().__init__()
        self.over = True  # when its green thread has ended
        self._ws: WebSocket | None = ws

    def dismiss(self, why: str) -> None:
        """See `Idle`."""
        if self._ws is not None:
            self._ws.dismiss(CloseReason.TRY_AGAIN_LATER, why)

    def shut_down(self) -> bool:
        """See `Idle`: the peer is told, and has `close_timeout` to answer."""
        if self._ws is not None:
            self._ws.leave()
        return False

    def let_go(self) -> None:
        """The connection is over. The server refers to this, and its environ to the server: no circle is left."""
        self._ws = None


class Conversation(Watched):
    """A connection that is served by callbacks. See `Idle`."""

    __slots__ = ("_callbacks", "_running")

    def __init__(self, ws: WebSocket, callbacks: Callbacks) -> None:
        super().__init__(ws)
        self.over = False
        self._callbacks = callbacks
        self._running = False

    @property
    def environ(self) -> dict[str, Any] | None:
        """Of the request that began the connection, for the server to name it. None: the connection is over."""
        return None if self._ws is None else self._ws.environ

    def begin(self) -> None:
        """The connection has been opened."""
        self._run(self._callbacks.opened)
        if not self.over:
            self.resume()

    def resume(self) -> Idle | None:
        """Call back for what has come."""
        self._run(self._serve)
        return None if self.over else self

    def _serve(self, ws: WebSocket) -> None:
        on_message = self._callbacks.on_message
        more = True
        while more:
            more = ws.take_in()
            while (message := ws.poll()) is not None:
                on_message(ws, message)

    def _run(self, step: OnEvent) -> None:
        """One step in the green thread of the connection; if that was the last one, the end."""
        ws = self._ws
        if ws is None:
            return
        self._running = True
        error: BaseException | None = None
        try:
            step(ws)
        except BaseException as failure:
            gone = isinstance(failure, ConnectionClosedError) and ws.websocket_closed
            error = None if gone else failure
            self.over = True
            if not gone:
                raise
        finally:
            self._running = False
            if self.over or ws.over:
                self.over = True
                try:
                    ws.finish(error)
                finally:
                    self._tell()

    def _tell(self) -> None:
        """Call `on_close`, once."""
        ws = self._ws
        if ws is not None:
            self.let_go()
            self._callbacks.closed(ws)

    def dismiss(self, why: str) -> None:
        """See `Idle`."""
        super().dismiss(why)
        if not self._running:
            self.over = True
            spawn(self._tell)
