"""One page by urllib.request; imported after the patching."""

from __future__ import annotations

from urllib.request import ProxyHandler, build_opener

SIZE = 1024  # bytes of every page, see c/http.c

opener = build_opener(ProxyHandler({}))  # not through a proxy of whoever runs this


def fetch(address: str) -> int:
    """Get it whole; returns its size in bytes."""
    with opener.open(address, timeout=30) as page:
        size = len(page.read())
    assert size == SIZE
    return size
