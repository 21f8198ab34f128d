"""A whole process that imports, patches and ends."""

from __future__ import annotations

from benchmarks.environment import Machine
from benchmarks.families.common import Sample
from benchmarks.peers import Peer
from benchmarks.processes import Child
from benchmarks.rows import Row


class StartupSampler:
    """Nothing lives between samples; the first run, which compiles, is thrown away."""

    def __init__(self, machine: Machine, row: Row, peer: Peer, seconds: float) -> None:
        del seconds
        self._machine, self._peer = machine, peer
        self._arguments = peer.start if row.options["way"] == "start" else peer.run
        self.sample()

    def sample(self) -> Sample:
        """Run it once; milliseconds of CPU from start to end."""
        command = [str(self._machine.python), *self._arguments]
        with Child(command, self._machine.variables(self._peer), self._machine.server_core) as process:
            used = process.wait_cpu()
        return Sample(used * 1e3)

    def close(self) -> None:
        """Nothing lives between samples."""
