"""Starting what serves and what loads it, for all families that need both."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from benchmarks.environment import Machine, most_connections
from benchmarks.inside.job import Job
from benchmarks.peers import ROOM, Peer
from benchmarks.processes import BenchError, CannotDo, Child

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a load generator asks on each connection again and again, and what it has to get; sizes are in bytes.

    Without a text a pattern is asked, and the same pattern has to come. Texts are arguments: they have no zero bytes.
    """

    ask: int
    answer: int
    text: bytes = b""  # what is asked, if it matters
    beginning: bytes = b""  # what an answer to the text begins with
    opening: bytes = b""  # what is asked once, first: the handshake of WebSocket
    opened: int = 0  # the size of its answer

    def arguments(self) -> list[str]:
        """Return what `c/load.c` takes for it."""
        texts = [self.text, self.beginning] if self.text else []
        texts += [self.opening, str(self.opened).encode()] if self.opening else []
        return [str(self.ask), str(self.answer), *map(os.fsdecode, texts)]


def start_server(
    machine: Machine, peer: Peer, job: Job, variables: Mapping[str, str] = NO_VARIABLES
) -> tuple[Child, int]:
    """Start `peer`'s server for `job`, with these environment variables, too; return it and its port."""
    if peer.style:
        command = [str(machine.python), "-m", "benchmarks.inside.serve", peer.style, peer.module, job.text()]
    else:
        command = [str(machine.program("echo", tls=bool(job.certificate))), job.name, str(job.size)]
        command += [job.certificate] if job.certificate else []
    server = Child(command, {**machine.variables(peer), **variables}, machine.server_core)
    try:
        return server, int(server.answer()["port"])
    except BenchError as error:
        server.close()
        raise BenchError(f"server: {error}") from error


def start_load(machine: Machine, port: int, connections: int, exchange: Exchange, tls: bool = False) -> Child:
    """Open `connections` to `port`; each has been served once when this returns."""
    if connections > most_connections():
        raise CannotDo(f"the limit of open files (ulimit -Hn) is too low for {connections} connections")
    try:
        command = [str(machine.program("load", tls=tls))]
    except CannotDo:
        if exchange.text:
            raise
        command = [sys.executable, str(ROOM / "load.py")]
    command += [str(port), str(connections), *exchange.arguments()]
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
