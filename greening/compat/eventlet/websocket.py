"""`eventlet.websocket`, on greening.websocket, with eventlet's way of ending a connection.

Differences from eventlet: hixie-75 and -76 are not spoken; `max_frame_length` limits a message as well; text that is no
UTF-8 ends the connection with code 1007, and `wait` returns None; a handler that raises ends it with code 1011, in the
place of an HTTP answer amid the frames.
"""

import errno
from collections.abc import Callable, Collection
from typing import Any

from greening.compat.eventlet.wsgi_response import WSGI_LOCAL
from greening.websocket.application import Handler, leave
from greening.websocket.application import WebSocketWSGI as _WebSocketWSGI
from greening.websocket.closing import MAX_CONTROL
from greening.websocket.connection import WebSocket as _WebSocket
from greening.websocket.deflate import NAME, Agreement
from greening.websocket.exceptions import ConnectionClosedError
from greening.websocket.server_handshake import Accepted
from greening.websocket.settings import DEFAULT_MAX_FRAME_LENGTH, Settings

__all__ = [
    "ACCEPTABLE_CLIENT_ERRORS",
    "BadRequest",
    "ConnectionClosedError",
    "DEFAULT_MAX_FRAME_LENGTH",
    "FailedConnectionError",
    "PROTOCOL_GUID",
    "ProtocolError",
    "RFC6455WebSocket",
    "VALID_CLOSE_STATUS",
    "WebSocket",
    "WebSocketWSGI",
]

# Error numbers that say that the client has gone: a handler may end with one of them.
ACCEPTABLE_CLIENT_ERRORS = {errno.ECONNRESET, errno.EPIPE, errno.ESHUTDOWN}
PROTOCOL_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
VALID_CLOSE_STATUS = {*range(1000, 1004), *range(1007, 1012), *range(3000, 5000)}  # RFC 6455 7.4

# As in eventlet, no peer is asked for signs of life, and none is cut for being slow. The answer to our close frame is
# waited for briefly (in seconds), because eventlet's `close` does not wait for it at all.
_TIMES: dict[str, Any] = {
    "close_timeout": 0.05,
    "ping_interval": None,
    "ping_timeout": None,
    "message_timeout": None,
    "write_timeout": None,
}
_FINAL, _CONTROL = 0x80, 0x08  # bits of a frame's first byte
_TEXT, _BINARY, _PONG = 1, 2, 10  # opcodes
_LARGEST_WINDOW = 15  # base-2 logarithm, in bytes


class BadRequest(Exception):
    """A request is no handshake.

    Args:
        status, body, headers: of the answer.
    """

    def __init__(self, status: str = "400 Bad Request", body: bytes | None = None, headers: Any = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers


class FailedConnectionError(Exception):
    """The peer has broken the protocol. Args: status: the code to close with. message: the reason."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


class ProtocolError(ValueError):
    """`send` was asked for a frame that RFC 6455 does not allow."""


class WebSocket(_WebSocket):
    """A connection; see greening.websocket. `WebSocketWSGI` makes an `RFC6455WebSocket`, which is one.

    Args:
        sock: cooperative; its handshake has been made. environ: the request's; {} for a client.
        version: 13, or 8, which differs in nothing that counts here.
        protocol: the subprotocol that was agreed on. client: this is the client's side.
        extensions: what was agreed on, as {"permessage-deflate": {"server_max_window_bits": 15, ...}}.
        max_frame_length: bytes of a frame, and of a message.
    Raises:
        ValueError: another version, for example 76, which eventlet has as the default here.
    """

    normal_code = None
    hangs_up_first = True

    def __init__(
        self,
        sock: Any,
        environ: dict[str, Any],
        version: int = 76,
        protocol: str | None = None,
        client: bool = False,
        extensions: dict[str, Any] | None = None,
        max_frame_length: int = DEFAULT_MAX_FRAME_LENGTH,
        settings: Settings | None = None,
    ) -> None:
        if version not in (8, 13):
            raise ValueError(f"version {version} of WebSocket is not spoken: use RFC6455WebSocket(sock, environ)")
        super().__init__(
            sock,
            environ,
            Settings(max_frame_length, **_TIMES) if settings is None else settings,
            client=client,
            path=environ.get("PATH_INFO", ""),
            origin=environ.get("HTTP_ORIGIN"),
            protocol=protocol,
            agreement=_agreement((extensions or {}).get(NAME)),
        )
        self.version = version
        self.client = client
        self.extensions = extensions or {}
        self.max_frame_length = max_frame_length

    def send(
        self,
        message: Any,
        control_code: int | None = None,
        continuation: bool = False,
        final: bool = True,
    ) -> None:
        """Send a message, or one frame of it; see greening.websocket.

        Args:
            control_code: 8 close, 9 ping, 10 pong: `message` is what that carries.
            continuation: this frame is not the first one of its message. final: it is the last one.
        Raises:
            ProtocolError: a control frame of more than 125 bytes, of more than one frame, or of another code. Others:
            as greening.websocket.
        """
        if control_code is None and final and not continuation:
            super().send(message)
            return
        payload = message.encode() if isinstance(message, str) else bytes(message)
        last = _FINAL if final else 0
        if control_code is None:
            opcode = 0 if continuation else _TEXT if isinstance(message, str) else _BINARY
            self.send_frame(last | opcode, payload)
            return
        if not _CONTROL <= control_code <= _PONG:
            raise ProtocolError(f"{control_code} is no control code: 8 is a close, 9 a ping, 10 a pong")
        if continuation or not final or len(payload) > MAX_CONTROL:
            raise ProtocolError(f"a control frame is whole and has at most {MAX_CONTROL} bytes: {len(payload)}")
        self.send_frame(last | control_code, payload)

    def answer_to(self, code: int, reason: str) -> tuple[int | None, str]:
        """The peer's code, without its reason; 1000 if it gave none."""
        answer, _ = super().answer_to(code, reason)
        return 1000 if answer is None else answer, ""


class RFC6455WebSocket(WebSocket):
    """A connection as RFC 6455 has it: the same with 13 as the default for `version`."""

    def __init__(
        self,
        sock: Any,
        environ: dict[str, Any],
        version: int = 13,
        protocol: str | None = None,
        client: bool = False,
        extensions: dict[str, Any] | None = None,
        max_frame_length: int = DEFAULT_MAX_FRAME_LENGTH,
        settings: Settings | None = None,
    ) -> None:
        super().__init__(sock, environ, version, protocol, client, extensions, max_frame_length, settings)


class WebSocketWSGI(_WebSocketWSGI):
    """A handler of WebSocket connections as a WSGI application; see greening.websocket.

    Args:
        handler: called with an `RFC6455WebSocket`; the connection is closed when it returns.
        max_frame_length: bytes of a frame, and of a message.
    Attributes:
        supported_protocols, origin_checker: see greening.websocket; they may be set.
        support_legacy_versions: without effect. protocol_version: of the latest connection; None: there was none.
    """

    versions = ("8", "13")

    def __init__(self, handler: Callable[[Any], object], max_frame_length: int = DEFAULT_MAX_FRAME_LENGTH) -> None:
        super().__init__(handler, max_frame_length, window_bits=_LARGEST_WINDOW, **_TIMES)
        self.support_legacy_versions = True
        self.protocol_version: int | None = None

    @classmethod
    def configured(
        cls,
        handler: Handler | None = None,
        supported_protocols: Collection[str] | None = None,
        origin_checker: Callable[[str | None, str], object] | None = None,
        support_legacy_versions: bool = False,
        **settings: Any,
    ) -> Any:
        """One with settings, or, without a handler, a decorator that makes one. A subclass is made of `handler` alone.

        Args:
            settings: for the class, besides the handler.
        """

        def decorate(handler: Handler) -> "WebSocketWSGI":
            made = cls(handler, **settings)
            made.supported_protocols = supported_protocols or []
            made.origin_checker = origin_checker
            made.support_legacy_versions = support_legacy_versions
            return made

        return decorate if handler is None else decorate(handler)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """WSGI. A request that is refused ends its connection. That the client has gone is no error."""
        refused = False

        def refuse(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal refused
            refused = True
            return start_response(status, [*headers, ("Connection", "close")], exc_info)

        if environ.get("HTTP_SEC_WEBSOCKET_VERSION") == "8" and "HTTP_SEC_WEBSOCKET_ORIGIN" in environ:
            environ.setdefault("HTTP_ORIGIN", environ["HTTP_SEC_WEBSOCKET_ORIGIN"])
        try:
            result = super().__call__(environ, refuse)
        except OSError as error:
            if error.errno not in ACCEPTABLE_CLIENT_ERRORS:
                raise
            result = leave(environ, start_response)
        if not refused:
            WSGI_LOCAL.already_handled = True
        return result

    def connection_on(self, sock: Any, environ: dict[str, Any], accepted: Accepted, settings: Settings) -> WebSocket:
        """The connection on a socket whose handshake has been made."""
        self.protocol_version = int(environ["HTTP_SEC_WEBSOCKET_VERSION"])
        extensions = {} if accepted.agreement is None else {NAME: _options(accepted.agreement)}
        return RFC6455WebSocket(
            sock,
            environ,
            self.protocol_version,
            accepted.protocol,
            extensions=extensions,
            max_frame_length=settings.max_frame_length,
            settings=settings,
        )


def _options(agreement: Agreement) -> dict[str, Any]:
    return {
        "server_max_window_bits": agreement.server_bits,
        "client_max_window_bits": agreement.client_bits,
        "server_no_context_takeover": agreement.server_reset,
        "client_no_context_takeover": agreement.client_reset,
    }


def _agreement(options: dict[str, Any] | None) -> Agreement | None:
    if options is None:
        return None
    bits = [options.get(f"{side}_max_window_bits", 15) for side in ("server", "client")]
    server_bits, client_bits = (15 if one is True else int(one) for one in bits)
    server_reset, client_reset = (bool(options.get(f"{side}_no_context_takeover")) for side in ("server", "client"))
    return Agreement(server_bits, client_bits, server_reset, client_reset)
