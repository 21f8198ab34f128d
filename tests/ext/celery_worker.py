"""Celery workers with greening's pool, as processes, for the tests of it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30.0
COMMAND = ["greening.ext.celery", "-A", "tests.ext.celery_tasks"]


class Worker:
    """A process that runs a command of Celery's. What it says is in `log`. `argv` begins with a module to run."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", *argv],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
        )
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        output: IO[str] | None = self.process.stdout
        assert output is not None
        for line in output:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()

    @property
    def log(self) -> str:
        return "".join(self._lines)

    def wait_for(self, words: str) -> None:
        """Until it has said `words`."""
        with self._changed:
            if not self._changed.wait_for(lambda: words in self.log, SECONDS):
                raise AssertionError(f"it has not said {words!r}:\n{self.log}")

    def ask_to_end(self, number: int = signal.SIGTERM) -> int:
        """Its status, when it has ended."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        status = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status

    def longest(self) -> float:
        """Seconds for which its hub was held up at most; it has ended."""
        return float(self.log.rpartition("the hub was held up for ")[2].split()[0])


def environment(broker: str, backend: str, options: dict[str, Any] | None = None, **more: str) -> dict[str, str]:
    """The environment of workers, and of beat."""
    own = {"BROKER": broker, "BACKEND": backend, "OPTIONS": json.dumps(options or {}), "PYTHONPATH": str(ROOT)}
    return {**os.environ, **own, "PYTHONWARNINGS": "ignore", **more}


@contextmanager
def running(env: dict[str, str], *arguments: str, door: str = COMMAND[0], pool: str = "") -> Iterator[Worker]:
    """A worker that is ready, and has to end in the block or is ended behind it. Its hub must not have been held up."""
    name = json.loads(env["OPTIONS"])["task_default_queue"]
    always = ["worker", "-l", "INFO", "-n", f"{name}@%h", "--without-mingle"]
    worker = Worker([door, *COMMAND[1:], *always, *(["-P", pool] if pool else []), *arguments], env)
    try:
        worker.wait_for(" ready.")
        yield worker
        if worker.process.poll() is None:
            worker.ask_to_end()
            held_up = worker.longest()
            assert held_up <= 0.2, f"the worker's hub was held up for {held_up:.3f} s:\n{worker.log}"
    except BaseException:
        print(worker.log, file=sys.stderr)
        raise
    finally:
        worker.process.kill()
        worker.wait()
