"""HTTP servers: the CPU of a request and of a file, and the memory of connections that are kept alive."""

from __future__ import annotations

import socket
import time

from benchmarks.environment import Machine
from benchmarks.families.common import Sample, Sampler
from benchmarks.families.echo import LoadedServer
from benchmarks.families.memory import FIRST, SETTLE
from benchmarks.families.servers import start_load
from benchmarks.peers import Peer
from benchmarks.processes import BenchError, Child
from benchmarks.rows import Row

REQUEST = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n"
PATIENCE = 20.0  # seconds for a server to answer for the first time


def open_http(machine: Machine, row: Row, peer: Peer, seconds: float) -> Sampler:
    """By what the row asks about: `connections` under load, or idle with `idle`."""
    if row.options.get("idle"):
        return KeptAlive(machine, row, peer)
    if row.options.get("slow"):
        return BesideSlowOnes(machine, row, peer)
    server, port, size = _start(machine, row, peer)
    try:
        load = start_load(machine, port, int(row.options["connections"]), len(REQUEST), size, text=REQUEST)
    except BenchError:
        server.close()
        raise
    loaded = LoadedServer(server, load, seconds)
    loaded.warm_up()
    return loaded


class KeptAlive:
    """Every connection has had one answer, and may ask again."""

    def __init__(self, machine: Machine, row: Row, peer: Peer) -> None:
        self._machine, self._row, self._peer = machine, row, peer

    def sample(self) -> Sample:
        """Open them all, hold them, let them go; KiB of the server's resident memory for each."""
        connections = int(self._row.options["connections"])
        server, port, size = _start(self._machine, self._row, self._peer)
        ask = len(REQUEST)
        with server, start_load(self._machine, port, FIRST, ask, size, text=REQUEST):
            time.sleep(SETTLE)
            before, cpu = server.resident(), server.cpu()
            with start_load(self._machine, port, connections, ask, size, text=REQUEST):
                used = server.cpu() - cpu
                time.sleep(SETTLE)
                grown = server.resident() - before
        return Sample(grown / connections / 1024, {"accept_us": used / connections * 1e6})

    def close(self) -> None:
        """Nothing lives between samples."""


class BesideSlowOnes:
    """A fast client, while others send their heads a field line at a time and never come to an end."""

    def __init__(self, machine: Machine, row: Row, peer: Peer) -> None:
        self._server, port, self._size = _start(machine, row, peer)
        self._fast = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._slow = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(int(row.options["slow"]))]
        for one in self._slow:
            one.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")

    def sample(self) -> Sample:
        """Milliseconds that the slowest but one of a hundred answers took; the slow ones say something meanwhile."""
        took = []
        for number in range(100):
            for one in self._slow[number % 2 :: 2][number // 2 :: 50]:
                one.sendall(b"X: y\r\n")
            began = time.perf_counter()
            self._fast.sendall(REQUEST.encode())
            left = self._size
            while left > 0:
                data = self._fast.recv(left)
                if not data:
                    raise BenchError("it closed the connection")
                left -= len(data)
            took.append(time.perf_counter() - began)
        return Sample(sorted(took)[-2] * 1e3)

    def close(self) -> None:
        """End the server."""
        for one in (self._fast, *self._slow):
            one.close()
        self._server.close()


def _start(machine: Machine, row: Row, peer: Peer) -> tuple[Child, int, int]:
    """The server, its port, and how many bytes it answers a request with."""
    name = "greening" if peer.checkout else peer.name
    command = [str(machine.python), "-m", "benchmarks.inside.http_servers", name, str(row.options["app"])]
    server = Child(command, machine.variables(peer), machine.server_core, family=True)
    try:
        port = int(server.answer()["port"])
        return server, port, _size_of_answer(port)
    except BenchError as error:
        server.close()
        raise BenchError(f"server: {error}") from error


def _size_of_answer(port: int) -> int:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
                client.sendall(REQUEST.encode())
                return _read_answer(client)
        except OSError as error:
            if time.monotonic() > end:
                raise BenchError(f"it does not answer: {error}") from error
            time.sleep(0.02)  # a foreign server does not report when it is ready


def _read_answer(client: socket.socket) -> int:
    raw = b""
    while b"\r\n\r\n" not in raw:
        data = client.recv(65536)
        if not data:
            raise BenchError("it closed the connection")
        raw += data
    head, _, body = raw.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    length = int(fields[b"content-length"])
    left = length - len(body)
    while left:
        data = client.recv(min(left, 1 << 20))
        if not data:
            raise BenchError("it closed the connection")
        left -= len(data)
    return len(head) + 4 + length
