"""HTTP servers: the CPU of a request and of a file, and the memory of connections that are kept alive."""

from __future__ import annotations

import socket
import time

from benchmarks.environment import Machine
from benchmarks.families.common import Sample, Sampler
from benchmarks.families.servers import Exchange
from benchmarks.families.web import PATIENCE, open_started, start_web_server
from benchmarks.peers import Peer
from benchmarks.processes import BenchError, Child
from benchmarks.rows import Row

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n"


def open_http(machine: Machine, row: Row, peer: Peer, seconds: float) -> Sampler:
    """By the row: a client beside `slow` ones, or `connections` under load, or kept alive with `idle`."""
    if row.options.get("slow"):
        return BesideSlowOnes(machine, row, peer)

    def start() -> tuple[Child, int, Exchange]:
        server, port, size = start_web_server(machine, row, peer, "http_servers", REQUEST)
        return server, port, Exchange(len(REQUEST), size, REQUEST, b"HTTP/1.1 200 ")

    return open_started(machine, row, start, seconds)


class BesideSlowOnes:
    """A fast client, while others send their heads a field line at a time and never come to an end."""

    def __init__(self, machine: Machine, row: Row, peer: Peer) -> None:
        self._server, port, self._size = start_web_server(machine, row, peer, "http_servers", REQUEST)
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
            self._fast.sendall(REQUEST)
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
