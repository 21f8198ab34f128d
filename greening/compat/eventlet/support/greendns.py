"""eventlet.support.greendns: names are looked up by the system's resolver, in native threads.

eventlet has a resolver of its own, on dnspython. Here libc decides: it knows /etc/hosts, nsswitch and search domains.
What hands out objects of dnspython (`resolve`, `ResolverProxy` ...) is dnspython, with the file of hosts in front.
It is loaded when it is asked for, and where it is installed; greening does not need it.
"""

import importlib
import ipaddress
import sys
from typing import Any

from greening.net.dns import getaddrinfo, gethostbyname, gethostbyname_ex, getnameinfo

__all__ = [
    "getaddrinfo",
    "gethostbyname",
    "gethostbyname_ex",
    "getnameinfo",
    "is_ip_addr",
    "is_ipv4_addr",
    "is_ipv6_addr",
    "reset",
]


def _is_address(host: object, kind: type) -> bool:
    if not isinstance(host, str | bytes):
        return False
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    try:
        kind(text)
    except ValueError:
        return False
    return True


def is_ipv4_addr(host: object) -> bool:
    """True for the text of an IPv4 address."""
    return _is_address(host, ipaddress.IPv4Address)


def is_ipv6_addr(host: object) -> bool:
    """True for the text of an IPv6 address, with a scope or without."""
    return _is_address(host, ipaddress.IPv6Address)


def is_ip_addr(host: object) -> bool:
    """True for the text of an address, of either kind."""
    return is_ipv4_addr(host) or is_ipv6_addr(host)


_OF_DNSPYTHON = frozenset(
    "DNS_QUERY_TIMEOUT HOSTS_TTL HostsAnswer HostsResolver ResolverProxy dns getaliases resolve resolve_cname resolver "
    "tcp udp".split()
)
_RESOLVER = "greening.compat.dns_resolver"


def reset() -> None:
    """Have the configuration of `resolver` read anew. libc reads its own by itself."""
    if _RESOLVER in sys.modules:
        sys.modules[_RESOLVER].resolver.clear()


def __getattr__(name: str) -> Any:
    if name not in _OF_DNSPYTHON:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_RESOLVER), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "dns":
            raise
        raise AttributeError(
            f"eventlet.support.greendns.{name} needs dnspython, which is not installed: pip install dnspython; or use "
            "getaddrinfo(), which asks the system's resolver"
        ) from error
