"""Celery: a worker with the peer's pool, an embedded Valkey, and a client that sends tasks and waits for results."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.environment import Machine
from benchmarks.families.common import Sample
from benchmarks.peers import Peer
from benchmarks.processes import BenchError, Child
from benchmarks.rows import Row

APP = "benchmarks.inside.celery_app"
# What runs `celery`, and which pool it is told to use: by what the peer imports.
POOLS = {
    "greening": ("greening.ext.celery", "custom"),
    "gevent": ("celery", "gevent"),
    "eventlet": ("celery", "eventlet"),
    "threading": ("celery", "threads"),
}


class CelerySampler:
    """The three processes live as long as the row. The worker has the server's core for itself."""

    def __init__(self, machine: Machine, row: Row, peer: Peer, seconds: float) -> None:
        del seconds  # a sample is a number of tasks
        self._row = row
        python, core = str(machine.python), machine.load_core
        with ExitStack() as stack:
            variables = machine.variables(peer)
            broker = stack.enter_context(Child([python, "-m", "benchmarks.inside.celery_broker"], variables, core))
            variables |= {"BROKER": str(broker.answer()["url"]), "LATE": str(row.options.get("late", "")), **_QUIET}
            door, pool = POOLS[peer.module]
            command = [python, "-m", door, "--quiet", "-A", APP, "worker", "-P", pool, "-l", "ERROR"]
            command += ["-c", str(row.options["concurrency"]), "--prefetch-multiplier", str(row.options["prefetch"])]
            self._worker = stack.enter_context(Child(command, variables, machine.server_core))
            client = [python, "-m", "benchmarks.inside.celery_app", str(row.options["tasks"]), str(row.options["nap"])]
            self._client = stack.enter_context(Child(client, variables, core))
            self._client.answer()  # the worker has done a task for each of its places
            self._processes = stack.pop_all()

    def sample(self) -> Sample:
        """Have all tasks done once; seconds, or microseconds of the worker's CPU for each."""
        before = self._worker.cpu()
        self._client.tell("go")
        took = self._client.answer(_PATIENCE)
        if "error" in took:
            raise BenchError(str(took["error"]))
        used = self._worker.cpu() - before
        if "cpu" in self._row.options:
            return Sample(used / float(self._row.options["tasks"]) * 1e6)
        return Sample(float(took["seconds"]))

    def close(self) -> None:
        """End the three."""
        self._processes.close()


_PATIENCE = 600.0  # seconds for ten thousand tasks, on a machine that has other work
# Celery warns of root, and of its own future.
_QUIET = {"PYTHONWARNINGS": "ignore"}
