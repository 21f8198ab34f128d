"""Who the client is behind trusted proxies: X-Forwarded-For, -Proto, -Host, -Port, and Forwarded (RFC 7239).

Facts: every one of these fields may come from the client. A proxy appends the address of its own peer at the right end,
so that what stands left of the first address that is not a trusted proxy's is the client's own invention. Proxies in
use set some of the fields and hand the others through.
Decisions:
- Nothing counts unless the peer is trusted. The fields stay in the environ as they came.
- The chain is walked from the right, past trusted proxies; the first other address is the client. When all are trusted,
  it is the leftmost.
- X-Forwarded-* wins over Forwarded, and the two are never mixed: proxies that set the former hand a client's Forwarded
  through. Where proxies set Forwarded, or not all of X-Forwarded-*, `fields` says so.
- Scheme, host and port are taken from the place of the client in their own list: the same distance from the right,
  since proxies append to each.
- What is malformed is ignored, and ends the walk there: the client is then the last address that is known. An answer of
  400 would let a client that writes nonsense at the left of a chain have requests refused, and gain nothing.

Differences: gunicorn takes the scheme alone, and refuses fields that contradict each other; werkzeug's ProxyFix counts
proxies and knows no addresses; uvicorn takes For and Proto.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from greening.wsgi.errors import Refused
from greening.wsgi.request_head import check_host

FORWARDED_FIELDS = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "forwarded")

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_DEFAULT_PORT = {"http": "80", "https": "443"}
_LONGEST = 100  # entries of a chain that are looked at

_PORT = re.compile(r"[0-9]{1,5}")
_NODE = re.compile(r"\[([^\[\]]+)\](?::([0-9]{1,5}))?|([0-9.]+):([0-9]{1,5})|([0-9A-Fa-f:.]+)")
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_PAIR = re.compile(rf"[ \t]*+({_TOKEN})=({_TOKEN}|{_QUOTED})[ \t]*+(?:;|\Z)")
_QUOTE = re.compile(r'\\.|"')


class Hop(NamedTuple):
    """What one proxy says of the request that it got. Texts as they came; "" for what it does not say."""

    node: str
    proto: str = ""
    host: str = ""
    port: str = ""


class TrustList:
    """Addresses that are believed.

    Args:
        text: addresses and networks (CIDR), with commas in between; `*` for every peer; `unix` for the peers of Unix
            sockets.
    Raises:
        ValueError: something in it is none of that.
    """

    def __init__(self, text: str) -> None:
        names = [name.strip() for name in text.split(",") if name.strip()]
        self._all = "*" in names
        self._unix = "unix" in names
        self._networks: list[IPv6Network] = []
        for name in names:
            if name not in ("*", "unix"):
                try:
                    self._networks.append(_network(name))
                except ValueError as error:
                    raise ValueError(f"{name!r} is no address, no network, neither '*' nor 'unix': {error}") from None
        self._has = lru_cache(maxsize=1024)(self._look)  # proxies are few, and ask often

    def trusts_peer(self, address: Any) -> bool:
        """Whether what `accept` gave as the address of a peer is in the list."""
        return self.has(address[0]) if isinstance(address, tuple) else self._all or self._unix

    def has(self, host: str) -> bool:
        """Whether an address is in the list. What is no address is not, unless that is `*`."""
        return self._all or self._has(host)

    def _look(self, host: str) -> bool:
        try:
            number = _as_v6(ip_address(host.partition("%")[0]))
        except ValueError:
            return False
        return any(number in network for network in self._networks)


class TrustedProxies:
    """Finds the client behind proxies.

    Args:
        trusted: see `TrustList`.
        fields: names out of `FORWARDED_FIELDS`: those that the proxies set, or remove.
    Raises:
        ValueError: a name, or something in `trusted`, that is none.
    """

    def __init__(self, trusted: str, fields: Iterable[str] = FORWARDED_FIELDS) -> None:
        self._trusted = TrustList(trusted)
        names = tuple(name.strip().lower() for name in fields)
        for name in names:
            if name not in FORWARDED_FIELDS:
                raise ValueError(f"{name!r} is none of {', '.join(FORWARDED_FIELDS)}")
        self._split = [f"HTTP_{name.upper().replace('-', '_')}" for name in names if name != "forwarded"]
        self._standard = "forwarded" in names

    def apply(self, environ: dict[str, Any], address: Any) -> Any:
        """Change REMOTE_ADDR, REMOTE_PORT, wsgi.url_scheme, HTTPS, HTTP_HOST, SERVER_NAME and SERVER_PORT of a request
        to what its client sees.

        Args:
            address: the peer's, as `accept` gave it.
        Returns:
            The client's address, as (host, port), port 0 if it is not known; `address` where nothing is to be believed.
        """
        if not self._trusted.trusts_peer(address):
            return address
        hops = self._hops(environ)
        if not hops:
            return address
        client = None
        at = 0
        for at, hop in enumerate(hops):  # noqa: B007  # where the walk ends is the place of the client
            node = _node(hop.node) if len(hop.node) <= _LONGEST_NODE else None
            if node is None:
                break
            client = node
            if not self._trusted.has(node[0]):
                break
        _see(environ, hops[at])
        if client is None:
            return address
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = client[0], str(client[1])
        return client

    def _hops(self, environ: dict[str, Any]) -> list[Hop]:
        """The proxies from the nearest one on."""
        given = {name: environ[name] for name in self._split if environ.get(name)}
        if given:
            lists = [_last(given.get(f"HTTP_X_FORWARDED_{name}", "")) for name in ("FOR", "PROTO", "HOST", "PORT")]
            length = max(1, len(lists[0]))
            # A list that is shorter was not appended to, but replaced, by the nearer proxies: its leftmost is meant.
            columns = [[one[min(at, len(one) - 1)] if one else "" for at in range(length)] for one in lists]
            return [Hop(*row) for row in zip(*columns, strict=True)]
        if self._standard and environ.get("HTTP_FORWARDED"):
            return [_element(text) for text in _elements(environ["HTTP_FORWARDED"])]
        return []


def _see(environ: dict[str, Any], hop: Hop) -> None:
    """Scheme, host and port as the client has used them."""
    scheme = _SCHEMES.get(hop.proto.lower())
    if scheme is not None:
        environ["wsgi.url_scheme"] = scheme
        if scheme == "https":
            environ["HTTPS"] = "on"
        else:
            environ.pop("HTTPS", None)
    default = _DEFAULT_PORT[environ["wsgi.url_scheme"]]
    host = hop.host if hop.host and _is_host(hop.host) else ""
    port = hop.port if _PORT.fullmatch(hop.port) and 0 < int(hop.port) < 65536 else ""
    if host:
        name, found = _name_and_port(host)
        environ["HTTP_HOST"], environ["SERVER_NAME"], environ["SERVER_PORT"] = host, name, found or default
    if port:
        environ["SERVER_PORT"] = port
        if "HTTP_HOST" in environ:
            name = _name_and_port(environ["HTTP_HOST"])[0]
            environ["HTTP_HOST"] = name if port == default else f"{name}:{port}"


def _last(text: str) -> list[str]:
    """The entries of a list from its right end on."""
    entries = (entry.strip(" \t") for entry in reversed(text.rsplit(",", _LONGEST)[-_LONGEST:]))
    return [entry for entry in entries if entry]


def _elements(text: str) -> list[str]:
    """Those of Forwarded from the right end on. A comma in a quoted string does not count.

    From the right, because a quote that a client has left open must not swallow what a proxy has appended. Linear: each
    piece is looked at once.
    """
    found: list[str] = []
    parts: list[str] = []
    for piece in reversed(text.rsplit(",", _LONGEST)[-_LONGEST:]):
        parts.append(piece)
        odd = sum(mark == '"' for mark in _QUOTE.findall(piece)) % 2
        if (len(parts) > 1) == bool(odd):
            found.append(",".join(reversed(parts)))
            parts = []
    if parts:
        found.append(",".join(reversed(parts)))
    return [element for element in found if element.strip(" \t")]


def _element(text: str) -> Hop:
    """One of Forwarded: RFC 7239 4. What is malformed says nothing."""
    pairs: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None or match[1].lower() in pairs:
            return Hop("")
        value = match[2]
        pairs[match[1].lower()] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        at = match.end()
    return Hop(pairs.get("for", ""), pairs.get("proto", ""), pairs.get("host", ""))


_LONGEST_NODE = 64  # characters: an address in brackets, with a zone and a port, is shorter


@lru_cache(maxsize=1024)
def _node(text: str) -> tuple[str, int] | None:
    """An address, with or without port. None: it is hidden (`unknown`, `_name`), or malformed."""
    match = _NODE.fullmatch(text)
    if match is None:
        return None
    try:
        host = str(ip_address(match[1] or match[3] or match[5]))
    except ValueError:
        return None
    port = int(match[2] or match[4] or 0)
    return (host, port) if port < 65536 else None


def _is_host(text: str) -> bool:
    try:
        check_host(text)
    except Refused:
        return False
    return True


def _name_and_port(host: str) -> tuple[str, str]:
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and not port.endswith("]") else (host, "")


def _network(text: str) -> IPv6Network:
    network = ip_network(text)
    if isinstance(network, IPv6Network):
        return network
    return IPv6Network((_as_v6(network.network_address), 96 + network.prefixlen))


def _as_v6(address: IPv4Address | IPv6Address) -> IPv6Address:
    """IPv4 as a listener for both sees it, so that there is one kind to compare."""
    return address if isinstance(address, IPv6Address) else IPv6Address((0xFFFF << 32) | int(address))
