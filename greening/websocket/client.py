"""`connect`: a connection to a WebSocket server."""

import ssl
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from os import urandom
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from greening.net.dns import getaddrinfo
from greening.net.socket import GreenSocket
from greening.net.tls import shake_hands
from greening.timeout import Timeout
from greening.websocket.application import at_once
from greening.websocket.client_handshake import Answer, agree, read_answer
from greening.websocket.connection import WebSocket
from greening.websocket.deflate import offer
from greening.websocket.headers import TOKEN, accept_of
from greening.websocket.settings import Settings

Headers = Mapping[str, str] | Iterable[tuple[str, str]]


def connect(
    url: str,
    *,
    subprotocols: Sequence[str] = (),
    origin: str | None = None,
    headers: Headers = (),
    ssl_context: ssl.SSLContext | None = None,
    timeout: float | None = 10.0,
    sock: Any = None,
    **settings: Any,
) -> WebSocket:
    """Connect to a WebSocket server.

        with connect("wss://example.org/feed") as ws:
            ws.send("hello")
            for message in ws: ...

    Args:
        url: ws:// or wss://. A user and a password in it are sent as Basic authentication.
        subprotocols: that we speak, the best first; the server's choice is the connection's `protocol`.
        origin: the Origin field. headers: further fields of the request, e.g. Cookie.
        ssl_context: for wss; None: the system's certificates, names are checked.
        timeout: seconds for everything until the server has accepted; None: however long it takes.
        sock: a connected socket to use in place of a new one: a Unix socket, a proxy's tunnel. It is closed with the
            connection, and if there is none.
        settings: the fields of `Settings`.
    Raises:
        HandshakeError: the server said something else. OSError: there is no connection, TimeoutError among it.
        ssl.SSLError: TLS failed. ValueError: a faulty URL, or a field that cannot be sent.
    Returns:
        The open connection.
    Thread-safety: yes; see `WebSocket` for what is returned.
    """
    limits = Settings(**settings)
    key = b64encode(urandom(16)).decode()
    parts = _split(url)
    request = _request(parts, key, subprotocols, origin, headers, limits.compression)
    with Timeout(timeout, TimeoutError(f"no WebSocket connection within {timeout} seconds")):
        try:
            if sock is None:
                sock = _dial(parts)
            if parts.scheme == "wss":
                sock = shake_hands(ssl_context or _default_context(), sock, server_hostname=parts.hostname)
            at_once(sock)
            sock.sendall(request)
            answer = read_answer(sock)
            protocol, agreement = agree(answer, accept_of(key), subprotocols, limits.compression)
        except BaseException:
            if sock is not None:
                sock.close()
            raise
    return _opened(sock, limits, parts, origin, answer, protocol, agreement)


def _opened(
    sock: Any,
    settings: Settings,
    parts: SplitResult,
    origin: str | None,
    answer: Answer,
    protocol: str | None,
    agreement: Any,
) -> WebSocket:
    return WebSocket(
        sock,
        {},
        settings,
        client=True,
        path=unquote(parts.path) or "/",
        origin=origin,
        protocol=protocol,
        headers=answer.headers,
        agreement=agreement,
        begun=answer.rest,
    )


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError(f"not a ws:// or wss:// URL: {url!r}")
    if parts.fragment:
        raise ValueError(f"a WebSocket URL has no fragment: {url!r}")
    if not url.isascii() or any(character <= " " for character in url):
        raise ValueError(f"a URL in which something is not percent-encoded: {url!r}")
    _port(parts)
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "wss" else 80)


def _dial(parts: SplitResult) -> GreenSocket:
    """A TCP connection: to one of the host's addresses after the other.

    Raises:
        OSError: the last one's.
    """
    failure: OSError | None = None
    for family, kind, proto, _, address in getaddrinfo(parts.hostname, _port(parts), 0, 1):
        sock = GreenSocket(family, kind, proto)
        try:
            sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
    raise failure or OSError("the name of the server has no address")


def _default_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _request(
    parts: SplitResult, key: str, subprotocols: Sequence[str], origin: str | None, headers: Headers, compression: bool
) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    default = ":443" if parts.scheme == "wss" else ":80"
    fields = [
        ("Host", host.removesuffix(default)),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", "13"),
    ]
    if subprotocols:
        if isinstance(subprotocols, str) or not all(map(TOKEN.fullmatch, subprotocols)):
            raise ValueError(f"not a list of subprotocols: {subprotocols!r}")
        fields.append(("Sec-WebSocket-Protocol", ", ".join(subprotocols)))
    if compression:
        fields.append(("Sec-WebSocket-Extensions", offer()))
    if origin is not None:
        fields.append(("Origin", origin))
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        fields.append(("Authorization", f"Basic {b64encode(user.encode()).decode()}"))
    fields += headers.items() if isinstance(headers, Mapping) else headers
    for name, value in fields:
        if TOKEN.fullmatch(name) is None or any((c < " " and c != "\t") or c == "\x7f" for c in value):
            raise ValueError(f"not a field that can be sent: {name!r}: {value!r}")
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
