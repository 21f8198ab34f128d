"""Adapter for unpatched CPython: a real thread for each handler."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from benchmarks.inside.job import Job


def patch(module: str) -> None:
    """Leave everything as it is."""
    del module


def pool_call(module: str) -> Callable[[Callable[[], object]], object]:
    """Return the function that makes a call in another thread and waits for it."""
    del module
    submit = importlib.import_module("concurrent.futures").ThreadPoolExecutor(5).submit
    return lambda function: submit(function).result()


def serve(module: str, job: Job) -> None:
    """Serve until killed."""
    threads = importlib.import_module(module)

    def start(handle: Callable[[Any], None], connection: Any) -> None:
        threads.Thread(target=handle, args=(connection,), daemon=True).start()

    server = importlib.import_module("benchmarks.inside.green_server")
    server.serve_green(server.stdlib_listener(), start, job)


def fetch_all(module: str, fetch: Callable[[str], Any], addresses: list[str], width: int) -> int:
    """Fetch `addresses`, `width` at a time; return how many came."""
    del module
    futures = importlib.import_module("concurrent.futures")
    with futures.ThreadPoolExecutor(width) as pool:
        return sum(1 for _ in pool.map(fetch, addresses))
