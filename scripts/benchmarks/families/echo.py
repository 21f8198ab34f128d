"""Echo over TCP: the server on its core, the load generator with its open connections on the other.

Both live as long as the row, so that a round costs only its load, and the peers' rounds lie close together in time.
"""

from __future__ import annotations

import sys

from benchmarks.environment import ROOM, Machine, most_connections
from benchmarks.families.common import Sample
from benchmarks.peers import Peer
from benchmarks.processes import BenchError, Child
from benchmarks.rows import Row

SIZE = 64  # bytes


def start_server(machine: Machine, peer: Peer, timeout: float) -> tuple[Child, int]:
    """Start `peer`'s echo server; return it and its port."""
    if peer.style:
        command = [str(machine.python), "-m", "benchmarks.inside.serve", peer.style, peer.module, str(timeout)]
    else:
        command = [str(machine.program("echo"))]
    server = Child(command, machine.variables(peer), machine.server_core)
    try:
        return server, int(server.answer()["port"])
    except BenchError as error:
        server.close()
        raise BenchError(f"server: {error}") from error


def start_load(machine: Machine, port: int, connections: int) -> Child:
    """Open `connections` to `port`; each has been served once when this returns."""
    if connections > most_connections():
        raise BenchError(f"the limit of open files (ulimit -Hn) is too low for {connections} connections")
    if machine.compiler is not None:
        command = [str(machine.program("load"))]
    else:
        command = [sys.executable, str(ROOM / "load.py")]
    load = Child([*command, str(port), str(connections), str(SIZE)], machine.variables(), machine.load_core)
    try:
        load.answer()
    except BenchError as error:
        load.close()
        raise BenchError(f"load generator: {error}") from error
    return load


class EchoSampler:
    """A server under closed-loop load: every connection has one request under way."""

    def __init__(self, machine: Machine, row: Row, peer: Peer, seconds: float) -> None:
        self._seconds = seconds
        self._server, port = start_server(machine, peer, float(row.options.get("timeout", 0)))
        try:
            self._load = start_load(machine, port, int(row.options["connections"]))
            self.sample()  # warm-up
        except BenchError:
            self._server.close()
            raise

    def sample(self) -> Sample:
        """Load it for the agreed time; microseconds of the server's CPU per request."""
        before = self._server.cpu()
        self._load.tell(f"run {self._seconds}")
        result = self._load.answer()
        used = self._server.cpu() - before
        requests, elapsed = result["requests"], result["seconds"]
        return Sample(
            used / requests * 1e6,
            {"per_second": requests / elapsed, "busy": used / elapsed, "load_busy": result["cpu"] / elapsed},
        )

    def close(self) -> None:
        """End both processes."""
        self._load.close()
        self._server.close()
