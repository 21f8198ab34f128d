"""The measured HTTP server: PEER APP. Prints its port once it answers, and ends with the benchmark that started it."""

from __future__ import annotations

import ctypes
import importlib
import json
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

PR_SET_PDEATHSIG = 1
ROOM = 20_000  # connections
BACKLOG = 4096


def _say(port: int) -> None:
    print(json.dumps({"port": port}), flush=True)


def _listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)


def _application(name: str) -> Any:
    return getattr(importlib.import_module("benchmarks.inside.http_app"), name)


def greening(app: str) -> None:
    """`greening.wsgi`."""
    library = importlib.import_module("greening")
    library.monkey_patch()
    listener = _listener()
    _say(listener.getsockname()[1])
    importlib.import_module("greening.wsgi").server(listener, _application(app), log_output=False, max_size=ROOM)


def gevent(app: str) -> None:
    """`gevent.pywsgi`."""
    importlib.import_module("gevent.monkey").patch_all()
    server = importlib.import_module("gevent.pywsgi").WSGIServer(_listener(), _application(app), log=None)
    _say(server.address[1])
    server.serve_forever()


def eventlet(app: str) -> None:
    """`eventlet.wsgi`."""
    importlib.import_module("eventlet").monkey_patch()
    listener = _listener()
    _say(listener.getsockname()[1])
    importlib.import_module("eventlet.wsgi").server(listener, _application(app), log_output=False, max_size=ROOM)


def uvicorn(app: str) -> None:
    """ASGI; it has the small application only."""
    library = importlib.import_module("uvicorn")
    listener = _listener()
    _say(listener.getsockname()[1])
    config = library.Config(_application(f"{app}_asgi"), log_level="error", access_log=False, lifespan="off")
    library.Server(config).run(sockets=[listener])


def _command(*words: str) -> None:
    os.execv(sys.executable, [sys.executable, *words])


def _free_port() -> int:
    with _listener() as listener:
        return int(listener.getsockname()[1])


def granian(app: str) -> None:
    """A worker of its own; the caller waits until it answers."""
    port = _free_port()
    _say(port)
    target = f"benchmarks.inside.http_app:{app}"
    _command("-m", "granian", "--interface", "wsgi", "--port", str(port), "--no-access-log", target)


def gunicorn(app: str) -> None:
    """One worker with threads; the caller waits until it answers."""
    port = _free_port()
    _say(port)
    threads = ("--worker-class", "gthread", "--threads", "8", "--keep-alive", "600", "--log-level", "error")
    _command("-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *threads, f"benchmarks.inside.http_app:{app}")


SERVERS: dict[str, Callable[[str], None]] = {
    "greening": greening,
    "gevent": gevent,
    "eventlet": eventlet,
    "uvicorn": uvicorn,
    "granian": granian,
    "gunicorn": gunicorn,
}


def main() -> None:
    """Serve until killed."""
    name, app = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    logging.disable()
    SERVERS[name](app)


if __name__ == "__main__":
    main()
