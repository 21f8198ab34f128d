"""The measured HTTP server: PEER APP. Prints its port once it answers, and ends with the benchmark that started it."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from benchmarks.inside.listening import ROOM, Servers, announce, free_port, run, say


def _application(name: str) -> Any:
    return getattr(importlib.import_module("benchmarks.inside.http_app"), name)


def greening(app: str) -> None:
    """`greening.wsgi`."""
    library = importlib.import_module("greening")
    library.monkey_patch()
    listener = announce()
    importlib.import_module("greening.wsgi").server(listener, _application(app), log_output=False, max_size=ROOM)


def gevent(app: str) -> None:
    """`gevent.pywsgi`."""
    importlib.import_module("gevent.monkey").patch_all()
    server = importlib.import_module("gevent.pywsgi").WSGIServer(announce(), _application(app), log=None)
    server.serve_forever()


def eventlet(app: str) -> None:
    """`eventlet.wsgi`."""
    importlib.import_module("eventlet").monkey_patch()
    listener = announce()
    importlib.import_module("eventlet.wsgi").server(listener, _application(app), log_output=False, max_size=ROOM)


def uvicorn(app: str) -> None:
    """ASGI; it has the small application only."""
    library = importlib.import_module("uvicorn")
    listener = announce()
    config = library.Config(_application(f"{app}_asgi"), log_level="error", access_log=False, lifespan="off")
    library.Server(config).run(sockets=[listener])


def _command(*words: str) -> None:
    os.execv(sys.executable, [sys.executable, *words])


def granian(app: str) -> None:
    """A worker of its own; the caller waits until it answers."""
    port = free_port()
    say(port)
    target = f"benchmarks.inside.http_app:{app}"
    _command("-m", "granian", "--interface", "wsgi", "--port", str(port), "--no-access-log", target)


def gunicorn(app: str) -> None:
    """One worker with threads; the caller waits until it answers."""
    port = free_port()
    say(port)
    threads = ("--worker-class", "gthread", "--threads", "8", "--keep-alive", "600", "--log-level", "error")
    _command("-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *threads, f"benchmarks.inside.http_app:{app}")


SERVERS: Servers = {
    "greening": greening,
    "gevent": gevent,
    "eventlet": eventlet,
    "uvicorn": uvicorn,
    "granian": granian,
    "gunicorn": gunicorn,
}


if __name__ == "__main__":
    run(SERVERS)
