"""subprocess: the stdlib's Popen, made cooperative."""

import io
import math
import subprocess
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening._originals import allocate_lock
from greening.fdio.rawfile import GreenFileIO
from greening.patches.subprocess import PATCH

assert PATCH.bind is not None
BOUND = PATCH.bind(subprocess)
Run = Callable[..., subprocess.CompletedProcess[str]]

# `Popen` as it is after patching, without patching it: its methods find their globals in the real module.
Popen: Any = type("Popen", (subprocess.Popen,), dict(BOUND.methods["Popen"]))


def test_what_is_replaced() -> None:
    assert PATCH.flag == "subprocess"
    assert set(BOUND.replaces) == {"io", "_PopenSelector"}
    assert set(BOUND.methods) == {"Popen"}
    assert "_wait" in BOUND.methods["Popen"]


def test_io_is_the_stdlibs_but_for_open() -> None:
    seen = BOUND.replaces["io"]
    assert isinstance(seen, ModuleType)
    different = {name for name in io.__all__ if getattr(seen, name) is not getattr(io, name)}
    assert different == {"open"}


def test_wait_parks() -> None:
    process = Popen(["cat"], stdin=subprocess.PIPE)
    waiter = spawn(process.wait)
    sleep(0)
    assert waiter
    assert process.poll() is None
    process.stdin.close()
    assert waiter.wait(5) == 0 == process.wait() == process.returncode


def test_all_that_wait_are_told() -> None:
    process = Popen([sys.executable, "-c", "raise SystemExit(3)"])
    waiters = [spawn(process.wait, timeout) for timeout in (None, 10, None, math.inf)]
    assert [waiter.wait(10) for waiter in waiters] == [3, 3, 3, 3]


def test_the_owner_of_its_lock_may_let_others_run() -> None:
    process = Popen(["true"])
    process._waitpid_lock = allocate_lock()  # a real one, as where `threading` is not patched
    process._waitpid_lock.acquire()
    waiter = spawn(process.wait)
    sleep(0)  # it has found the lock taken, and tries again and again
    process._waitpid_lock.release()
    assert waiter.wait(10) == 0


def test_wait_times_out() -> None:
    process = Popen(["sleep", "10"])
    before = time.monotonic()
    for timeout in (0.01, 0, -1):
        with pytest.raises(subprocess.TimeoutExpired) as caught:
            process.wait(timeout)
        assert (caught.value.cmd, caught.value.timeout) == (["sleep", "10"], timeout)
    assert 0.01 <= time.monotonic() - before < 5
    process.kill()
    assert process.wait(10) == -9


def test_a_child_that_was_reaped_elsewhere() -> None:
    process = Popen(["true"])
    assert subprocess.os.waitpid(process.pid, 0)[1] == 0  # type: ignore[attr-defined]  # the os that it sees
    assert process.wait() == 0


def test_files_of_pipes_are_green() -> None:
    opened = BOUND.replaces["io"].open  # type: ignore[attr-defined]  # it is a module
    reader, writer = subprocess.os.pipe()  # type: ignore[attr-defined]  # as above
    with opened(reader, "rb", -1) as source, opened(writer, "wb", 0) as sink:
        assert isinstance(source.raw, GreenFileIO)
        assert type(sink) is GreenFileIO


@pytest.mark.slow
def test_in_a_program(run_program: Run) -> None:
    run_program("subprocess_concurrent.py")


@pytest.mark.slow
def test_closing_a_pipe_that_another_thread_reads(run_program: Run) -> None:
    run_program("subprocess_closed_while_read.py")


@pytest.mark.slow
def test_when_only_subprocess_is_patched(run_program: Run) -> None:
    run_program("subprocess_alone.py")


@pytest.mark.slow
def test_in_every_kind_of_thread(run_program: Run) -> None:
    run_program("subprocess_threads.py")
