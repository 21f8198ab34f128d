"""The PROXY protocol: a proxy says whose connection it passes on, before the first byte of it. Versions 1 and 2.

Source: haproxy.org, "The PROXY protocol", sections 2.1 (a line of text) and 2.2 (binary).
Facts: what a connection says of itself is true only from a proxy. A receiver must know which connections have a header,
and must not guess. TLS may follow.
Decisions: a connection of a trusted peer begins with a header, or is closed; that of another peer has none, and what
looks like one is a malformed request. Not a byte is read past the header, so that TLS, or the request, finds all of its
own.
"""

import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import MSG_PEEK
from typing import Any

from greening._core.current import current
from greening.wsgi.environ import client_name
from greening.wsgi.forwarded import TrustList
from greening.wsgi.log import Log, escaped

HEADER_TIMEOUT = 10.0  # seconds for the header as a whole

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_BEGIN = b"PROXY "
_SHORTEST = 15  # bytes of the shortest header: "PROXY UNKNOWN\r\n"
_LONGEST_LINE = 107  # bytes, section 2.1
_LONGEST_DATA = 4096  # bytes behind the fixed part of version 2; a certificate in a TLV takes about 2,000
_LOCAL, _PROXIED = 0x20, 0x21  # version 2, and the command
_INET, _INET6, _UNIX = 1, 2, 3
_SIZES = {_INET: 12, _INET6: 36, _UNIX: 216}


class Malformed(Exception):
    """It is no header of this protocol."""


class ProxyProtocol:
    """Reads the header of the connections of trusted proxies.

    Args:
        trusted: see `TrustList`.
        log: gets a line for each connection that is closed.
        timeout: seconds for the whole header, relative.
    Raises:
        ValueError: something in `trusted` is no address.
    """

    def __init__(self, trusted: str, log: Callable[[], Log], timeout: float = HEADER_TIMEOUT) -> None:
        self._trusted = TrustList(trusted)
        self._log = log
        self._timeout = timeout

    def client_of(self, connection: Any, address: Any) -> Any:
        """Take the header off an accepted connection. Parks until it is there.

        Returns:
            The address of the client: (host, port), or a `str` for one of a Unix socket. None: the connection is no
            good, and the caller closes it.
        """
        if not self._trusted.trusts_peer(address):
            return address
        try:
            return _Reader(connection, self._timeout).read() or address
        except Malformed as error:
            self._log().error(f"{client_name(address)}: closed: no PROXY protocol header: {escaped(str(error))}")
        except TimeoutError:
            self._log().error(f"{client_name(address)}: closed: its PROXY protocol header did not come in time")
        except OSError:
            pass  # it has gone away; health checks do that
        return None


class _Reader:
    def __init__(self, connection: Any, timeout: float) -> None:
        self._connection = connection
        self._now = current().hub.now
        self._end = self._now() + timeout

    def read(self) -> Any:
        """The client's address; None: that of the connection stands. Raises: Malformed, OSError."""
        begun = b""
        while len(begun) < _SHORTEST:
            begun += self._receive(_SHORTEST - len(begun))
            if not (_SIGNATURE.startswith(begun[:12]) or _BEGIN.startswith(begun[:6])):
                raise Malformed(f"it begins with {begun!r}")
        return self._line(begun) if begun.startswith(_BEGIN) else self._binary(begun)

    def _receive(self, size: int, flags: int = 0) -> bytes:
        left = self._end - self._now()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        data: bytes = self._connection.recv(size, flags)
        if not data:
            raise ConnectionResetError
        return data

    def _line(self, begun: bytes) -> Any:
        line = begun
        while not line.endswith(b"\r\n"):
            left = _LONGEST_LINE - len(line)
            if left <= 0:
                raise Malformed("the line has no end")
            seen = self._receive(left, MSG_PEEK)
            found = seen.find(b"\n")
            line += self._receive(len(seen) if found < 0 else found + 1)
            if b"\n" in line[:-1] or (line.endswith(b"\n") and not line.endswith(b"\r\n")):
                raise Malformed("a bare line feed")
        return _of_line(line[:-2])

    def _binary(self, begun: bytes) -> Any:
        while len(begun) < 16:
            begun += self._receive(16 - len(begun))
        command, family, size = struct.unpack("!BBH", begun[12:])
        if command not in (_LOCAL, _PROXIED):
            raise Malformed(f"version and command {command:#04x}")
        if size > _LONGEST_DATA:
            raise Malformed(f"{size} bytes of addresses")
        data = b""
        while len(data) < size:
            data += self._receive(size - len(data))
        return None if command == _LOCAL else _of_binary(family >> 4, data)


def _of_line(line: bytes) -> tuple[str, int] | None:
    """What a line of version 1 says. None: the proxy does not know. Raises: Malformed."""
    words = line.split(b" ")
    if words[1] == b"UNKNOWN":
        return None  # the rest, if any, is to be ignored
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
        raise Malformed(repr(line))
    kind = IPv4Address if words[1] == b"TCP4" else IPv6Address
    try:
        source, _ = kind(words[2].decode("ascii")), kind(words[3].decode("ascii"))
        return str(source), _ports(words[4], words[5])
    except ValueError:
        raise Malformed(repr(line)) from None


def _ports(source: bytes, target: bytes) -> int:
    for text in (source, target):
        if not text.isdigit() or len(text) > 5 or int(text) > 65535:
            raise ValueError
    return int(source)


def _of_binary(family: int, data: bytes) -> Any:
    """What version 2 says. None: the proxy does not know. Bytes behind the addresses (TLVs) are passed over."""
    if family == 0:
        return None
    size = _SIZES.get(family)
    if size is None or len(data) < size:
        raise Malformed(f"{len(data)} bytes of addresses of family {family}")
    if family == _UNIX:
        return data[:108].partition(b"\0")[0].decode("utf-8", "backslashreplace") or "unix"
    width = 4 if family == _INET else 16
    return str(ip_address(data[:width])), struct.unpack_from("!H", data, 2 * width)[0]
