"""Names and addresses: the system's own resolver, asked in native threads. Numeric addresses never leave the greenlet.

Facts:
- libc is right about /etc/hosts, nsswitch, search domains and mDNS; a resolver of our own would not be. But it
  blocks, up to minutes, and cannot be interrupted.
- With AI_NUMERICHOST `getaddrinfo(3)` asks nobody, and answers numeric addresses (scopes, canonical names, families and
  errors included) exactly as it does without.
- A service that is not a number is looked up in /etc/services, or wherever nsswitch says: that may block.

Consequence: `getaddrinfo` of a number, or of nothing, with a numeric service is answered on the spot; so is whatever
else is known to ask nobody. Everything else goes to a pool of this file's own, so that stuck look-ups leave `tpool`
to its users. Who is killed, or times out, while a look-up is under way leaves at once.

Each function has the name, the signature, the results and the errors of its twin in `socket`, and is thread-safe.
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

# gevent's number. More would not help: libc asks the same few servers one name at a time, and they are what is slow.
RESOLVERS: Final = NativePool(10, block_signals=True)

_NUMERIC_BOTH = _socket.NI_NUMERICHOST | _socket.NI_NUMERICSERV


def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> list[Any]:
    """`socket.getaddrinfo`, cooperative: other green threads run while it asks."""
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
    """`socket.gethostbyname`, cooperative."""
    fairness_tick()
    if _is_ipv4(host):
        return _gethostbyname(host)
    return RESOLVERS.execute(_gethostbyname, host)


def gethostbyname_ex(host: Any, /) -> tuple[str, list[str], list[str]]:
    """`socket.gethostbyname_ex`, cooperative."""
    return RESOLVERS.execute(_gethostbyname_ex, host)


def gethostbyaddr(host: Any, /) -> tuple[str, list[str], list[str]]:
    """`socket.gethostbyaddr`, cooperative."""
    return RESOLVERS.execute(_gethostbyaddr, host)


def getnameinfo(sockaddr: Any, flags: int, /) -> tuple[str, str]:
    """`socket.getnameinfo`, cooperative."""
    if not isinstance(sockaddr, tuple):
        # The same error, whatever it is instead; without this frame, which the traceback keeps, keeping that alive.
        del sockaddr
        return _getnameinfo(None, flags)  # type: ignore[arg-type]  # that is the point
    fairness_tick()
    if isinstance(flags, int) and flags & _NUMERIC_BOTH == _NUMERIC_BOTH:
        return _getnameinfo(sockaddr, flags)
    return RESOLVERS.execute(_getnameinfo, sockaddr, flags)


def getfqdn(name: str = "") -> str:
    """`socket.getfqdn`, cooperative."""
    return RESOLVERS.execute(_getfqdn, name)


def _is_number(port: Any) -> bool:
    """Whether a service is known without asking."""
    if port is None or isinstance(port, int):
        return True
    return isinstance(port, str | bytes) and port.isascii() and port.isdigit()


def _may_be_address(host: Any) -> bool:
    """False: it is no numeric address in any of the forms that inet_aton(3) and inet_pton(3) know."""
    if isinstance(host, bytes):
        return b":" in host or host.rpartition(b".")[2][:1].isdigit()
    return isinstance(host, str) and (":" in host or host.rpartition(".")[2][:1].isdigit())


def _is_ipv4(host: Any) -> bool:
    """Whether `gethostbyname` knows it without asking."""
    if not isinstance(host, str):
        return False
    if host in ("", "<broadcast>"):
        return True
    try:
        _socket.inet_pton(_socket.AF_INET, host)
    except (OSError, ValueError):
        return False
    return True
