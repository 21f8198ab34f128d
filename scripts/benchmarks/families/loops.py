"""Loops inside one process, either on a library's own calls or on the stdlib's under its patches."""

from __future__ import annotations

from benchmarks.environment import Machine
from benchmarks.families.common import Sample
from benchmarks.peers import Peer
from benchmarks.processes import BenchError, Child
from benchmarks.rows import Row


class LoopSampler:
    """A process that has found out how many operations fill one sample, and waits for the next round."""

    def __init__(self, machine: Machine, row: Row, peer: Peer, seconds: float, *arguments: str) -> None:
        """Start it; `arguments` are for the loops of its family."""
        self._clock = str(row.options.get("clock", "cpu"))
        kind = peer.loops if row.family == "green" else row.family
        loop, count = str(row.options["loop"]), str(row.options.get("count", 0))
        self._process = Child(
            [
                *(str(machine.python), "-m", "benchmarks.inside.work", kind),
                *(peer.style, peer.module, loop, str(seconds), count, *arguments),
            ],
            machine.variables(peer),
            machine.server_core,
        )
        try:
            self.count: int = self._process.answer()["ready"]  # operations of one sample
        except BenchError:
            self._process.close()
            raise

    def sample(self) -> Sample:
        """One sample; microseconds per operation on the row's clock."""
        self._process.tell("run")
        result = self._process.answer()
        return Sample(
            result[self._clock] / result["count"] * 1e6,
            {"per_second": result["count"] / result["elapsed"], "busy": result["cpu"] / result["elapsed"]},
        )

    def close(self) -> None:
        """End the process."""
        self._process.close()
