"""Starting what serves and what loads it, for all families that need both."""

from __future__ import annotations

import sys

from benchmarks.environment import Machine, most_connections
from benchmarks.inside.job import Job
from benchmarks.peers import ROOM, Peer
from benchmarks.processes import BenchError, CannotDo, Child


def start_server(machine: Machine, peer: Peer, job: Job) -> tuple[Child, int]:
    """Start `peer`'s server for `job`; return it and its port."""
    if peer.style:
        command = [str(machine.python), "-m", "benchmarks.inside.serve", peer.style, peer.module, job.text()]
    else:
        command = [str(machine.program("echo", tls=bool(job.certificate))), job.name, str(job.size)]
        command += [job.certificate] if job.certificate else []
    server = Child(command, machine.variables(peer), machine.server_core)
    try:
        return server, int(server.answer()["port"])
    except BenchError as error:
        server.close()
        raise BenchError(f"server: {error}") from error


def start_load(
    machine: Machine, port: int, connections: int, ask: int, answer: int, tls: bool = False, text: str = ""
) -> Child:
    """Open `connections` to `port`, to send `ask` bytes for `answer`; each has been served once when this returns.

    `text` is what is sent, if it matters.
    """
    if connections > most_connections():
        raise CannotDo(f"the limit of open files (ulimit -Hn) is too low for {connections} connections")
    try:
        command = [str(machine.program("load", tls=tls))]
    except CannotDo:
        if text:
            raise
        command = [sys.executable, str(ROOM / "load.py")]
    command += [str(port), str(connections), str(ask), str(answer)]
    command += [text] if text else []
    if tls:
        in_c = command[0] != sys.executable
        machine.say(
            "the TLS load comes from " + ("load.c with OpenSSL" if in_c else "load.py: no OpenSSL for a C compiler")
        )
        command += [] if in_c else ["tls"]
    return _ready(Child(command, machine.variables(), machine.load_core))


def start_churn(machine: Machine, port: int, slots: int, size: int) -> Child:
    """Get ready to open and close connections to `port`."""
    command = [str(machine.program("churn")), str(port), str(slots), str(size)]
    return _ready(Child(command, machine.variables(), machine.load_core))


def _ready(load: Child) -> Child:
    try:
        load.answer()
    except BenchError as error:
        load.close()
        raise BenchError(f"load generator: {error}") from error
    return load
