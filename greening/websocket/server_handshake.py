"""The server's part of the opening handshake (RFC 6455 4.2): a request is accepted or refused."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from greening.websocket.deflate import Agreement, accept
from greening.websocket.headers import TOKEN, accept_of, extensions, has_token, is_key, tokens
from greening.websocket.settings import Settings

OriginChecker = Callable[[str | None, str], object]
VERSIONS = ("13",)


class Refused(Exception):
    """The request is no handshake, or not one of ours.

    Attributes:
        status: the status line's code and reason. why: for the client. headers: further ones.
    """

    def __init__(self, status: str, why: str, *headers: tuple[str, str]) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.headers = headers


@dataclass(frozen=True)
class Accepted:
    """What was agreed on, and the answer that says so, ready to be sent."""

    answer: bytes
    origin: str | None
    protocol: str | None
    agreement: Agreement | None


def examine(
    environ: dict[str, Any],
    supported: Collection[str],
    checker: OriginChecker | None,
    settings: Settings,
    versions: Collection[str] = VERSIONS,
) -> Accepted:
    """Accept a request, and say with what.

    Args:
        supported: subprotocols; the client's first one among them is taken. checker: None: any origin is welcome.
        versions: of the protocol that are spoken.
    Raises:
        Refused: it is no handshake, or its origin is not welcome.
    """
    key = _key(environ, versions)
    origin: str | None = environ.get("HTTP_ORIGIN")
    if checker is not None and not checker(environ.get("HTTP_HOST"), origin or ""):
        raise Refused("403 Forbidden", "this origin is not welcome")
    offered = tokens(environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", ""))
    if not all(map(TOKEN.fullmatch, offered)) or len(set(offered)) < len(offered):
        raise Refused("400 Bad Request", "a faulty Sec-WebSocket-Protocol")
    protocol = next((one for one in offered if one in supported), None)
    try:
        offers = extensions(environ.get("HTTP_SEC_WEBSOCKET_EXTENSIONS", ""))
    except ValueError as error:
        raise Refused("400 Bad Request", "a faulty Sec-WebSocket-Extensions") from error
    deflate = accept(offers, settings.window_bits) if settings.compression else None
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_of(key)}",
    ]
    if protocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    if deflate is not None:
        lines.append(f"Sec-WebSocket-Extensions: {deflate[0]}")
    answer = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"
    return Accepted(answer, origin, protocol, None if deflate is None else deflate[1])


def _key(environ: dict[str, Any], versions: Collection[str]) -> str:
    """The Sec-WebSocket-Key of a request that is a handshake."""
    upgrades = has_token(environ.get("HTTP_CONNECTION", ""), "upgrade")
    if not upgrades or not has_token(environ.get("HTTP_UPGRADE", ""), "websocket"):
        raise Refused("400 Bad Request", "this is for WebSocket clients")
    if environ["REQUEST_METHOD"] != "GET" or environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        raise Refused("400 Bad Request", "a WebSocket handshake is a GET in HTTP/1.1")
    version = environ.get("HTTP_SEC_WEBSOCKET_VERSION")
    if version is None:
        raise Refused("400 Bad Request", "no Sec-WebSocket-Version")
    if version not in versions:
        spoken = ", ".join(versions)
        raise Refused(
            "426 Upgrade Required", "another version of WebSocket is spoken here", ("Sec-WebSocket-Version", spoken)
        )
    key: str = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
    if not is_key(key):
        raise Refused("400 Bad Request", "a missing or faulty Sec-WebSocket-Key")
    return key
