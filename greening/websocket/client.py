"""`connect`: a connection to a WebSocket server."""

import ssl
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from os import urandom
from typing import Any
from urllib.parse import unquote

from greening.net.tls import shake_hands
from greening.timeout import Timeout
from greening.websocket.application import at_once
from greening.websocket.client_handshake import Answer, agree, read_answer
from greening.websocket.client_request import REDIRECTIONS, Request, split
from greening.websocket.connection import WebSocket
from greening.websocket.dial import dial, proxy_for
from greening.websocket.headers import accept_of
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
    proxy: str | bool = True,
    max_redirects: int = 10,
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
        proxy: http://user:password@host:port; True: what the environment says, as for `urllib.request`; False: none.
        max_redirects: so many are followed, but none from wss to ws. Another origin does not get the user, the
            password, Authorization and Cookie.
        sock: a connected socket to use in place of a new one, e.g. a Unix socket. No proxy, no redirects then. It is
            closed with the connection, and if there is none.
        settings: the fields of `Settings`.
    Raises:
        HandshakeError: the server, or the proxy, said something else. OSError: there is no connection, TimeoutError
            among it. ssl.SSLError: TLS failed. ValueError: a faulty URL, or a field that cannot be sent. TypeError: no
            such setting.
    Returns:
        The open connection.
    Thread-safety: yes; see `WebSocket` for what is returned.
    """
    limits = Settings(**settings)
    if isinstance(subprotocols, str):
        raise ValueError(f"not a list of subprotocols: {subprotocols!r}")
    fields = tuple(headers.items() if isinstance(headers, Mapping) else headers)
    request = Request(split(url), tuple(subprotocols), origin, fields, limits.compression and limits.window_bits)
    with Timeout(timeout, TimeoutError(f"no WebSocket connection within {timeout} seconds")):
        if sock is None:
            ws = _follow(request, proxy, max_redirects, ssl_context, limits)
        else:
            ws = _accepted(_ask(request, sock, ssl_context, limits))
    return ws


def _follow(
    request: Request, proxy: str | bool, left: int, ssl_context: ssl.SSLContext | None, limits: Settings
) -> WebSocket:
    """Ask, and go where the answers lead, so many times. Raises: as `connect`."""
    while True:
        found = _ask(request, _dialled(request, proxy), ssl_context, limits)
        if isinstance(found, WebSocket) or left <= 0:
            return _accepted(found)
        left -= 1
        request = request.redirected(found)


def _accepted(found: WebSocket | Answer) -> WebSocket:
    if isinstance(found, WebSocket):
        return found
    where = found.get("location")
    raise found.wrong(f"the server answers {found.status}, not 101: one redirection too many, to {where!r}")


def _dialled(request: Request, wish: str | bool) -> Any:
    host = request.url.hostname
    assert host is not None
    return dial(host, request.port, proxy_for(request.url.scheme, host, request.port, wish))


def _ask(request: Request, sock: Any, ssl_context: ssl.SSLContext | None, limits: Settings) -> WebSocket | Answer:
    """Ask on a new connection. Returns what it has become, or the answer that leads elsewhere.

    Raises:
        HandshakeError, OSError.
    """
    url, key = request.url, b64encode(urandom(16)).decode()
    try:
        if url.scheme == "wss":
            sock = shake_hands(ssl_context or _default_context(), sock, server_hostname=url.hostname)
        at_once(sock)
        sock.sendall(request.head(key))
        answer = read_answer(sock)
        if answer.status in REDIRECTIONS and answer.get("location"):
            sock.close()
            return answer
        protocol, agreement = agree(answer, accept_of(key), request.subprotocols, limits.compression)
    except BaseException:
        sock.close()
        raise
    return WebSocket(
        sock,
        {},
        limits,
        client=True,
        path=unquote(url.path) or "/",
        origin=request.origin,
        protocol=protocol,
        headers=answer.headers,
        agreement=agreement,
        begun=answer.rest,
    )


def _default_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
