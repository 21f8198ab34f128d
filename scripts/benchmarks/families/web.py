"""Web servers, whatever they are made of: started, asked for the size of an answer, then loaded or weighed."""

from __future__ import annotations

import socket
import time

from benchmarks.environment import Machine
from benchmarks.families.common import Sampler
from benchmarks.families.echo import LoadedServer, warmed_up
from benchmarks.families.memory import MemorySampler, Start
from benchmarks.families.servers import start_load
from benchmarks.peers import Peer
from benchmarks.processes import BenchError, Child
from benchmarks.rows import Row

PATIENCE = 20.0  # seconds for a server to answer for the first time


def open_started(machine: Machine, row: Row, start: Start, seconds: float) -> Sampler:
    """The row's `connections`: `idle` after one exchange, or under load."""
    connections = int(row.options["connections"])
    if row.options.get("idle"):
        return MemorySampler(machine, connections, start)
    server, port, exchange = start()
    try:
        load = start_load(machine, port, connections, exchange)
    except BenchError:
        server.close()
        raise
    return warmed_up(LoadedServer(server, load, seconds))


def start_web_server(machine: Machine, row: Row, peer: Peer, program: str, request: bytes) -> tuple[Child, int, int]:
    """Start `peer`'s server for the row's app: `program` is the module of `inside` that has it.

    Return it, its port, and how many bytes it answers `request` with. Raises BenchError when it does not.
    """
    name = "greening" if peer.checkout else peer.name
    command = [str(machine.python), "-m", f"benchmarks.inside.{program}", name, str(row.options["app"])]
    server = Child(command, machine.variables(peer), machine.server_core, family=True)
    try:
        port = int(server.answer()["port"])
        return server, port, _size_of_answer(port, request)
    except BenchError as error:
        server.close()
        raise BenchError(f"server: {error}") from error


def _size_of_answer(port: int, request: bytes) -> int:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
                client.sendall(request)
                return _read_answer(client)
        except OSError as error:
            if time.monotonic() > end:
                raise BenchError(f"it does not answer: {error}") from error
            time.sleep(0.02)  # a foreign server does not report when it is ready


def _read_answer(client: socket.socket) -> int:
    raw = b""
    while b"\r\n\r\n" not in raw:
        data = client.recv(65536)
        if not data:
            raise BenchError("it closed the connection")
        raw += data
    head, _, body = raw.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    length = int(fields.get(b"content-length", 0))  # a handshake's answer has no body
    left = length - len(body)
    while left > 0:
        data = client.recv(min(left, 1 << 20))
        if not data:
            raise BenchError("it closed the connection")
        left -= len(data)
    return len(head) + 4 + length
