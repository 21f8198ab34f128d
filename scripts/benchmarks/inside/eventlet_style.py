"""Adapter for eventlet's API: greening and eventlet itself.

`importlib` because which of them is measured is known only when this runs, because where types are checked neither
needs to be installed, and because what the servers import has to come after the patch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from benchmarks.inside.api import Api
from benchmarks.inside.job import Job


def patch(module: str) -> None:
    """Make the process green, before anything else is imported."""
    importlib.import_module(module).monkey_patch()


def api(module: str) -> Api:
    """Return the calls of the library called `module`."""
    library = importlib.import_module(module)
    return Api(
        spawn=library.spawn,
        spawn_n=library.spawn_n,
        wait=type(library.spawn(int)).wait,
        sleep=library.sleep,
        queue=library.Queue,
        semaphore=library.Semaphore,
        timeout=library.Timeout,
        pool=library.GreenPool,
    )


def pool_call(module: str) -> Callable[[Callable[[], object]], object]:
    """Return the function that makes a call in an OS thread."""
    execute: Callable[[Callable[[], object]], object] = importlib.import_module(f"{module}.tpool").execute
    return execute


def serve(module: str, job: Job) -> None:
    """Serve until killed."""
    library = importlib.import_module(module)
    if job.trace:
        importlib.import_module(f"{module}.debug").trace("/dev/null")
    server = importlib.import_module("benchmarks.inside.green_server")
    listener = server.stdlib_listener() if job.patched else library.listen(("127.0.0.1", 0), backlog=1024)
    server.serve_green(listener, library.spawn_n, job)


def fetch_all(module: str, fetch: Callable[[str], Any], addresses: list[str], width: int) -> int:
    """Fetch `addresses`, `width` at a time; return how many came."""
    return sum(1 for _ in importlib.import_module(module).GreenPool(width).imap(fetch, addresses))
