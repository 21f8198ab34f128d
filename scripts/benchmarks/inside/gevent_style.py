"""Adapter for gevent. `importlib` because gevent need not be installed where types are checked."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from benchmarks.inside.api import Api
from benchmarks.inside.job import Job


def patch(module: str) -> None:
    """Make the process green, before anything else is imported."""
    importlib.import_module(f"{module}.monkey").patch_all()


def api(module: str) -> Api:
    """Return the calls of gevent."""
    library = importlib.import_module(module)
    return Api(
        spawn=library.spawn,
        spawn_n=library.spawn_raw,
        wait=library.Greenlet.get,
        sleep=library.sleep,
        queue=importlib.import_module(f"{module}.queue").Queue,
        semaphore=importlib.import_module(f"{module}.lock").Semaphore,
        timeout=library.Timeout,
        pool=importlib.import_module(f"{module}.pool").Pool,
    )


def pool_call(module: str) -> Callable[[Callable[[], object]], object]:
    """Return the function that makes a call in an OS thread."""
    apply: Callable[[Callable[[], object]], object] = importlib.import_module(module).get_hub().threadpool.apply
    return apply


def serve(module: str, job: Job) -> None:
    """Serve until killed."""
    server = importlib.import_module("benchmarks.inside.green_server")
    if job.patched:
        listener = server.stdlib_listener()
    else:  # not gevent.socket.create_server: that is the stdlib's, and its socket blocks the process
        listener = importlib.import_module(f"{module}.socket").socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
    start = importlib.import_module(module).spawn  # its StreamServer spawns a Greenlet, too
    server.serve_green(listener, start, job)


def fetch_all(module: str, fetch: Callable[[str], Any], addresses: list[str], width: int) -> int:
    """Fetch `addresses`, `width` at a time; return how many came."""
    return sum(1 for _ in importlib.import_module(f"{module}.pool").Pool(width).imap(fetch, addresses))
