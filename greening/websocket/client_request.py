"""The client's part of the opening handshake (RFC 6455 4.1): the request, and where a redirection leads."""

from dataclasses import dataclass, replace
from urllib.parse import SplitResult, urljoin, urlsplit

from greening.websocket.client_handshake import Answer
from greening.websocket.deflate import offer
from greening.websocket.headers import TOKEN, basic

REDIRECTIONS = (301, 302, 303, 307, 308)
# Fields that are meant for one origin (RFC 9110 15.4).
_FOR_ONE_ORIGIN = ("authorization", "cookie", "proxy-authorization")


@dataclass(frozen=True)
class Request:
    """What is asked for. Fields: (name, value). window_bits: see `Settings`; 0: no compression.

    Raises:
        ValueError: something in it cannot be sent.
    """

    url: SplitResult
    subprotocols: tuple[str, ...]
    origin: str | None
    fields: tuple[tuple[str, str], ...]
    window_bits: int

    def __post_init__(self) -> None:
        self.head("")

    @property
    def port(self) -> int:
        """Of the server."""
        return self.url.port or (443 if self.url.scheme == "wss" else 80)

    def head(self, key: str) -> bytes:
        """The request. key: of Sec-WebSocket-Key."""
        url = self.url
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        default = ":443" if url.scheme == "wss" else ":80"
        fields = [
            ("Host", url.netloc.rpartition("@")[2].removesuffix(default)),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key),
            ("Sec-WebSocket-Version", "13"),
        ]
        if self.subprotocols:
            if not all(map(TOKEN.fullmatch, self.subprotocols)):
                raise ValueError(f"not a list of subprotocols: {self.subprotocols!r}")
            fields.append(("Sec-WebSocket-Protocol", ", ".join(self.subprotocols)))
        if self.window_bits:
            fields.append(("Sec-WebSocket-Extensions", offer(self.window_bits)))
        if self.origin is not None:
            fields.append(("Origin", self.origin))
        if (authorization := basic(url)) is not None:
            fields.append(("Authorization", authorization))
        fields += self.fields
        for name, value in fields:
            if TOKEN.fullmatch(name) is None or any((c < " " and c != "\t") or c == "\x7f" for c in value):
                raise ValueError(f"not a field that can be sent: {name!r}: {value!r}")
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"

    def redirected(self, answer: Answer) -> "Request":
        """What to ask for instead.

        Raises:
            HandshakeError: that leads nowhere, or from wss to ws.
        """
        location = answer.get("location")
        old = self.url
        try:
            new = urlsplit(urljoin(old.geturl(), location))
            scheme = {"http": "ws", "https": "wss"}.get(new.scheme, new.scheme)
            new = split(new._replace(scheme=scheme, fragment="").geturl())
        except ValueError as error:
            raise answer.wrong(f"the server redirects to {location!r}: {error}") from error
        if old.scheme == "wss" and new.scheme == "ws":
            raise answer.wrong(f"the server redirects to {location!r}, which is not encrypted any more")
        request = replace(self, url=new)
        if (old.scheme, old.hostname, self.port) != (new.scheme, new.hostname, request.port):
            fields = tuple(field for field in self.fields if field[0].lower() not in _FOR_ONE_ORIGIN)
            return replace(request, fields=fields)
        if new.username is None and old.username is not None:
            netloc = f"{old.netloc.rpartition('@')[0]}@{new.netloc}"
            return replace(request, url=new._replace(netloc=netloc))
        return request


def split(url: str) -> SplitResult:
    """The parts of a WebSocket URL (RFC 6455 3).

    Raises:
        ValueError: it is none. TypeError: it is no text.
    """
    if not isinstance(url, str):
        raise TypeError(f"a ws:// or wss:// URL is needed, not {url!r}")
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError(f"not a ws:// or wss:// URL: {url!r}")
    if parts.fragment:
        raise ValueError(f"a WebSocket URL has no fragment: {url!r}")
    if not url.isascii() or any(character <= " " for character in url):
        raise ValueError(f"a URL in which something is not percent-encoded: {url!r}")
    if parts.port == 0:
        raise ValueError(f"a URL with port 0: {url!r}")
    return parts
