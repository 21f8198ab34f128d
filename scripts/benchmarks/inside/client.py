"""Many HTTP requests at once from one process, through the library's own pool, with the stdlib patched.

The server is a C program on the other core, so that what is measured is the client.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

Loop = Callable[[int], None]

WIDTH = 200  # requests under way at once


def prepare(style: str, module: str, name: str, port: str) -> Loop:
    """Patch the process, then return the loop of requests by `name` to the server at `port`."""
    adapter: Any = importlib.import_module(f"benchmarks.inside.{style}")
    adapter.patch(module)
    fetch: Callable[[str], int] = importlib.import_module("benchmarks.inside.fetch_" + name).fetch

    def loop(n: int) -> None:
        came = adapter.fetch_all(module, fetch, [f"http://127.0.0.1:{port}/{i}" for i in range(n)], WIDTH)
        assert came == n

    return loop
