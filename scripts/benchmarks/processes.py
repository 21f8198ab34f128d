"""A measured process: pinned to one core, answering with one JSON object per line, its CPU clock read from outside.

The clock is the kernel's per-process CPU clock (user + system of all its threads, nanoseconds), the same for a C
program and for Python, and reading it costs the measured process nothing.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

PATIENCE = 60.0  # seconds for one answer; the load generator gives up by itself long before


class BenchError(Exception):
    """A peer, or the machine, cannot do this row; the message is for the table."""


class CannotDo(BenchError):
    """There is a good reason why this row cannot be measured here, and nothing is broken."""


class Child:
    """One process of ours. Not thread-safe. As a context manager it is gone when the block ends."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], core: int, family: bool = False) -> None:
        """Start `command` pinned to `core`; raises BenchError when it cannot be started.

        With `family` the CPU of its living children counts, too, and they end with it.
        """
        self._family = family
        self.command = command
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process; not a pipe, which gets full
        try:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
            )
        except OSError as error:
            self._errors.close()
            raise BenchError(f"cannot start {command[0]}: {error.strerror}") from error
        # Threads come later and inherit this, so nothing of the process ever runs on the other core.
        os.sched_setaffinity(self._process.pid, {core})
        self._clock = _cpu_clock(self._process.pid)
        self._unread = b""

    def spread(self, cores: set[int]) -> None:
        """Let it run on these cores. To be called before it has threads, which inherit this."""
        os.sched_setaffinity(self.pid, cores)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def cpu(self) -> float:
        """Seconds of CPU (user + system, all threads) since the process started."""
        used = time.clock_gettime(self._clock)
        if self._family:
            used += sum(time.clock_gettime(_cpu_clock(pid)) for pid in _descendants(self.pid))
        return used

    def tell(self, line: str) -> None:
        """Send one line; a process that is gone is noticed by the next `answer`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass

    def answer(self, patience: float = PATIENCE) -> dict[str, Any]:
        """Return the next line of its output as an object; raises BenchError after `patience` seconds or at its end."""
        assert self._process.stdout is not None
        fd, deadline = self._process.stdout.fileno(), time.monotonic() + patience
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            if left <= 0 or not poller.poll(left * 1000):
                raise BenchError(f"no answer within {patience:.0f} s{self._last_words()}")
            data = os.read(fd, 65536)
            if not data:
                raise BenchError(f"it ended with status {self._process.wait(PATIENCE)}{self._last_words()}")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        try:
            reply: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise BenchError(f"it printed {line[:80]!r}, which is not JSON") from error
        return reply

    def wait(self, patience: float = PATIENCE) -> None:
        """Wait for its end. Raises BenchError when that takes more than `patience` seconds, and on a status but 0."""
        try:
            status = self._process.wait(patience)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"it has not ended after {patience:.0f} s{self._last_words()}") from error
        if status != 0:
            raise BenchError(f"it ended with status {status}{self._last_words()}")

    def wait_cpu(self) -> float:
        """Wait for its end; return CPU seconds with its children. Raises BenchError on a status but 0.

        (Not its peak memory: the kernel counts what the process was before exec, which is a copy of this one.)
        """
        _, status, usage = os.wait4(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode != 0:
            raise BenchError(f"it ended with status {self._process.returncode}{self._last_words()}")
        return usage.ru_utime + usage.ru_stime

    def resident(self) -> int:
        """Bytes resident now (for memory per connection: the kernel's socket buffers are not in it)."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise BenchError("its /proc/PID/status has no VmRSS")

    def close(self) -> None:
        """End the process and reap it."""
        process = self._process
        if process.returncode is None:
            for pid in _descendants(process.pid) if self._family else ():
                os.kill(pid, signal.SIGKILL)
            process.kill()
            process.wait(PATIENCE)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        for child in map(int, children.read().split()):
            found += [child, *_descendants(child)]
    return found


def _cpu_clock(pid: int) -> int:
    libc = ctypes.CDLL(None)
    clock = ctypes.c_int()
    error = libc.clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise BenchError(f"no CPU clock of process {pid}: {os.strerror(error)}")
    return clock.value
