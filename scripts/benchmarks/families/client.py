"""A client on the measured core, a web server in C on the other."""

from __future__ import annotations

from benchmarks.environment import Machine
from benchmarks.families.common import Sample
from benchmarks.families.loops import LoopSampler
from benchmarks.peers import Peer
from benchmarks.processes import BenchError, Child
from benchmarks.rows import Row


class ClientSampler:
    """A loop of requests, and a server of its own for it."""

    def __init__(self, machine: Machine, row: Row, peer: Peer, seconds: float) -> None:
        self._server = Child([str(machine.program("http"))], machine.variables(), machine.load_core)
        try:
            self._loop = LoopSampler(machine, row, peer, seconds, str(self._server.answer()["port"]))
        except BenchError:
            self._server.close()
            raise

    def sample(self) -> Sample:
        """Fetch them all once more; microseconds of the client's CPU per request."""
        busy = self._server.cpu()
        sample = self._loop.sample()
        elapsed = self._loop.count / sample.extra["per_second"]
        return Sample(sample.value, sample.extra | {"load_busy": (self._server.cpu() - busy) / elapsed})

    def close(self) -> None:
        """End both processes."""
        self._loop.close()
        self._server.close()
