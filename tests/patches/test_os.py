"""os: the names, closing, sending files, opening FIFOs; whole programs for what concerns the process."""

import errno
import os
import socket
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from greening._core.current import get_hub
from greening._core.greenthread import GreenThread, kill, spawn
from greening._core.waiting import sleep
from greening.patches.os import PATCH
from greening.testing import wait_until_parked

green: dict[str, Any] = dict(PATCH.replaces)
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            pass


def outcome(call: Callable[..., object], *args: object) -> object:
    try:
        return call(*args)
    except (ArithmeticError, BufferError, OSError, TypeError, ValueError) as error:
        return type(error), str(error)


def parked(call: Callable[..., Any], *args: Any) -> GreenThread[Any]:
    """A green thread that has called, and waits inside the call."""
    thread = spawn(call, *args)
    sleep(0)
    assert thread
    return thread


def test_names_are_the_stdlibs() -> None:
    for name, function in green.items():
        assert (function.__module__, function.__name__) == ("os", name)
        assert function.__doc__


def test_they_pass_for_builtins(ends: tuple[int, int]) -> None:
    class Connection:  # as multiprocessing.connection has it
        read = green["read"]
        write = green["write"]

    one = Connection()
    assert one.write(ends[1], b"abc") == 3
    assert one.read(ends[0], 10) == b"abc"


def test_vectors(ends: tuple[int, int]) -> None:
    reader, writer = ends
    buffer = bytearray(3)
    thread = parked(green["readv"], reader, [buffer])
    assert green["writev"](writer, [b"a", b"bc"]) == 3
    assert thread.wait(5) == 3
    assert buffer == b"abc"


def test_closing_wakes_the_tasks_that_wait(ends: tuple[int, int]) -> None:
    bad = (OSError, f"[Errno {errno.EBADF}] Bad file descriptor")
    thread = parked(outcome, green["read"], ends[0], 1)
    green["close"](ends[0])
    kind, text = thread.wait(5)
    assert (kind, text.partition(": ")[0]) == bad
    assert outcome(green["close"], ends[0]) == bad
    for odd in (-1, "x", 1.5, None):
        assert outcome(green["close"], odd) == outcome(os.close, odd)


def test_dup2_closes_its_target(ends: tuple[int, int]) -> None:
    reader, writer = ends
    other, far = os.pipe()
    try:
        thread = parked(outcome, green["read"], other, 1)
        assert green["dup2"](reader, other) == other
        kind, text = thread.wait(5)
        assert (kind, text.partition(": ")[0]) == (OSError, f"[Errno {errno.EBADF}] Bad file descriptor")
        thread = parked(green["read"], other, 1)
        os.write(writer, b"x")
        assert thread.wait(5) == b"x"
        assert green["dup2"](reader, reader) == reader
    finally:
        os.close(other)
        os.close(far)


def test_a_sweep_leaves_the_hub_its_descriptors() -> None:
    hub = get_hub()
    own = hub.wakeup.fileno()
    reader, writer = os.pipe()
    high_reader, high_writer = own + 200, own + 201
    os.dup2(reader, high_reader)
    os.dup2(writer, high_writer)
    os.close(reader)
    os.close(writer)
    thread = parked(outcome, green["read"], high_reader, 1)
    assert outcome(green["close"], own) == (OSError, f"[Errno {errno.EBADF}] Bad file descriptor")
    green["closerange"](own, high_writer + 1)
    kind, text = thread.wait(5)
    assert (kind, text.partition(": ")[0]) == (OSError, f"[Errno {errno.EBADF}] Bad file descriptor")
    assert outcome(os.fstat, high_writer) == (OSError, f"[Errno {errno.EBADF}] Bad file descriptor")
    sleep(0.001)  # the hub still polls
    native = threading.Thread(target=lambda: hub.post(lambda: None))
    native.start()
    native.join(5)


def test_eventfds() -> None:
    fd = os.eventfd(0)
    try:
        thread = parked(green["eventfd_read"], fd)
        os.eventfd_write(fd, 7)
        assert thread.wait(5) == 7
    finally:
        os.close(fd)


def test_fdopen(ends: tuple[int, int]) -> None:
    reader, writer = ends
    with green["fdopen"](reader) as source, green["fdopen"](writer, "wb", 0) as sink:
        thread = parked(source.readline)
        sink.write("häuser\n".encode())
        assert thread.wait(5) == "häuser\n"
    assert outcome(green["fdopen"], "1") == outcome(os.fdopen, "1")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    os.write(fd, bytes(range(256)) * 8192)
    os.lseek(fd, 0, os.SEEK_SET)
    yield fd
    os.close(fd)


@pytest.mark.parametrize("position", [0, None, 1000])
def test_sendfile_to_a_blocking_socket(file: int, position: int | None) -> None:
    size = 256 * 8192 - (position or 0)
    a, b = socket.socketpair()

    def send() -> int:
        sent = 0
        while n := green["sendfile"](a.fileno(), file, None if position is None else position + sent, 1 << 30):
            sent += n
        return sent

    with a, b:
        thread = parked(send)
        assert a.getblocking()
        got = bytearray()
        while len(got) < size:
            got += green["read"](b.fileno(), 1 << 20)
        assert thread.wait(5) == size
    assert got == (bytes(range(256)) * 8192)[position or 0 :]
    assert os.lseek(file, 0, os.SEEK_CUR) == (size if position is None else 0)


def test_sendfile_to_a_nonblocking_socket_says_when_it_is_full(file: int) -> None:
    a, b = socket.socketpair()
    with a, b:
        a.setblocking(False)
        sent = 0
        with pytest.raises(BlockingIOError):
            while True:
                sent += green["sendfile"](a.fileno(), file, sent, 1 << 30)
        assert sent > 0
    for args in ((-1, file, 0, 1), (99999, file, 0, 1), ("x", file, 0, 1)):
        assert outcome(green["sendfile"], *args) == outcome(os.sendfile, *args)


def test_splice(ends: tuple[int, int]) -> None:
    reader, writer = ends
    source, sink = os.pipe()
    try:
        thread = parked(green["splice"], reader, sink, 100)
        os.write(writer, b"abc")
        assert thread.wait(5) == 3
        assert os.read(source, 10) == b"abc"
        with pytest.raises(BlockingIOError):
            green["splice"](reader, sink, 100, flags=os.SPLICE_F_NONBLOCK)
    finally:
        os.close(source)
        os.close(sink)


def test_opening_a_fifo_waits_for_the_other_end(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    opener = spawn(green["open"], path, os.O_RDONLY)
    wait_until_parked(opener)
    writer = green["open"](str(path), os.O_WRONLY)
    reader = opener.wait(5)
    assert stat.S_ISFIFO(os.fstat(reader).st_mode)
    os.close(reader)
    os.close(writer)
    with pytest.raises(OSError) as caught:
        green["open"](path, os.O_WRONLY | os.O_NONBLOCK)
    assert caught.value.errno == errno.ENXIO


def test_a_killed_opener_of_a_fifo_leaves_no_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    opener = spawn(green["open"], path, os.O_RDONLY)
    wait_until_parked(opener)
    before = len(os.listdir("/proc/self/fd"))
    kill(opener)
    # Both ends in one, which waits for no other end: the open of the killed one may not have begun.
    os.close(os.open(path, os.O_RDWR))
    for _ in range(1000):
        if len(os.listdir("/proc/self/fd")) <= before:
            return
        sleep(0.001)
    pytest.fail("a descriptor is left open")


def test_open_is_the_stdlibs(tmp_path: Path) -> None:
    fd = green["open"]("name", os.O_WRONLY | os.O_CREAT, mode=0o600, dir_fd=(folder := os.open(tmp_path, os.O_RDONLY)))
    os.close(fd)
    os.close(folder)
    assert stat.S_IMODE((tmp_path / "name").stat().st_mode) == 0o600
    for args in ((tmp_path / "none", os.O_RDONLY), ("a\0b", os.O_RDONLY), (3.5, os.O_RDONLY), (tmp_path, "x")):
        assert outcome(green["open"], *args) == outcome(os.open, *args)


@pytest.mark.slow
def test_children(run_program: Run) -> None:
    run_program("os_children.py")


@pytest.mark.slow
def test_fork(run_program: Run) -> None:
    run_program("os_fork.py")


@pytest.mark.slow
def test_pipes_of_other_modules(run_program: Run) -> None:
    run_program("os_pipes.py")


@pytest.mark.slow
def test_stand_ins_are_pickled(run_program: Run) -> None:
    run_program("os_pickled.py")


@pytest.mark.slow
def test_taken_back(run_program: Run) -> None:
    run_program("os_unpatch.py")


@pytest.mark.slow
def test_a_signal_of_a_child_is_handled_before_its_end_is_known(run_program: Run) -> None:
    run_program("os_child_signals.py")


@pytest.mark.slow
def test_finalisers_may_close_when_the_interpreter_goes_down(run_program) -> None:
    done = run_program(
        """
import greening
greening.monkey_patch()
import os, sys
class Late:
    def __init__(self): self.fd = os.dup(1)
    def __del__(self, close=os.close): close(self.fd)
sys.late = Late()
"""
    )
    assert not done.stderr
