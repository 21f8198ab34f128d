"""Adapter for eventlet's API: greening and eventlet itself.

`importlib` because which of them is measured is known only when this runs, and because where types are checked neither
needs to be installed.
"""

from __future__ import annotations

import importlib

from benchmarks.inside.api import Api
from benchmarks.inside.green_echo import serve_green


def patch(module: str) -> None:
    """Make the process green, before anything else is imported."""
    importlib.import_module(module).monkey_patch()


def api(module: str) -> Api:
    """Return the calls of the library called `module`."""
    library = importlib.import_module(module)
    return Api(
        spawn=library.spawn,
        wait=type(library.spawn(int)).wait,
        sleep=library.sleep,
        queue=library.Queue,
        semaphore=library.Semaphore,
        timeout=library.Timeout,
    )


def serve_echo(module: str, timeout: float) -> None:
    """Echo until killed; `timeout` seconds per receive, 0 for none."""
    library = importlib.import_module(module)
    serve_green(library.listen(("127.0.0.1", 0), backlog=1024), library.spawn_n, timeout)
