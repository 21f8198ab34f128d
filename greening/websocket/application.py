"""`WebSocketWSGI`: a handler of WebSocket connections as a WSGI application."""

from collections.abc import Callable, Collection
from dataclasses import replace
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Any

from greening._core.mistakes import check_handler
from greening.websocket.callbacks import Callbacks, Conversation, OnEvent, OnMessage, Watched
from greening.websocket.connection import WebSocket
from greening.websocket.exceptions import ConnectionClosedError
from greening.websocket.server_handshake import VERSIONS, Accepted, OriginChecker, Refused, examine
from greening.websocket.settings import DEFAULT_MAX_FRAME_LENGTH, Settings

Handler = Callable[[WebSocket], object]


class WebSocketWSGI:
    """A WSGI application that answers WebSocket handshakes and calls `handler(ws)` for each connection.

        @WebSocketWSGI
        def echo(ws):
            for message in ws:
                ws.send(message)

    The connection is closed when the handler returns: with code 1000, or 1011 when it raises, which then goes to the
    server. That the client has gone (ConnectionClosedError) is no error. A request that is no handshake gets 400, one
    for another version of the protocol 426, one from an origin that is not welcome 403.

    A server that stops says 1001 to all clients, and waits `close_timeout` for their answers. One that has no room for
    a newcomer ends a connection that waits for its client, with 1013.

    It runs on a server that lets go of the connection: greening.wsgi, or one that has its socket in the environ under
    `eventlet.input`, `gunicorn.socket` or `werkzeug.socket`.

    Args:
        handler: gets a `WebSocket`.
        max_frame_length, settings: see `Settings`. `write_timeout`: without it greening.wsgi's own.
        supported_protocols: subprotocols; of those that the client names the first one of these is taken.
        origin_checker: called with the Host and the Origin ("": there is none); false: the client is refused. Browsers
            let any page connect anywhere: check it where cookies count.
    Thread-safety: as the handler.
    Difference from eventlet: `max_frame_length` limits messages, too, inflated.
    """

    # Values of Sec-WebSocket-Version that are accepted. A subclass may have others, if it knows what they mean.
    versions: Collection[str] = VERSIONS

    def __init__(
        self,
        handler: Handler,
        max_frame_length: int = DEFAULT_MAX_FRAME_LENGTH,
        *,
        supported_protocols: Collection[str] | None = None,
        origin_checker: OriginChecker | None = None,
        **settings: Any,
    ) -> None:
        if handler is not None:  # a subclass may need none
            check_handler(handler, "WebSocketWSGI", "(websocket)")
        self.handler = handler
        self.supported_protocols = supported_protocols or []
        self.origin_checker = origin_checker
        self.settings = Settings(max_frame_length, **settings)
        self._writes_as_the_server = "write_timeout" not in settings

    @classmethod
    def configured(
        cls,
        handler: Handler | None = None,
        supported_protocols: Collection[str] | None = None,
        origin_checker: OriginChecker | None = None,
        support_legacy_versions: bool = False,
        **settings: Any,
    ) -> Any:
        """One with settings, or, without a handler, a decorator that makes one.

        Args:
            support_legacy_versions: without effect: no client speaks what came before RFC 6455 any more.
            settings: the others of the class.
        """

        def decorate(handler: Handler) -> "WebSocketWSGI":
            return cls(handler, supported_protocols=supported_protocols, origin_checker=origin_checker, **settings)

        return decorate if handler is None else decorate(handler)

    @classmethod
    def callbacks(
        cls,
        on_message: OnMessage,
        on_open: OnEvent | None = None,
        on_close: OnEvent | None = None,
        **settings: Any,
    ) -> "WebSocketWSGI":
        """One that calls functions, in place of a handler that waits: an idle connection costs no green thread.

            app = WebSocketWSGI.callbacks(lambda ws, message: ws.send(message))

        Messages of a connection are given one after the other, in order. A callback may block, and any green thread may
        send. An exception closes the connection with code 1011, and is reported. Other servers than greening.wsgi
        (gunicorn, werkzeug) give each connection a green thread that calls back.

        Args:
            on_message: called with the connection and each message, str or bytes.
            on_open: called with the connection, first. on_close: last, once; the connection's `close_code` says why. It
                is not called when a server kills what is left at its end.
            settings: the others of the class.
        """
        return cls(Callbacks(on_message, on_open, on_close), **settings)

    @property
    def max_frame_length(self) -> int:
        """Bytes of one frame, on later connections. It can be set."""
        return self.settings.max_frame_length

    @max_frame_length.setter
    def max_frame_length(self, limit: int) -> None:
        self.settings = replace(self.settings, max_frame_length=limit)

    def _settings_on(self, environ: dict[str, Any]) -> Settings:
        limits = environ.get("greening.limits")
        if not self._writes_as_the_server or limits is None:
            return self.settings
        if limits.write_timeout != self.settings.write_timeout:
            self.settings = replace(self.settings, write_timeout=limits.write_timeout)
        return self.settings

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """WSGI."""
        try:
            accepted = examine(environ, self.supported_protocols, self.origin_checker, self.settings, self.versions)
            sock = take(environ)
        except Refused as refused:
            return _refuse(start_response, refused.status, refused.why, *refused.headers)
        except LookupError as error:
            return _refuse(start_response, "400 Bad Request", str(error))
        try:
            at_once(sock)
            sock.sendall(accepted.answer)
        except OSError:
            return leave(environ, start_response)
        ws = self.connection_on(sock, environ, accepted, self._settings_on(environ))
        stay = environ.pop("greening.stay", None)
        if isinstance(self.handler, Callbacks) and stay is not None:
            conversation = Conversation(ws, self.handler)
            stay(conversation)
            conversation.begin()
            return []
        if stay is not None:
            watched = Watched(ws)
            stay(watched)
            try:
                self._handle(ws)
            finally:
                watched.let_go()
            return []
        if "eventlet.set_idle" in environ:
            environ["eventlet.set_idle"]()
        self._handle(ws)
        return leave(environ, start_response)

    def connection_on(self, sock: Any, environ: dict[str, Any], accepted: Accepted, settings: Settings) -> WebSocket:
        """The connection on a socket whose handshake has been made. A subclass may make one of a class of its own."""
        return WebSocket(
            sock,
            environ,
            settings,
            path=environ.get("PATH_INFO", ""),
            origin=accepted.origin,
            protocol=accepted.protocol,
            agreement=accepted.agreement,
        )

    def _handle(self, ws: WebSocket) -> None:
        try:
            self.handler(ws)
        except BaseException as error:
            gone = isinstance(error, ConnectionClosedError) and ws.websocket_closed
            ws.finish(None if gone else error)
            if not gone:
                raise
        else:
            ws.finish(None)


def at_once(sock: Any) -> None:
    """Have small messages sent at once. A Unix socket has no such option, and does not need it."""
    try:
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    except OSError:
        pass


def _refuse(start_response: Any, status: str, why: str, *headers: tuple[str, str]) -> list[bytes]:
    body = why.encode() + b"\n"
    fields = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))), *headers]
    start_response(status, fields)
    return [body]


# Taking a connection over from the HTTP server that has it.


def take(environ: dict[str, Any]) -> Any:
    """The socket of a request, which is the caller's from now on.

    Raises:
        LookupError: the server lets go of no sockets, or not for this request.
    """
    if "greening.upgrade" in environ:
        return environ["greening.upgrade"]()
    get_socket = getattr(environ.get("eventlet.input"), "get_socket", None)
    if get_socket is not None:
        try:
            return get_socket()
        except RuntimeError as error:  # greening.wsgi's: not for this request
            raise LookupError(str(error)) from error
    for key in ("gunicorn.socket", "werkzeug.socket"):
        if key in environ:
            return environ[key]
    raise LookupError("this server lets go of no sockets: no greening.upgrade, eventlet.input, gunicorn.socket, ...")


def leave(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """What the application returns when its connection is over.

    Raises:
        StopIteration: for gunicorn's own workers: that is how an application tells them to write nothing.
    """
    if "greening.upgrade" not in environ and "eventlet.input" not in environ:
        if "gunicorn.socket" in environ:
            raise StopIteration
        start_response("200 OK", [])  # werkzeug insists; it cannot be sent any more
    return []
