"""Names and addresses: the system's own resolver, called in native threads unless the address is numeric.

Facts:
- libc is right about /etc/hosts, nsswitch, search domains and mDNS. A resolver of our own would not be. But libc
  blocks, up to minutes, and cannot be interrupted.
- With AI_NUMERICHOST `getaddrinfo(3)` sends no question, and answers numeric addresses (scopes, canonical names,
  families and errors included) exactly as it does without.
- A service that is not a number is looked up in /etc/services, or where nsswitch says. That may block.

Consequence: `getaddrinfo` of a number, or of no host, with a numeric service is answered at once. So are the other
calls that are known to send no question. All other calls go to a pool of this file's own, so that stuck look-ups do not
occupy the workers of `tpool`. A green thread that is killed, or times out, during a look-up leaves at once.

Each function has the name, the signature, the results and the errors of its twin in `socket`. Each is thread-safe.
"""

import socket as _socket
from typing import Any, Final

from greening._core.fairness import fairness_tick
from greening._originals import gethostbyaddr as _gethostbyaddr
from greening._originals import gethostbyname as _gethostbyname
from greening._originals import gethostbyname_ex as _gethostbyname_ex
from greening._originals import getnameinfo as _getnameinfo
from greening.threads.native import NativePool

# The stdlib's own, which make enumerations of numbers. The patch of `socket` imports this file before it patches.
_getaddrinfo = _socket.getaddrinfo
_getfqdn = _socket.getfqdn

# Native threads for look-ups, at most; gevent has as many. More would not help: all of them ask the same few servers,
# and these are what is slow.
RESOLVERS: Final = NativePool(10, block_signals=True, name="host names")

_NUMERIC_BOTH = _socket.NI_NUMERICHOST | _socket.NI_NUMERICSERV


def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> list[Any]:
    """Look up the addresses of a host and a service, as `socket.getaddrinfo`. Other green threads run meanwhile.

    Args, Returns: as `socket.getaddrinfo`; getaddrinfo(3).
    Raises:
        socket.gaierror: the name is unknown, or no server answered.
    """
    fairness_tick()
    if isinstance(flags, int) and _is_number(port):
        if host is None or flags & _socket.AI_NUMERICHOST:
            return _getaddrinfo(host, port, family, type, proto, flags)
        if _may_be_address(host):
            try:
                return _getaddrinfo(host, port, family, type, proto, flags | _socket.AI_NUMERICHOST)
            except _socket.gaierror as error:
                if error.errno != _socket.EAI_NONAME:
                    raise
    return RESOLVERS.execute(_getaddrinfo, host, port, family, type, proto, flags)


def gethostbyname(host: Any, /) -> str:
    """Look up the IPv4 address of a host, as `socket.gethostbyname`. Other green threads run meanwhile.

    Raises:
        socket.gaierror: the name is unknown, or no server answered.
    """
    fairness_tick()
    if _is_ipv4(host):
        return _gethostbyname(host)
    return RESOLVERS.execute(_gethostbyname, host)


def gethostbyname_ex(host: Any, /) -> tuple[str, list[str], list[str]]:
    """Look up names and IPv4 addresses of a host, as `socket.gethostbyname_ex`. Other green threads run meanwhile."""
    return RESOLVERS.execute(_gethostbyname_ex, host)


def gethostbyaddr(host: Any, /) -> tuple[str, list[str], list[str]]:
    """Look up the names of an address, as `socket.gethostbyaddr`. Other green threads run meanwhile."""
    return RESOLVERS.execute(_gethostbyaddr, host)


def getnameinfo(sockaddr: Any, flags: int, /) -> tuple[str, str]:
    """Look up the host and the service of a socket address, as `socket.getnameinfo`. Other green threads run meanwhile.

    Args:
        sockaddr: (host, port), and for IPv6 flow label and scope. flags: NI_*, of getnameinfo(3).
    Raises:
        socket.gaierror: there is no name, and NI_NAMEREQD is set. TypeError: `sockaddr` is no tuple.
    """
    if not isinstance(sockaddr, tuple):
        # The same error. The traceback keeps this frame, and the frame must not keep what was passed.
        del sockaddr
        return _getnameinfo(None, flags)  # type: ignore[arg-type]  # that is the point
    fairness_tick()
    if isinstance(flags, int) and flags & _NUMERIC_BOTH == _NUMERIC_BOTH:
        return _getnameinfo(sockaddr, flags)
    return RESOLVERS.execute(_getnameinfo, sockaddr, flags)


def getfqdn(name: str = "") -> str:
    """Look up the full name of a host, as `socket.getfqdn`; "": this one. Other green threads run meanwhile."""
    return RESOLVERS.execute(_getfqdn, name)


def _is_number(port: Any) -> bool:
    """True if the service needs no look-up."""
    if port is None or isinstance(port, int):
        return True
    return isinstance(port, str | bytes) and port.isascii() and port.isdigit()


def _may_be_address(host: Any) -> bool:
    """False: the host is no numeric address in any form that inet_aton(3) and inet_pton(3) know."""
    if isinstance(host, bytes):
        return b":" in host or host.rpartition(b".")[2][:1].isdigit()
    return isinstance(host, str) and (":" in host or host.rpartition(".")[2][:1].isdigit())


def _is_ipv4(host: Any) -> bool:
    """True if `gethostbyname` needs no look-up of the host."""
    if not isinstance(host, str):
        return False
    if host in ("", "<broadcast>"):
        return True
    try:
        _socket.inet_pton(_socket.AF_INET, host)
    except (OSError, ValueError):
        return False
    return True
