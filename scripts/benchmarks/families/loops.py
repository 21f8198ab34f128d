"""Loops inside one process, either on a library's own calls or on the stdlib's under its patches."""

from __future__ import annotations

from benchmarks.environment import Machine
from benchmarks.families.common import Sample
from benchmarks.peers import Peer
from benchmarks.processes import BenchError, Child
from benchmarks.rows import Row


class LoopSampler:
    """A process that has found out how many operations fill one sample, and waits for the next round."""

    def __init__(self, machine: Machine, row: Row, peer: Peer, seconds: float) -> None:
        self._clock = str(row.options.get("clock", "cpu"))
        loop = str(row.options["loop"])
        self._process = Child(
            [
                *(str(machine.python), "-m", "benchmarks.inside.work", row.family),
                *(peer.style or "-", peer.module or "-", loop, str(seconds)),
            ],
            machine.variables(peer),
            machine.server_core,
        )
        try:
            self._process.answer()
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
