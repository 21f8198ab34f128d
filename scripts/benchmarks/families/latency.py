"""How long something waits beside something busy, in milliseconds of wall clock."""

from __future__ import annotations

import socket
import statistics
import time

from benchmarks.environment import Machine
from benchmarks.families.common import Sample, Sampler
from benchmarks.peers import Peer
from benchmarks.processes import BenchError, Child
from benchmarks.rows import Row

PATIENCE = 20.0  # seconds for one answer, and for an exit


def open_latency(machine: Machine, row: Row, peer: Peer, seconds: float) -> Sampler:
    """By the scene that the row names; two are not inside one process."""
    del seconds  # a scene is as long as it is
    scene = str(row.options["scene"])
    if scene == "exit":
        return Exit(machine, peer)
    if scene == "echo":
        return EchoBesideSlices(machine, peer)
    return Scene(machine, peer, scene)


class Scene:
    """A process that plays one of `inside/scenes.py` when it is told to."""

    def __init__(self, machine: Machine, peer: Peer, scene: str) -> None:
        self._process = _start(machine, peer, "latency", scene)
        try:
            self._process.answer()
        except BenchError:
            self._process.close()
            raise

    def sample(self) -> Sample:
        """Play it once."""
        self._process.tell("run")
        return Sample(self._process.answer()["ms"])

    def close(self) -> None:
        """End the process."""
        self._process.close()


class EchoBesideSlices:
    """A server that computes, and a client here."""

    def __init__(self, machine: Machine, peer: Peer) -> None:
        self._process = _start(machine, peer, "slices")
        try:
            self._port = int(self._process.answer()["port"])
        except BenchError:
            self._process.close()
            raise

    def sample(self) -> Sample:
        """The median of eight answers."""
        took = []
        with socket.create_connection(("127.0.0.1", self._port), PATIENCE) as client:
            for _ in range(8):
                began = time.perf_counter()
                client.sendall(b"x")
                client.recv(1)
                took.append(time.perf_counter() - began)
        return Sample(statistics.median(took) * 1e3)

    def close(self) -> None:
        """End the process."""
        self._process.close()


class Exit:
    """From the end of a main thread to the end of its process."""

    def __init__(self, machine: Machine, peer: Peer) -> None:
        self._machine, self._peer = machine, peer

    def sample(self) -> Sample:
        """Run one process. It fails when it hangs, and when its status is not 0."""
        with _start(self._machine, self._peer, "ending") as process:
            ending = process.answer()["ending"]  # of the clock that all processes share
            process.wait(PATIENCE)
            return Sample((time.perf_counter() - ending) * 1e3)

    def close(self) -> None:
        """Nothing lives between samples."""


def _start(machine: Machine, peer: Peer, program: str, *arguments: str) -> Child:
    command = [str(machine.python), "-m", f"benchmarks.inside.{program}", peer.style, peer.module, *arguments]
    process = Child(command, machine.variables(peer), machine.server_core)
    # Two OS threads with one core between them hide what happens to the GIL: the kernel runs the other one in the very
    # moment in which it is woken.
    process.spread({machine.server_core, machine.load_core})
    return process
