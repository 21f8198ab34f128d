"""Reads and writes of raw descriptors: what the plain call gives, while others run."""

import errno
import fcntl
import os
import socket
import sys
import threading
import tty
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greening._core.current import get_hub
from greening._core.greenthread import kill, spawn
from greening._core.slices import TRIES
from greening._core.waiting import forget_fd, sleep
from greening.fdio import pipe
from greening.testing import settle
from tests.descriptors import parked

ODD_READS: list[tuple[Any, Any]] = [(-1, 1), (99999, 1), (2**40, 1), ("0", 1), (1.0, 1), (None, 1)]
ODD_WRITES: list[tuple[Any, Any]] = [(-1, b"x"), (99999, b"x"), ("0", b"x")]


def outcome(call: Callable[..., object], *args: object) -> object:
    try:
        return call(*args)
    except (ArithmeticError, BufferError, OSError, TypeError, ValueError) as error:
        return type(error), str(error)


def test_read_parks_until_there_is_something(ends: tuple[int, int]) -> None:
    reader, writer = ends
    thread = parked(pipe.read, reader, 100)
    os.write(writer, b"hello")
    assert thread.wait(5) == b"hello"


def test_read_takes_what_is_there_without_switching(ends: tuple[int, int]) -> None:
    reader, writer = ends
    other = spawn(lambda: None)
    os.write(writer, b"0123456789")
    assert [pipe.read(reader, 4), pipe.read(reader, 100)] == [b"0123", b"456789"]
    assert not other.dead
    other.wait()


@pytest.mark.parametrize("size", [1, 4096, 4097, 65536, 65537])
def test_read_is_exact_for_every_kind_of_buffer(ends: tuple[int, int], size: int) -> None:
    reader, writer = ends
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 18)
    data = os.urandom(70000)
    os.write(writer, data)
    assert pipe.read(reader, size) == data[:size]
    assert pipe.read(reader, 200000) == data[size:]


def test_a_huge_size_is_no_huge_buffer(ends: tuple[int, int]) -> None:
    reader, writer = ends
    os.write(writer, b"x")
    assert pipe.read(reader, sys.maxsize) == b"x"


def test_read_at_the_end_of_the_file(ends: tuple[int, int]) -> None:
    reader, writer = ends
    thread = parked(pipe.read, reader, 1)
    os.close(writer)
    assert thread.wait(5) == b""
    assert pipe.read(reader, 1) == b""


def test_write_to_a_blocking_pipe_writes_all(ends: tuple[int, int]) -> None:
    reader, writer = ends
    data = os.urandom(300_000)
    thread = parked(pipe.write, writer, data)
    got = bytearray()
    while len(got) < len(data):
        got += pipe.read(reader, 50_000)
    assert thread.wait(5) == len(data)
    assert got == data


def test_writev_writes_all(ends: tuple[int, int]) -> None:
    reader, writer = ends
    thread = parked(pipe.writev, writer, [b"a" * 100_000, bytearray(b"b" * 100_000)])
    got = bytearray()
    while len(got) < 200_000:
        got += pipe.read(reader, 70_000)
    assert thread.wait(5) == 200_000
    assert got == b"a" * 100_000 + b"b" * 100_000


def test_readv_parks(ends: tuple[int, int]) -> None:
    reader, writer = ends
    buffers = [bytearray(2), bytearray(4)]
    thread = parked(pipe.readv, reader, buffers)
    os.write(writer, b"abc")
    assert thread.wait(5) == 3
    assert buffers == [b"ab", b"c\0\0\0"]


def test_buffers_of_any_type_are_written(ends: tuple[int, int]) -> None:
    reader, writer = ends
    numbers = array("i", range(40_000))
    thread = parked(pipe.write, writer, numbers)
    got = bytearray()
    while len(got) < 160_000:
        got += pipe.read(reader, 65536)
    assert thread.wait(5) == 160_000
    assert got == numbers.tobytes()


def test_flags_of_the_descriptor_are_never_changed(ends: tuple[int, int]) -> None:
    reader, writer = ends
    before = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in ends]
    thread = parked(pipe.read, reader, 1)
    assert [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in ends] == before
    os.write(writer, b"x")
    thread.wait(5)


def test_a_nonblocking_descriptor_says_so(ends: tuple[int, int]) -> None:
    reader, writer = ends
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        pipe.read(reader, 1)
    with pytest.raises(BlockingIOError):
        pipe.readv(reader, [bytearray(1)])
    while pipe.write(writer, bytes(4096)) == 4096:
        if not pipe.is_ready(writer, 4):
            break
    with pytest.raises(BlockingIOError):
        pipe.write(writer, bytes(4096))


def test_two_readers_of_one_pipe_take_turns(ends: tuple[int, int]) -> None:
    reader, writer = ends
    first, second = parked(pipe.read, reader, 1), parked(pipe.read, reader, 1)
    os.write(writer, b"ab")
    assert first.wait(5) + second.wait(5) == b"ab"


def test_a_stolen_read_waits_on(ends: tuple[int, int]) -> None:
    reader, writer = ends
    thread = parked(pipe.read, reader, 1)
    os.write(writer, b"a")
    assert os.read(reader, 1) == b"a"
    settle()
    assert thread
    os.write(writer, b"b")
    assert thread.wait(5) == b"b"


def test_closing_wakes_a_reader_that_waits(ends: tuple[int, int]) -> None:
    reader, _ = ends
    thread = parked(outcome, pipe.read, reader, 1)
    forget_fd(reader)
    os.close(reader)
    kind, text = thread.wait(5)
    assert (kind, text.partition(": ")[0]) == (OSError, f"[Errno {errno.EBADF}] Bad file descriptor")


def test_a_killed_reader_leaves_nothing_behind(ends: tuple[int, int]) -> None:
    reader, writer = ends
    kill(parked(pipe.read, reader, 1))
    os.write(writer, b"x")
    sleep(0)
    assert reader not in get_hub().regs
    assert pipe.read(reader, 1) == b"x"


def test_a_write_half_way_to_a_reader_that_leaves(ends: tuple[int, int]) -> None:
    reader, writer = ends
    thread = parked(pipe.write, writer, bytes(100_000))
    os.close(reader)
    assert thread.wait(5) == 65536
    with pytest.raises(BrokenPipeError):
        pipe.write(writer, b"x")


def test_terminals() -> None:
    master, slave = os.openpty()
    try:
        tty.setraw(slave)
        thread = parked(pipe.read, slave, 100)
        assert pipe.write(master, b"typed") == 5
        assert thread.wait(5) == b"typed"
        thread = parked(pipe.read, master, 100)
        assert pipe.writev(slave, [b"pri", b"nted"]) == 7
        assert thread.wait(5) == b"printed"
    finally:
        os.close(master)
        os.close(slave)


def test_fifos(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR)
    try:
        thread = parked(pipe.read, fd, 100_000)
        pipe.write(fd, b"x" * 10_000)
        assert thread.wait(5) == b"x" * 10_000
        writer = parked(pipe.write, fd, b"y" * 200_000)
        got = 0
        while got < 200_000:
            got += len(pipe.read(fd, 100_000))
        assert writer.wait(5) == 200_000
    finally:
        os.close(fd)


def test_eventfds() -> None:
    fd = os.eventfd(0)
    try:
        thread = parked(pipe.read, fd, 8)
        assert pipe.write(fd, (3).to_bytes(8, "little")) == 8
        assert int.from_bytes(thread.wait(5), "little") == 3
    finally:
        os.close(fd)


def test_sockets_by_number() -> None:
    a, b = socket.socketpair()
    with a, b:
        thread = parked(pipe.read, a.fileno(), 10)
        pipe.write(b.fileno(), b"x")
        assert thread.wait(5) == b"x"


def test_regular_files_are_read_and_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        data = os.urandom(300_000)
        assert pipe.write(fd, data) == len(data)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.lseek(fd, 0, os.SEEK_SET)
        assert pipe.read(fd, 300_000) == data
        assert pipe.read(fd, 1) == b""
        os.lseek(fd, 1, os.SEEK_SET)
        buffer = bytearray(300_000)
        assert pipe.readv(fd, [buffer]) == 299_999
        assert pipe.writev(fd, [b"ab", b"c"]) == 3
    finally:
        os.close(fd)
    assert path.stat().st_size == 300_003


def test_a_directory_cannot_be_read(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(IsADirectoryError):
            pipe.read(fd, 1)
    finally:
        os.close(fd)


@pytest.mark.parametrize(("fd", "n"), ODD_READS)
def test_odd_reads_fail_as_the_stdlibs(fd: Any, n: Any) -> None:
    assert outcome(pipe.read, fd, n) == outcome(os.read, fd, n)


@pytest.mark.parametrize("n", [-1, 0, "x", None, 1.5, 2**70])
def test_odd_sizes_fail_as_the_stdlibs(ends: tuple[int, int], n: Any) -> None:
    assert outcome(pipe.read, ends[0], n) == outcome(os.read, ends[0], n)


@pytest.mark.parametrize(("fd", "data"), ODD_WRITES)
def test_odd_writes_fail_as_the_stdlibs(fd: Any, data: Any) -> None:
    assert outcome(pipe.write, fd, data) == outcome(os.write, fd, data)


@pytest.mark.parametrize("data", ["text", None, 3, b"", bytearray(), memoryview(b"ab")[::-1]])
def test_odd_data_fails_as_the_stdlibs(ends: tuple[int, int], data: Any) -> None:
    assert outcome(pipe.write, ends[1], data) == outcome(os.write, ends[1], data)


def test_numbers_that_are_not_int(ends: tuple[int, int]) -> None:
    class Number:
        def __init__(self, value: int) -> None:
            self.value = value

        def __index__(self) -> int:
            return self.value

    reader, writer = ends
    thread = parked(pipe.read, Number(reader), Number(5))
    pipe.write(Number(writer), b"abc")
    assert thread.wait(5) == b"abc"


def test_a_native_thread_without_a_hub_just_blocks(ends: tuple[int, int]) -> None:
    reader, writer = ends
    got: list[bytes] = []
    before = len(os.listdir("/proc/self/fd"))
    thread = threading.Thread(target=lambda: got.append(pipe.read(reader, 10)))
    thread.start()
    os.write(writer, b"native")
    thread.join(5)
    assert got == [b"native"]
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_system_without_nowait(ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe, "_ODD", -1)

    def refuse(*_: object) -> int:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(pipe, "_preadv", refuse)
    monkeypatch.setattr(pipe, "_pwritev", refuse)
    reader, writer = ends
    thread = parked(pipe.read, reader, 300_000)
    assert pipe.write(writer, b"x" * 10) == 10
    assert thread.wait(5) == b"x" * 10
    big = parked(pipe.write, writer, b"y" * 100_000)
    got = 0
    while got < 100_000:
        got += len(pipe.read(reader, 70_000))
    assert big.wait(5) == 100_000


@pytest.mark.slices_end
def test_immediate_successes_let_others_run_in_the_end(ends: tuple[int, int]) -> None:
    reader, writer = ends
    other = spawn(lambda: None)
    for _ in range(TRIES):
        pipe.write(writer, b"x")
        pipe.read(reader, 1)
        if other.dead:
            return
    pytest.fail(f"{2 * TRIES} operations in a row, and no other task ran")
