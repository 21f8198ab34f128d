"""The blocking-style echo server that every green library runs, word for word the same."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any


def serve_green(listener: Any, start: Callable[..., Any], timeout: float) -> None:
    """Announce the port of `listener`, then echo until killed; `start` is how the library starts a handler."""

    def handle(connection: Any) -> None:
        if timeout:
            connection.settimeout(timeout)
        receive, send = connection.recv, connection.sendall
        while data := receive(4096):
            send(data)
        connection.close()

    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it
    print(f'{{"port": {listener.getsockname()[1]}}}', flush=True)
    while True:
        connection, _ = listener.accept()
        start(handle, connection)
