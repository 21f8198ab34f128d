"""What a server answers to a number of clients, byte for byte, in this process and in fresh ones."""

import os
import pickle
import re
import socket
import subprocess
import sys
from io import StringIO
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from greening._core.waiting import sleep
from greening.net.convenience import listen
from greening.net.socket import GreenSocket
from greening.testing import settle
from greening.wsgi import Limits, Server
from tests.fuzz.application import application
from tests.fuzz.requests import Step

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 10  # for a connection to end

# What differs from run to run: the second in which it was answered.
_DATE = re.compile(rb"\r\nDate: [^\r\n]*")


def anywhere() -> GreenSocket:
    """A listening Unix socket with a name of the system's choice. (Of TCP, there are 28,000 ports a minute.)"""
    return listen("", socket.AF_UNIX)


class Served:
    """A server in this process."""

    def __init__(self) -> None:
        self._server = Server(
            anywhere(),
            application,
            log=StringIO(),
            log_output=False,
            limits=Limits(linger_timeout=0.2, head_timeout=SECONDS, body_timeout=SECONDS),
        )
        self._server.start()

    def run(self, steps: list[Step]) -> dict[int, bytes]:
        """Do what the clients do. Returns what each connection got."""
        clients: dict[int, _Client] = {}
        for step in steps:
            client = clients.get(step.connection)
            if client is None:
                client = clients[step.connection] = _Client(self._server.address)
            client.send(step.data)
            if step.end == "vanish":
                client.vanish()
            elif step.end:
                client.finish()
        for client in clients.values():
            client.vanish()  # of those that have not come to their end
        return {number: _DATE.sub(b"", bytes(client.got)) for number, client in clients.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(0)


class _Client:
    """A real socket. After each step the server gets to do all that it can do."""

    def __init__(self, address: Any) -> None:
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.connect(address)
        self._sock.setblocking(False)
        self.got = bytearray()
        self._over = False

    def send(self, data: bytes) -> None:
        if data and not self._over:
            try:
                self._sock.sendall(data)
            except OSError:
                pass  # the server has closed
        self._read()

    def finish(self) -> None:
        """Say that nothing more comes, and read to the end."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        end = monotonic() + SECONDS
        self._read()
        while not self._over:
            if monotonic() > end:
                self.got += b"<the server has not closed>"
                break
            sleep(0.0005)
            self._read()
        self._sock.close()

    def vanish(self) -> None:
        """Close, whatever has not been read. A second call does nothing."""
        if self._sock.fileno() >= 0:
            self._sock.close()
            _calm()

    def _read(self) -> None:
        _calm()
        while not self._over:
            try:
                data = self._sock.recv(1 << 20)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            self.got += data
            self._over = not data


def _calm() -> None:
    """Until the server waits. Twice: what ran in the first one may have found that there are more bytes."""
    settle()
    settle()


class Fresh:
    """A process that has served nobody: a fork of it answers, and ends."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.served"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    def run(self, steps: list[Step]) -> dict[int, bytes]:
        """As `Served.run`, of a server that is as new."""
        pickle.dump(steps, self._in)
        self._in.flush()
        answers: dict[int, bytes] = pickle.load(self._out)
        return answers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in.close()
        self._out.close()
        self._process.wait(SECONDS)


def answer_in_forks() -> None:
    """The other process: each pickled list of steps on standard input is answered by a fork."""
    while True:
        try:
            steps = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        child = os.fork()
        if child == 0:
            with Served() as served:
                pickle.dump(served.run(steps), sys.stdout.buffer)
            sys.stdout.buffer.flush()
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            raise RuntimeError("a server that was to answer one client has failed")


if __name__ == "__main__":
    answer_in_forks()
