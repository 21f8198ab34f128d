"""Adapter for gevent. `importlib` because gevent need not be installed where types are checked."""

from __future__ import annotations

import importlib

from benchmarks.inside.api import Api
from benchmarks.inside.green_echo import serve_green


def patch(module: str) -> None:
    """Make the process green, before anything else is imported."""
    importlib.import_module(f"{module}.monkey").patch_all()


def api(module: str) -> Api:
    """Return the calls of gevent."""
    library = importlib.import_module(module)
    return Api(
        spawn=library.spawn,
        wait=library.Greenlet.get,
        sleep=library.sleep,
        queue=importlib.import_module(f"{module}.queue").Queue,
        semaphore=importlib.import_module(f"{module}.lock").Semaphore,
        timeout=library.Timeout,
    )


def serve_echo(module: str, timeout: float) -> None:
    """Echo until killed; `timeout` seconds per receive, 0 for none."""
    # Not gevent.socket.create_server: that is the stdlib's, and its socket blocks the process.
    listener = importlib.import_module(f"{module}.socket").socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    serve_green(listener, importlib.import_module(module).spawn, timeout)  # its StreamServer spawns a Greenlet, too
