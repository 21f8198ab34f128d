"""The blocking-style echo server that every green library runs, word for word the same."""

from __future__ import annotations

from typing import Any

from benchmarks.inside.api import Api


def serve_green(api: Api, timeout: float) -> None:
    """Listen on loopback, announce the port, echo until killed."""
    socket = api.socket

    def handle(connection: Any) -> None:
        if timeout:
            connection.settimeout(timeout)
        receive, send = connection.recv, connection.sendall
        while data := receive(4096):
            send(data)
        connection.close()

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    print(f'{{"port": {listener.getsockname()[1]}}}', flush=True)
    while True:
        connection, _ = listener.accept()
        api.start_handler(handle, connection)
