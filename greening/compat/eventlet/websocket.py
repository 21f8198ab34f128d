"""`eventlet.websocket`, on greening.websocket.

Differences from eventlet: those of greening.websocket (hixie-75 and -76 are not spoken, `max_frame_length` limits a
message as well); a handler gets a `WebSocket`, and `RFC6455WebSocket` is for those who make one on a socket of theirs.
"""

from collections.abc import Callable, Collection
from typing import Any

from greening.compat.eventlet.wsgi_response import WSGI_LOCAL
from greening.websocket.application import Handler
from greening.websocket.application import WebSocketWSGI as _WebSocketWSGI
from greening.websocket.connection import WebSocket
from greening.websocket.deflate import Agreement
from greening.websocket.exceptions import ConnectionClosedError
from greening.websocket.settings import DEFAULT_MAX_FRAME_LENGTH, Settings

__all__ = ["DEFAULT_MAX_FRAME_LENGTH", "ConnectionClosedError", "RFC6455WebSocket", "WebSocket", "WebSocketWSGI"]


class WebSocketWSGI(_WebSocketWSGI):
    """A handler of WebSocket connections as a WSGI application; see greening.websocket.

    Args:
        handler: called with a `WebSocket`; the connection is closed when it returns.
        max_frame_length: bytes of a frame, and of a message.
    Attributes:
        supported_protocols, origin_checker: see greening.websocket; they may be set.
        support_legacy_versions: without effect. protocol_version: of the connections.
    """

    support_legacy_versions = False
    protocol_version = 13

    def __init__(
        self, handler: Callable[[WebSocket], object], max_frame_length: int = DEFAULT_MAX_FRAME_LENGTH
    ) -> None:
        super().__init__(handler, max_frame_length)

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
            return made

        return decorate if handler is None else decorate(handler)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """WSGI. A request that is refused ends its connection."""
        refused = False

        def refuse(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal refused
            refused = True
            return start_response(status, [*headers, ("Connection", "close")], exc_info)

        result = super().__call__(environ, refuse)
        if not refused:
            WSGI_LOCAL.already_handled = True
        return result


class RFC6455WebSocket(WebSocket):
    """A connection on a socket whose handshake has been made.

    Args:
        sock: cooperative. environ: the request's; {} for a client.
        version: 13, or 8, which differs in nothing that counts. protocol: the subprotocol that was agreed on.
        client: this is the client's side.
        extensions: what was agreed on, as {"permessage-deflate": {"server_max_window_bits": 15, ...}}.
        max_frame_length: bytes of a frame, and of a message.
    """

    def __init__(
        self,
        sock: Any,
        environ: dict[str, Any],
        version: int = 13,
        protocol: str | None = None,
        client: bool = False,
        extensions: dict[str, Any] | None = None,
        max_frame_length: int = DEFAULT_MAX_FRAME_LENGTH,
    ) -> None:
        super().__init__(
            sock,
            environ,
            Settings(max_frame_length),
            client=client,
            path=environ.get("PATH_INFO", ""),
            origin=environ.get("HTTP_ORIGIN"),
            protocol=protocol,
            agreement=_agreement((extensions or {}).get("permessage-deflate")),
        )
        self.version = version


def _agreement(options: dict[str, Any] | None) -> Agreement | None:
    if options is None:
        return None
    bits = [options.get(f"{side}_max_window_bits", 15) for side in ("server", "client")]
    server_bits, client_bits = (15 if one is True else int(one) for one in bits)
    server_reset, client_reset = (bool(options.get(f"{side}_no_context_takeover")) for side in ("server", "client"))
    return Agreement(server_bits, client_bits, server_reset, client_reset)
