"""A client library on the measured core, the real server that it is for on the other."""

from __future__ import annotations

import os

from benchmarks.environment import Machine
from benchmarks.families.common import Sample
from benchmarks.families.loops import LoopSampler
from benchmarks.peers import CHECKOUT, Peer
from benchmarks.processes import BenchError, CannotDo, Child
from benchmarks.rows import Row


class DriverSampler:
    """A loop of questions, and a server of its own for it."""

    def __init__(self, machine: Machine, row: Row, peer: Peer, seconds: float) -> None:
        """Start the server by what the tests start it with."""
        variables = machine.variables()
        variables["PYTHONPATH"] += os.pathsep + str(CHECKOUT)
        command = [str(machine.python), "-m", "benchmarks.inside.real_server", str(row.options["server"])]
        self._server = Child(command, variables, machine.load_core)
        try:
            answer = self._server.answer()
            if "cannot" in answer:
                raise CannotDo(answer["cannot"])
            self._loop = LoopSampler(machine, row, peer, seconds, str(answer["port"]))
        except BenchError:
            self._end_server()
            raise

    def sample(self) -> Sample:
        """Ask all once more; microseconds of the client's CPU per question."""
        return self._loop.sample()

    def close(self) -> None:
        """End both processes."""
        self._loop.close()
        self._end_server()

    def _end_server(self) -> None:
        self._server.tell("end")
        try:
            self._server.wait()
        finally:
            self._server.close()
