"""The load generator where there is no C compiler, or no OpenSSL for it: PORT CONNECTIONS ASK ANSWER [tls].

The same answers as `c/load.c`, several times slower: it can be the bottleneck itself, and the CPU per request of a fast
server that is kept waiting looks worse than it is.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import ssl
import sys
import time

STALL_SECONDS = 20
NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Load:
    """Blocking-connected, then non-blocking, sockets on one edge-triggered epoll. Not thread-safe."""

    def __init__(self, port: int, connections: int, ask: int, answer: int, tls: bool) -> None:
        self.pattern = memoryview(bytes(ord("!") + i % 90 for i in range(max(ask, answer))))
        self.ask_size, self.answer_size = ask, answer
        self.poller = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.sent: dict[int, int] = {}
        self.got: dict[int, int] = {}
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for _ in range(connections):
            sock = socket.create_connection(("127.0.0.1", port), timeout=STALL_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                sock = context.wrap_socket(sock)
            self.sockets[sock.fileno()] = sock
            self.ask(sock.fileno())
            if not self.pull(sock.fileno()):
                raise TimeoutError("no answer in time")
            sock.setblocking(False)
            self.poller.register(sock.fileno(), select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    def ask(self, fd: int) -> None:
        """Begin an exchange."""
        self.sent[fd] = self.got[fd] = 0
        self.push(fd)

    def push(self, fd: int) -> None:
        """Send what there is room for."""
        try:
            while self.sent[fd] < self.ask_size:
                self.sent[fd] += self.sockets[fd].send(self.pattern[self.sent[fd] : self.ask_size])
        except NOT_NOW:
            pass

    def pull(self, fd: int) -> bool:
        """Read what there is; True when the answer is whole."""
        try:
            while self.got[fd] < self.answer_size:
                data = self.sockets[fd].recv(self.answer_size - self.got[fd])
                if not data:
                    raise OSError("the server closed a connection")
                end = self.got[fd] + len(data)
                if self.pattern[self.got[fd] : end] != data:
                    raise OSError("a wrong answer")
                self.got[fd] = end
        except NOT_NOW:
            return False
        return True

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
                if self.got[fd] == self.answer_size:
                    continue  # it has stopped, and this is the edge of its last send
                self.push(fd)
                if not self.pull(fd):
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
    port, connections, ask, answer = map(int, sys.argv[1:5])
    load = Load(port, connections, ask, answer, sys.argv[5:] == ["tls"])
    print(json.dumps({"ready": connections}), flush=True)
    for line in sys.stdin:
        print(json.dumps(load.run(float(line.removeprefix("run ")))), flush=True)


if __name__ == "__main__":
    main()
