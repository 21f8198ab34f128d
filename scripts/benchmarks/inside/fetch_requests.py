"""One page by requests; imported after the patching."""

from __future__ import annotations

import importlib
from typing import Any

SIZE = 1024  # bytes of every page, see c/http.c

requests: Any = importlib.import_module("requests")  # not needed where types are checked


def fetch(address: str) -> int:
    """Get it whole, with a session of its own as `requests.get` makes; returns its size in bytes."""
    with requests.Session() as session:
        session.trust_env = False  # not through a proxy of whoever runs this
        size = len(session.get(address, timeout=30).content)
    assert size == SIZE
    return size
