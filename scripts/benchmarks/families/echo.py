"""Servers under load: the server on its core, the load generator with its open connections on the other.

Both live as long as the row, so that a round costs only its load, and the peers' rounds lie close together in time.
"""

from __future__ import annotations

from benchmarks.environment import Machine
from benchmarks.families.common import Sample
from benchmarks.families.servers import Exchange, start_churn, start_load, start_server
from benchmarks.inside.job import Job
from benchmarks.peers import PLAIN, Peer
from benchmarks.processes import BenchError, Child
from benchmarks.rows import Row

SIZE = 64  # bytes of an echo
STREAMS = 4  # connections with big messages under way at once
WARM_UP = 0.03  # seconds
SLOTS = 64  # short connections at once
ASYNCIO_CONNECTIONS = 100


class LoadedServer:
    """A server under closed-loop load: every connection has one request under way."""

    def __init__(self, server: Child, load: Child, seconds: float, scale: float = 1.0) -> None:
        """Take over both processes; a request counts `scale` operations."""
        self._server, self._load, self._seconds, self._scale = server, load, seconds, scale

    def sample(self) -> Sample:
        """Load it for the agreed time; microseconds of the server's CPU per operation."""
        before = self._server.cpu()
        self._load.tell(f"run {self._seconds}")
        result = self._load.answer()
        used = self._server.cpu() - before
        operations, elapsed = result["requests"] * self._scale, result["seconds"]
        return Sample(
            used / operations * 1e6,
            {"per_second": operations / elapsed, "busy": used / elapsed, "load_busy": result["cpu"] / elapsed},
        )

    def warm_up(self) -> None:
        """Every connection at least once."""
        self._load.tell(f"run {WARM_UP}")
        self._load.answer()

    def close(self) -> None:
        """End both processes."""
        self._load.close()
        self._server.close()


def open_echo(machine: Machine, row: Row, peer: Peer, seconds: float) -> LoadedServer:
    """Small messages; by the library's own sockets, or, over TLS, the stdlib's under the library's patch."""
    tls = bool(row.options.get("tls"))
    certificate = str(machine.certificate()) if tls else ""
    job = Job("echo", SIZE, float(row.options.get("timeout", 0)), certificate, patched=tls)
    variables = dict([str(row.options["variable"]).split("=")] if "variable" in row.options else [])
    server, port = start_server(machine, peer, job, variables)
    return _under_load(server, port, machine, job, int(row.options["connections"]), seconds, Exchange(SIZE, SIZE))


def open_instrumented(machine: Machine, row: Row, peer: Peer, seconds: float) -> LoadedServer:
    """Small messages while an instrument watches; the plain peers are the same without it."""
    job = Job("echo", SIZE, trace=bool(row.options.get("trace")) and peer.name not in PLAIN)
    return _loaded(machine, peer, job, int(row.options["connections"]), seconds, Exchange(SIZE, SIZE))


def open_patched_asyncio(machine: Machine, row: Row, peer: Peer, seconds: float) -> LoadedServer:
    """asyncio's streams in a patched process."""
    del row
    job = Job("echo", SIZE, patched=True, asyncio=True)
    return _loaded(machine, peer, job, ASYNCIO_CONNECTIONS, seconds, Exchange(SIZE, SIZE))


def open_stream(machine: Machine, row: Row, peer: Peer, seconds: float) -> LoadedServer:
    """Big messages one way, a byte the other way."""
    name, size = str(row.options["job"]), int(row.options["size"])
    exchange = Exchange(size, 1) if name == "receive" else Exchange(1, size)
    return _loaded(machine, peer, Job(name, size, patched=True), STREAMS, seconds, exchange, size / (1 << 20))


def open_churn(machine: Machine, row: Row, peer: Peer, seconds: float) -> LoadedServer:
    """Connections that end after one exchange, or at once."""
    server, port = start_server(machine, peer, Job("echo", SIZE))
    try:
        load = start_churn(machine, port, SLOTS, int(row.options["size"]))
    except BenchError:
        server.close()
        raise
    return warmed_up(LoadedServer(server, load, seconds))


def _loaded(
    machine: Machine, peer: Peer, job: Job, connections: int, seconds: float, exchange: Exchange, scale: float = 1.0
) -> LoadedServer:
    server, port = start_server(machine, peer, job)
    return _under_load(server, port, machine, job, connections, seconds, exchange, scale)


def _under_load(
    server: Child,
    port: int,
    machine: Machine,
    job: Job,
    connections: int,
    seconds: float,
    exchange: Exchange,
    scale: float = 1.0,
) -> LoadedServer:
    try:
        load = start_load(machine, port, connections, exchange, bool(job.certificate))
    except BenchError:
        server.close()
        raise
    return warmed_up(LoadedServer(server, load, seconds, scale))


def warmed_up(sampler: LoadedServer) -> LoadedServer:
    """Return `sampler` after its warm-up. Raises BenchError when that fails, and nothing is left of it then."""
    try:
        sampler.warm_up()
    except BenchError:
        sampler.close()
        raise
    return sampler
