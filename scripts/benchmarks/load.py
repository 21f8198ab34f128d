"""The load generator where there is no C compiler: the same command line and answers as `load.c`, several times slower.

It can be the bottleneck itself: the CPU per request of a fast server that is kept waiting looks worse than it is.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import sys
import time

STALL_SECONDS = 10


class Load:
    """CONNECTIONS blocking-connected, then non-blocking, sockets on one epoll. Not thread-safe."""

    def __init__(self, port: int, connections: int, size: int) -> None:
        self.message = bytes(ord("!") + i % 90 for i in range(size))
        self.poller = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.got: dict[int, bytes] = {}
        for _ in range(connections):
            sock = socket.create_connection(("127.0.0.1", port), timeout=STALL_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets[sock.fileno()] = sock
            self.ask(sock.fileno())
            while not self.answered(sock.fileno()):
                continue
            sock.setblocking(False)
            self.poller.register(sock.fileno(), select.EPOLLIN)

    def ask(self, fd: int) -> None:
        """Send one message; a short send is an error (messages are far smaller than a socket's buffer)."""
        self.got[fd] = b""
        if self.sockets[fd].send(self.message) != len(self.message):
            raise OSError("short send")

    def answered(self, fd: int) -> bool:
        """One read; True when the answer is whole."""
        data = self.sockets[fd].recv(65536)
        if not data:
            raise OSError("the server closed a connection")
        self.got[fd] += data
        if not self.message.startswith(self.got[fd]):
            raise OSError("the answer is not an echo")
        return len(self.got[fd]) == len(self.message)

    def run(self, length: float) -> dict[str, float]:
        """Closed-loop load on every connection for `length` seconds."""
        cpu, start = time.process_time(), time.perf_counter()
        done, outstanding = 0, len(self.sockets)
        for fd in self.sockets:
            self.ask(fd)
        while outstanding:
            events = self.poller.poll(STALL_SECONDS)
            if not events:
                raise TimeoutError(f"{outstanding} answers did not come within {STALL_SECONDS} seconds")
            stop = time.perf_counter() - start >= length
            for fd, _ in events:
                if not self.answered(fd):
                    continue
                done += 1
                if stop:
                    outstanding -= 1
                else:
                    self.ask(fd)
        return {"requests": done, "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}


def main() -> None:
    """Obey the lines on standard input until it ends."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port, connections, size = map(int, sys.argv[1:])
    load = Load(port, connections, size)
    print(json.dumps({"ready": connections}), flush=True)
    for line in sys.stdin:
        print(json.dumps(load.run(float(line.removeprefix("run ")))), flush=True)


if __name__ == "__main__":
    main()
