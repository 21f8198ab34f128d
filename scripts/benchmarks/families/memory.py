"""Memory of idle connections: a fresh server each time, its resident size before and after they are opened."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.environment import Machine
from benchmarks.families.common import Sample
from benchmarks.families.echo import SIZE
from benchmarks.families.servers import Exchange, start_load, start_server
from benchmarks.inside.job import Job
from benchmarks.peers import Peer
from benchmarks.processes import Child
from benchmarks.rows import Row

SETTLE = 0.3  # seconds for the server to finish the last handlers before it is weighed
FIRST = 10  # connections before the first weighing: what is imported or allocated once is not a connection's

Start = Callable[[], tuple[Child, int, Exchange]]  # a server, its port, and what is asked once on each connection


class MemorySampler:
    """Every connection has had one answer, and then waits."""

    def __init__(self, machine: Machine, connections: int, start: Start) -> None:
        self._machine, self._connections, self._start = machine, connections, start

    def sample(self) -> Sample:
        """Open them all, hold them, let them go; KiB of the server's resident memory for each."""
        server, port, exchange = self._start()
        with server, start_load(self._machine, port, FIRST, exchange):
            time.sleep(SETTLE)
            before, cpu = server.resident(), server.cpu()
            with start_load(self._machine, port, self._connections, exchange):
                used = server.cpu() - cpu
                time.sleep(SETTLE)
                grown = server.resident() - before
        return Sample(grown / self._connections / 1024, {"accept_us": used / self._connections * 1e6})

    def close(self) -> None:
        """Nothing lives between samples."""


def open_memory(machine: Machine, row: Row, peer: Peer, seconds: float) -> MemorySampler:
    """Connections that have exchanged one message and wait in a receive."""
    del seconds

    def start() -> tuple[Child, int, Exchange]:
        return *start_server(machine, peer, Job("echo", SIZE)), Exchange(SIZE, SIZE)

    return MemorySampler(machine, int(row.options["connections"]), start)
