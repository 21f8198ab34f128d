"""eventlet.support.greendns: names are looked up by the system's resolver, in native threads.

eventlet has a resolver of its own, on dnspython. Here libc decides: it knows /etc/hosts, nsswitch and search domains.
What hands out objects of dnspython (`resolve`, `ResolverProxy`) is not here.
"""

import ipaddress
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


def reset() -> None:
    """Do nothing: libc reads its configuration anew by itself. Kept for programs that were written for eventlet."""


def __getattr__(name: str) -> Any:
    if name in ("resolve", "resolver", "ResolverProxy", "HostsResolver", "getaliases", "resolve_cname"):
        raise AttributeError(
            f"eventlet.support.greendns.{name} is not in greening, which asks the system's resolver: use "
            "getaddrinfo, or dnspython itself, which is cooperative once the process is patched"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
