"""What the measured web servers share: a listener whose port is printed, and a process that ends with the benchmark."""

from __future__ import annotations

import ctypes
import json
import logging
import resource
import signal
import socket
import sys
from collections.abc import Callable, Mapping

PR_SET_PDEATHSIG = 1
ROOM = 20_000  # connections
BACKLOG = 4096

Servers = Mapping[str, Callable[[str], None]]  # by the peer's name; each takes the name of its application


def say(port: int) -> None:
    """Print where the server is reached."""
    print(json.dumps({"port": port}), flush=True)


def listen() -> socket.socket:
    """Listen on a free port of loopback, with the sockets that the process has by then: green ones after a patch."""
    return socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)


def announce() -> socket.socket:
    """Listen, and print the port: clients may come, and are served when the server is ready."""
    listener = listen()
    say(listener.getsockname()[1])
    return listener


def free_port() -> int:
    """Return a port for a program that listens by itself. Nothing keeps it free until then."""
    with listen() as listener:
        return int(listener.getsockname()[1])


def run(servers: Servers) -> None:
    """Serve until killed; the command line is PEER APP."""
    name, app = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    logging.disable()
    servers[name](app)
