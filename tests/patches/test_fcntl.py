"""fcntl: a wait for a lock on a file lets others run, and a lock that comes too late is given back."""

import errno
import fcntl
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from greening._core.greenthread import GreenThread, kill, spawn
from greening._core.waiting import sleep
from greening.fdio import filelock
from greening.patches.fcntl import PATCH
from greening.patches.os import PATCH as OS_PATCH
from greening.timeout import Timeout

green: dict[str, Any] = dict(PATCH.replaces)
lockf_of_os: Any = OS_PATCH.replaces["lockf"]
Run = Callable[..., subprocess.CompletedProcess[str]]

# Locks bytes 0 to 9 of a file, says so, and lets go when its standard input ends.
HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "r+")
fcntl.lockf(file, fcntl.LOCK_EX, 10)
print(flush=True)
sys.stdin.read()
"""


def record(kind: int, start: int = 0, length: int = 0, whence: int = os.SEEK_SET) -> bytes:
    return struct.pack("hhqqi4x", kind, whence, start, length, 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(bytes(100))
    return made


class Binding:
    """Another process, which has a record lock until it is told to let go."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdout.read(1) == b"\n"

    def let_go(self) -> None:
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


@pytest.fixture
def holder(path: Path) -> Iterator[Binding]:
    made = Binding(path)
    yield made
    made.let_go()


def asking(call: Callable[..., Any], *args: Any) -> GreenThread[Any]:
    """A green thread that waits for a lock; the native thread has begun to ask for it."""
    thread = spawn(call, *args)
    until(lambda: any(wait.state == filelock._ASKED for wait in filelock._waits))
    assert thread
    return thread


def until(condition: Callable[[], bool]) -> None:
    """Run the others until something that a native thread does is done."""
    with Timeout(30):
        while not condition():
            sleep(0.001)


def no_wait_is_left() -> bool:
    return not filelock._waits


def is_free(path: Path) -> bool:
    """True if a new open file description gets the lock of flock(2)."""
    with path.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def locks_of_this_process(path: Path) -> list[tuple[str, int, str]]:
    """Type, first byte and last byte of its record locks."""
    inode = str(path.stat().st_ino)
    with open("/proc/locks", encoding="ascii") as file:
        found = [line.split() for line in file if "->" not in line]
    mine = [f for f in found if f[1] == "POSIX" and f[4] == str(os.getpid()) and f[5].endswith(":" + inode)]
    return sorted((f[3], int(f[6]), f[7]) for f in mine)


def test_names_are_the_stdlibs() -> None:
    for name, function in green.items():
        assert (function.__module__, function.__name__) == ("fcntl", name)
        assert function.__doc__
    assert lockf_of_os.__module__ == "os"


def test_they_raise_what_the_stdlib_raises(path: Path) -> None:
    def outcome(call: Callable[..., object], *args: object) -> object:
        try:
            return call(*args)
        except (OSError, TypeError, ValueError, OverflowError) as error:
            return type(error), str(error)

    with path.open("r+") as file:
        attempts: list[tuple[str, tuple[object, ...]]] = [
            *[("flock", (fd, fcntl.LOCK_EX)) for fd in (-1, 987, "x", None, 1.5, object())],
            *[("flock", (file, operation)) for operation in (0, 16, 3, "x", None, fcntl.LOCK_SH, fcntl.LOCK_UN)],
            *[("lockf", (file, cmd)) for cmd in (0, 16, "x", fcntl.LOCK_EX, fcntl.LOCK_UN, fcntl.LOCK_SH | 4)],
            *[
                ("lockf", (file, fcntl.LOCK_EX, *rest))
                for rest in ((-5,), ("x",), (1, "x"), (1, 1, 9), (2, 3, 1), (1.5,))
            ],
            ("lockf", (987, fcntl.LOCK_EX)),
            *[("fcntl", (file, fcntl.F_SETLKW, arg)) for arg in (0, "x", None, record(77), record(fcntl.F_WRLCK))],
            ("fcntl", (file, fcntl.F_SETLK, record(fcntl.F_UNLCK))),
            ("fcntl", (987, fcntl.F_SETLKW, record(fcntl.F_WRLCK))),
            ("fcntl", (file, fcntl.F_GETFD)),
            ("fcntl", (file, "x")),
        ]
        for name, args in attempts:
            assert outcome(green[name], *args) == outcome(getattr(fcntl, name), *args), (name, args)
        for rest in ((os.F_LOCK, 0), (os.F_TEST, 5), (99, 0), (os.F_ULOCK, 0), ("x", 0)):
            assert outcome(lockf_of_os, file.fileno(), *rest) == outcome(os.lockf, file.fileno(), *rest), rest


def test_flock_waits_for_another_green_thread(path: Path) -> None:
    flock = green["flock"]
    with path.open() as first, path.open() as second:
        flock(first, fcntl.LOCK_EX)
        thread = asking(flock, second, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        flock(first, fcntl.LOCK_UN)
        thread.wait()
        assert not is_free(path)
    assert is_free(path)


def test_a_lock_that_comes_when_its_waiter_is_dead_is_given_back(path: Path) -> None:
    flock = green["flock"]
    with path.open() as first, path.open() as second:
        flock(first, fcntl.LOCK_EX)
        kill(asking(flock, second, fcntl.LOCK_EX))
        with Timeout(0.001, False):
            flock(second, fcntl.LOCK_SH)
        assert filelock._waits
        flock(first, fcntl.LOCK_UN)
        until(no_wait_is_left)
        assert is_free(path)


def test_a_thread_that_timed_out_and_asks_again_keeps_the_lock(path: Path) -> None:
    flock = green["flock"]
    with path.open() as first, path.open() as second:
        flock(first, fcntl.LOCK_EX)
        kill(asking(flock, second, fcntl.LOCK_EX))
        again = spawn(flock, second, fcntl.LOCK_EX)
        until(lambda: [wait.state for wait in filelock._waits] == [filelock._ASKED] * 2)
        flock(first, fcntl.LOCK_UN)
        again.wait()
        until(no_wait_is_left)
        assert not is_free(path)
        flock(second, fcntl.LOCK_UN)
        assert is_free(path)


def test_what_is_locked_after_a_wait_was_given_up_stays_locked(path: Path) -> None:
    flock = green["flock"]
    with path.open() as first, path.open() as second, path.open() as third:
        flock(first, fcntl.LOCK_SH)
        kill(asking(flock, second, fcntl.LOCK_EX))
        flock(second, fcntl.LOCK_SH | fcntl.LOCK_NB)  # the same owner: no reason to wait
        flock(first, fcntl.LOCK_UN)
        until(no_wait_is_left)
        flock(third, fcntl.LOCK_SH | fcntl.LOCK_NB)  # so it is shared, as it was
        assert not is_free(path)


def test_closing_the_file_ends_no_wait_and_leaves_no_lock(path: Path) -> None:
    flock = green["flock"]
    with path.open() as first:
        flock(first, fcntl.LOCK_EX)
        second = path.open()
        thread = asking(flock, second, fcntl.LOCK_EX)
        number = second.fileno()
        second.close()
        with path.open() as other:
            assert other.fileno() == number
            flock(first, fcntl.LOCK_UN)
            thread.wait()
            assert is_free(path)  # the description is gone, and the lock with it


@pytest.mark.parametrize(
    "take",
    [
        lambda file: green["lockf"](file, fcntl.LOCK_EX, 5, 3),
        lambda file: green["fcntl"](file, fcntl.F_SETLKW, record(fcntl.F_WRLCK, 3, 5)),
        lambda file: (file.seek(3), lockf_of_os(file.fileno(), os.F_LOCK, 5)),
    ],
    ids=["lockf", "fcntl", "os.lockf"],
)
def test_record_locks_wait_for_another_process(path: Path, holder: Binding, take: Callable[[Any], object]) -> None:
    with path.open("r+") as file:
        thread = asking(take, file)
        holder.let_go()
        thread.wait()
        assert locks_of_this_process(path) == [("WRITE", 3, "7")]


def test_fcntl_returns_the_struct(path: Path, holder: Binding) -> None:
    with path.open("r+") as file:
        request = record(fcntl.F_WRLCK, -95, 3, os.SEEK_END)
        thread = asking(green["fcntl"], file, fcntl.F_SETLKW, request)
        holder.let_go()
        assert thread.wait() == request
        assert locks_of_this_process(path) == [("WRITE", 5, "7")]


def test_a_record_lock_given_back_leaves_what_the_process_had(path: Path, holder: Binding) -> None:
    lockf = green["lockf"]
    with path.open("r+") as file:
        lockf(file, fcntl.LOCK_EX, 5, 10)
        lockf(file, fcntl.LOCK_SH, 5, 30)
        thread = asking(lockf, file, fcntl.LOCK_EX, 40)
        lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 20)
        lockf(file, fcntl.LOCK_UN, 2, 33)
        kill(thread)
        holder.let_go()
        until(no_wait_is_left)
        assert locks_of_this_process(path) == [("READ", 30, "32"), ("WRITE", 10, "14"), ("WRITE", 20, "24")]


def test_ofd_locks_wait_for_another_description(path: Path) -> None:
    green_fcntl, exclusive = green["fcntl"], record(fcntl.F_WRLCK, 0, 10)
    with path.open("r+") as first, path.open("r+") as second:
        green_fcntl(first, fcntl.F_OFD_SETLK, exclusive)
        kill(asking(green_fcntl, second, fcntl.F_OFD_SETLKW, exclusive))
        thread = spawn(green_fcntl, second, fcntl.F_OFD_SETLKW, exclusive)
        until(lambda: [wait.state for wait in filelock._waits] == [filelock._ASKED] * 2)
        green_fcntl(first, fcntl.F_OFD_SETLK, record(fcntl.F_UNLCK))
        assert thread.wait() == exclusive
        until(no_wait_is_left)
        with pytest.raises(BlockingIOError):
            green_fcntl(first, fcntl.F_OFD_SETLK, exclusive)


def test_a_descriptor_closed_before_the_thread_asks_is_reported(path: Path, holder: Binding) -> None:
    file = path.open("r+")
    wait = filelock._Wait(
        filelock.RECORD, file.fileno(), filelock.Part(0, 5, fcntl.F_WRLCK), lambda fd: fcntl.lockf(fd, fcntl.LOCK_EX, 5)
    )
    file.close()
    with pytest.raises((OSError, ValueError)) as caught:
        wait.wait()
    assert getattr(caught.value, "errno", errno.EBADF) == errno.EBADF
    assert no_wait_is_left()


def test_threads_processes_and_names_captured_early(run_program: Run) -> None:
    assert run_program("file_locks.py").stdout == "done\n"


# The thread that waits for the lock is one; 3.15 warns of it in a way that can be raised.
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_of_fork_has_none_of_its_parents_waits(path: Path) -> None:
    flock = green["flock"]
    with path.open() as first, path.open() as second:
        flock(first, fcntl.LOCK_EX)
        thread = asking(flock, second, fcntl.LOCK_EX)
        duplicate = filelock._waits[0].fd
        pid = os.fork()
        if not pid:
            try:
                os.fstat(duplicate)
            except OSError:
                os._exit(0 if no_wait_is_left() else 2)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        flock(first, fcntl.LOCK_UN)
        thread.wait()


def test_audit_events_begin_with_the_stdlibs(path: Path) -> None:
    events: list[tuple[object, ...]] = []
    sys.addaudithook(lambda event, args: events.append((event, *args)) if event.startswith("fcntl.") else None)
    with path.open() as file:
        green["flock"](file, fcntl.LOCK_SH)
        assert events[0] == ("fcntl.flock", file.fileno(), fcntl.LOCK_SH)
