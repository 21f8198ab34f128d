"""The attacked process: what it costs, and how long an honest client waits."""

from __future__ import annotations

import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import sample
from time import monotonic, sleep

from attacks.attacks import GREENING, WORKER

PATIENCE = 20.0  # seconds, for anything
SCRIPTS = Path(__file__).resolve().parent.parent

COMMANDS = {
    GREENING: "-m greening.wsgi --no-access-log -b 127.0.0.1:{port}",
    WORKER: "-m gunicorn -k greening.ext.gunicorn.GreeningWorker --log-level critical -b 127.0.0.1:{port}",
}
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class CannotAttack(Exception):
    """The server, or something that the attack needs, is not there."""


@dataclass(frozen=True)
class Server:
    """A server with one worker."""

    pid: int
    port: int
    tls: bool

    def memory(self) -> int:
        """Bytes resident now, of the process and its children."""
        total = 0
        for pid in _family(self.pid):
            with suppress(OSError):
                total += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
        return total

    def cpu(self) -> float:
        """CPU seconds of the process and its children until now."""
        total = 0
        for pid in _family(self.pid):
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / _TICKS

    def honest_wait(self) -> float:
        """Seconds from the connect of a new client to its answer; `PATIENCE` if there was none."""
        began = monotonic()
        try:
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as plain:
                sock: socket.socket = _without_checks().wrap_socket(plain) if self.tls else plain
                sock.sendall(b"GET / HTTP/1.1\r\nHost: honest\r\nConnection: close\r\n\r\n")
                if sock.recv(100).startswith(b"HTTP/1.1 200"):
                    return monotonic() - began
        except OSError:
            pass
        return PATIENCE


def _without_checks() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text(encoding="ascii").split():
                yield from _family(int(child))


@contextmanager
def serving(kind: str, certificate: Path | None) -> Iterator[Server]:
    """A server of that kind; with TLS if there is a certificate.

    Raises:
        CannotAttack: it does not start.
    """
    port = _free_port()
    command = [sys.executable, *COMMANDS[kind].format(port=port).split()]
    if certificate is not None:
        command += ["--certfile", str(certificate), "--keyfile", str(certificate)]
    environment = {**os.environ, "PYTHONPATH": f"{SCRIPTS.parent}{os.pathsep}{SCRIPTS}"}
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            [*command, "attacks.application:application"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
        )
        try:
            server = Server(process.pid, port, certificate is not None)
            end = monotonic() + PATIENCE
            while server.honest_wait() >= PATIENCE:
                if process.poll() is not None or monotonic() > end:
                    told.seek(0)
                    raise CannotAttack(f"{kind} does not start: {told.read().decode(errors='replace')[-500:]}")
                sleep(0.05)
            yield server
        finally:
            _end(process)


def _free_port() -> int:
    """One that nothing has, and that connections do not get by themselves: a server that starts meets none of them."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    for port in sample(range(1024, low), 100):
        with socket.socket() as sock, suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
            return port
    raise CannotAttack("there is no free port")


def _end(process: subprocess.Popen[bytes]) -> None:
    """The processes hold hostile clients, which need no graceful end."""
    for pid in reversed([*_family(process.pid)]):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


@contextmanager
def attacked(name: str, port: int, count: int) -> Iterator[None]:
    """While hostile clients are at work.

    Raises:
        CannotAttack: they could not begin.
    """
    command = [sys.executable, "-m", "attacks.attackers", name, str(port), str(count)]
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(SCRIPTS)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        ready = select.select([process.stdout], [], [], 6 * PATIENCE)[0]
        if not ready or not process.stdout.readline().startswith(b"ready"):
            raise CannotAttack(f"the clients of {name!r} could not begin")
        yield
    finally:
        process.kill()
        process.communicate()
