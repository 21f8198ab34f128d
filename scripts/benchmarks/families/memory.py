"""Memory of idle connections: a fresh server each time, its resident size before and after they are opened."""

from __future__ import annotations

import time

from benchmarks.environment import Machine
from benchmarks.families.common import Sample
from benchmarks.families.echo import SIZE
from benchmarks.families.servers import start_load, start_server
from benchmarks.inside.job import Job
from benchmarks.peers import Peer
from benchmarks.rows import Row

SETTLE = 0.3  # seconds for the server to finish the last handlers before it is weighed
FIRST = 10  # connections before the first weighing: what is imported or allocated once is not a connection's


class MemorySampler:
    """Every connection has exchanged one message and then waits in a receive."""

    def __init__(self, machine: Machine, row: Row, peer: Peer, seconds: float) -> None:
        del seconds
        self._machine, self._peer = machine, peer
        self._connections = int(row.options["connections"])

    def sample(self) -> Sample:
        """Open them all, hold them, let them go; KiB of the server's resident memory for each."""
        server, port = start_server(self._machine, self._peer, Job("echo", SIZE))
        with server, start_load(self._machine, port, FIRST, SIZE, SIZE):
            time.sleep(SETTLE)
            before, cpu = server.resident(), server.cpu()
            with start_load(self._machine, port, self._connections, SIZE, SIZE):
                used = server.cpu() - cpu
                time.sleep(SETTLE)
                grown = server.resident() - before
        return Sample(grown / self._connections / 1024, {"accept_us": used / self._connections * 1e6})

    def close(self) -> None:
        """Nothing lives between samples."""
