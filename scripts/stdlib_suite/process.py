"""One worker process: its start, the events that it tells, and its death with everything that it started."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stdlib_suite.interpreter import Interpreter
from stdlib_suite.plan import Unit

_WORKER = Path(__file__).with_name("worker.py")
_MARK = "GREENING_STDLIB_SCRATCH"  # in the environment of the worker and of all that it starts
_MAX_LOG = 100_000  # bytes from the end


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is to do.

    Attributes:
        checkout: greening's, to patch from; None: stay unpatched.
        only: names of the tests to run; None: all.
        without: names of tests that are left out.
        briefly: how the worker ends does not matter: it is killed when its tests are done.
        watch: seconds after which it prints all stacks; 0: never.
    """

    python: Interpreter
    unit: Unit
    checkout: Path | None
    only: tuple[str, ...] | None = None
    without: frozenset[str] = frozenset()
    briefly: bool = False
    watch: float = 0


class Worker:
    """A running order. A context manager: at its end nothing is left of it, neither processes nor files."""

    def __init__(self, order: Order) -> None:
        # A short name: sockets are made below it, and their names may not be longer than 107 bytes.
        self.scratch = Path(tempfile.mkdtemp(prefix="gs-"))
        self._home = self.scratch / "home"
        self._home.mkdir()
        self._log = self.scratch / "log"
        self._events = self.scratch / "events"
        self._events.touch()
        self._stream = self._events.open("rb")
        choice = self._choice(order)
        if order.unit.source:
            self._lay(order.unit)
        arguments = [str(self._events), order.unit.name, choice, order.unit.module.resources, order.unit.module.pattern]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [order.python.executable, _WORKER, *arguments, str(order.watch)],
                cwd=self._home,
                env=self._environment(order),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._stream.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _choice(self, order: Order) -> str:
        if order.only is None and not order.without:
            return ""
        path = self.scratch / "choice"
        wanted = order.only if order.only is not None else (f"-{name}" for name in order.without)
        path.write_text("\n".join(wanted), encoding="utf-8")
        return str(path)

    def _lay(self, unit: Unit) -> None:
        path = self._home.joinpath(*unit.name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True)
        path.write_text(unit.source, encoding="utf-8")

    def _environment(self, order: Order) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GREENING_STD"))
        }
        ours = {_MARK: str(self.scratch), "TMPDIR": str(self._home)}
        if order.checkout is not None:
            ours["GREENING_STDLIB_PATCH"] = str(order.checkout)
        return {**inherited, **ours}

    def events(self) -> list[list[Any]]:
        """What it has told since the last call."""
        told = []
        while line := self._stream.readline():
            if not line.endswith(b"\n"):
                self._stream.seek(-len(line), os.SEEK_CUR)
                break
            told.append(json.loads(line))
        return told

    def status(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> None:
        """Look away, at most so long; less when it ends."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def log(self) -> str:
        """The end of what it has printed."""
        return self._log.read_bytes()[-_MAX_LOG:].decode(errors="backslashreplace")

    def abort(self) -> None:
        """Have it print the stacks of its OS threads, and die."""
        self._process.send_signal(signal.SIGABRT)
        self.wait(3)

    def kill(self) -> None:
        """End it, its session, and whatever else carries its mark."""
        for _ in range(20):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            left = [pid for pid in _all_pids() if pid != os.getpid() and self._is_mine(pid)]
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
            if not left:
                return
            time.sleep(0.05)

    def _is_mine(self, pid: int) -> bool:
        try:
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False
        return f"{_MARK}={self.scratch}".encode() in variables


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
