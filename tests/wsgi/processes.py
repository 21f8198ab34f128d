"""`python -m greening.wsgi` as real processes, and an application for them. Not a file of tests."""

import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 40.0  # seconds, for a whole test


# `/hold` says that it is there and finishes when the test opens the FIFO `go`.
APP = """
import json, os, sys
from greening.monkey import is_monkey_patched

def app(environ, start_response):
    told = {"pid": os.getpid(), "patched": is_monkey_patched("socket"), "version": 1,
            "multiprocess": environ["wsgi.multiprocess"], "scheme": environ["wsgi.url_scheme"]}
    if environ["PATH_INFO"] == "/hold":
        print("holding", file=sys.stderr, flush=True)
        open("go").close()
    body = repr(told).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

def factory(name, *, loud=False):
    return app

class Site:
    wsgi = staticmethod(app)

number = 5
application = app
if "QUIET" not in os.environ:
    print("loaded", os.getpid(), file=sys.stderr, flush=True)
"""


class Command:
    """The command, running. It is stopped, with all that belongs to it, at the end of the test."""

    def __init__(self, folder: Path, *arguments: str, **options: Any) -> None:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [*options.get("launcher", []), sys.executable, "-m", "greening.wsgi", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **options.get("env", {})},
            stdin=subprocess.DEVNULL,
            stdout=options.get("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            pass_fds=options.get("pass_fds", ()),
        )
        # A test that waits in vain for a line fails then, and says what there was.
        self.patience = threading.Timer(PATIENCE, self._give_up)
        self.patience.daemon = True
        self.patience.start()
        self.given_up = False
        self.errors = ""
        self.address: Any = None
        self.context: ssl.SSLContext | None = None

    def until(self, pattern: str) -> "re.Match[str]":
        """The next line on standard error that matches."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors += line
            found = re.search(pattern, line)
            if found:
                return found
        raise AssertionError(f"ended without {pattern!r}:\n{self.errors}")

    def until_each(self, *patterns: str) -> None:
        """Until there was a line for each: the lines of several processes come in any order."""
        before, left = len(self.errors), list(patterns)
        while left:
            self.until("|".join(f"(?:{pattern})" for pattern in left))
            left = [pattern for pattern in left if not re.search(pattern, self.errors[before:])]

    def listening(self) -> "Command":
        """Wait until it serves."""
        found = self.until(r" on (?:(https?)://(127\.0\.0\.1):(\d+)|unix:(\S+)) \(")
        self.address = found[4] or (found[2], int(found[3]))
        return self

    def connect(self) -> Any:
        sock = socket.socket(socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET)
        try:
            sock.connect(self.address)
        except BaseException:
            sock.close()
            raise
        return sock if self.context is None else self.context.wrap_socket(sock, server_hostname="localhost")

    def ask(self, path: str = "/") -> "Asked":
        return Asked(self.connect(), path)

    def get(self, path: str = "/") -> dict[str, Any]:
        return self.ask(path).answer()

    def refuses(self) -> None:
        """Wait until no process listens any more."""
        while True:
            try:
                self.connect().close()
            except (ConnectionRefusedError, FileNotFoundError):
                return
            except ConnectionResetError:
                pass

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for it; its exit status, and what it said on standard output."""
        output, errors = self.process.communicate()
        self.errors += errors
        assert not self.given_up, f"it did not end by itself:\n{self.errors}"
        return self.process.returncode, output

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _give_up(self) -> None:
        self.given_up = True
        self.kill()

    def close(self) -> None:
        self.patience.cancel()
        self.kill()
        with self.process:
            pass


class Asked:
    """A request that was sent."""

    def __init__(self, sock: Any, path: str) -> None:
        self.sock = sock
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\nConnection: close\r\n\r\n".encode())

    def data(self) -> bytes:
        with self.sock:
            return b"".join(iter(lambda: self.sock.recv(65536), b""))

    def answer(self) -> dict[str, Any]:
        with self.sock:
            response = http.client.HTTPResponse(self.sock)
            response.begin()
            assert response.status == 200
            return eval(response.read())  # our own application's


def let_go(folder: Path) -> None:
    """Let the request that holds finish."""
    with open(folder / "go", "w"):
        pass


def change(folder: Path, source: str) -> None:
    (folder / "new").write_text(source)
    (folder / "new").rename(folder / "site1.py")


Start = Callable[..., Command]
