"""The client's way to a server: a TCP connection, or a tunnel through a proxy (RFC 9110 9.3.6)."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from greening.net.dns import getaddrinfo
from greening.net.socket import GreenSocket
from greening.websocket.client_handshake import read_answer
from greening.websocket.exceptions import HandshakeError
from greening.websocket.headers import basic


@dataclass(frozen=True)
class Proxy:
    """A proxy. authorization: what it is told, or None."""

    host: str
    port: int
    authorization: str | None

    def __str__(self) -> str:
        return f"http://{bracketed(self.host)}:{self.port}"  # without what is secret


def proxy_for(scheme: str, host: str, port: int, wish: str | bool) -> Proxy | None:
    """The proxy to use; None: there is none.

    Args:
        scheme: ws or wss. wish: its URL; True: what the environment says (`ws_proxy`, `http_proxy`, `wss_proxy`,
            `https_proxy`, `no_proxy`), as `urllib.request` reads it; False: none.
    Raises:
        ValueError: that is no URL of a proxy in HTTP.
    """
    url = wish
    if wish is True:
        if proxy_bypass(f"{bracketed(host)}:{port}"):
            return None
        known = getproxies()
        url = known.get(scheme) or known.get("https" if scheme == "wss" else "http") or False
    if not isinstance(url, str):
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        raise ValueError(
            f"not a proxy that can be used: {shown!r}; http://host:port can, or a socket of your own (sock=)"
        )
    return Proxy(parts.hostname, parts.port or 80, basic(parts))


def bracketed(host: str) -> str:
    """A host as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def dial(host: str, port: int, proxy: Proxy | None) -> Any:
    """A connection to a server, maybe by way of a proxy.

    Raises:
        OSError: there is none. HandshakeError: the proxy refuses.
    """
    if proxy is None:
        return _connect(host, port)
    try:
        sock = _connect(proxy.host, proxy.port)
    except OSError as error:
        raise type(error)(error.errno, f"no connection to the proxy {proxy}: {error.strerror or error}") from error
    try:
        _open_tunnel(sock, f"{bracketed(host)}:{port}", proxy)
    except BaseException:
        sock.close()
        raise
    return sock


def _open_tunnel(sock: Any, target: str, proxy: Proxy) -> None:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    sock.sendall("\r\n".join(lines).encode("ascii") + b"\r\n\r\n")
    try:
        answer = read_answer(sock)
    except HandshakeError as error:
        raise HandshakeError(f"the proxy {proxy}: {error}") from error
    if not 200 <= answer.status < 300:
        raise answer.wrong(f"the proxy {proxy} answers {answer.status} to CONNECT {target}")
    if answer.rest:
        raise answer.wrong(f"the proxy {proxy} sends data ahead of the server")


def _connect(host: str, port: int) -> GreenSocket:
    """To one of the host's addresses after the other. Raises: OSError: the last one's."""
    failure: OSError | None = None
    for family, kind, proto, _, address in getaddrinfo(host, port, 0, 1):
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
