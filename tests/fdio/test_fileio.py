"""File objects over pipes: the stdlib's layers, and what they do while a green thread is parked inside."""

import fcntl
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greening.fdio import pipe
from greening.fdio.fileio import open_fd
from greening.fdio.rawfile import GreenFileIO
from greening.patches.os import fdopen
from tests.descriptors import parked


def outcome(call: Callable[..., object], *args: object) -> object:
    try:
        return call(*args)
    except (ArithmeticError, BufferError, OSError, TypeError, ValueError) as error:
        return type(error), str(error)


def test_lines(ends: tuple[int, int]) -> None:
    reader, writer = ends
    with open_fd(reader) as source, open_fd(writer, "w", 1) as sink:
        thread = parked(source.readline)
        sink.write("one\ntwo\n")
        assert thread.wait(5) == "one\n"
        assert source.readline() == "two\n"
        thread = parked(source.read)
        sink.write("three")
        sink.close()
        assert thread.wait(5) == "three"


def test_layers_are_the_stdlibs(ends: tuple[int, int]) -> None:
    reader, writer = ends
    for mode, buffering, kind in (("rb", 0, io.FileIO), ("rb", -1, io.BufferedReader), ("r", -1, io.TextIOWrapper)):
        with (
            open_fd(reader, mode, buffering, closefd=False) as file,
            open(reader, mode, buffering, closefd=False) as real,
        ):
            assert isinstance(file, kind)
            assert (file.mode, file.name, file.fileno()) == (real.mode, real.name, real.fileno())
    with open_fd(writer, "wb", closefd=False) as file:
        assert isinstance(file, io.BufferedWriter)
        assert isinstance(file.raw, GreenFileIO)


def test_regular_files_are_opened_by_the_stdlib(tmp_path: Path) -> None:
    path = tmp_path / "file"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    with open_fd(fd, "w+b") as file:
        assert type(file) is io.BufferedRandom


@pytest.mark.parametrize(
    "args",
    [
        ("rw",),
        ("q",),
        ("rb", -1, "utf-8"),
        ("rt", 0),
        ("r+",),
        ("rbt",),
        ("",),
        ("rb", -1, None, "strict"),
        ("U",),
    ],
)
def test_odd_arguments_fail_as_the_stdlibs(ends: tuple[int, int], args: Any) -> None:
    twin = os.dup(ends[0])
    assert outcome(open_fd, ends[0], *args) == outcome(io.open, twin, *args)


def test_line_buffering_of_binary_files_warns_at_the_caller(ends: tuple[int, int]) -> None:
    with pytest.warns(RuntimeWarning, match="line buffering") as caught:
        fdopen(ends[0], "rb", 1, closefd=False).close()
    assert caught[0].filename == __file__


def test_raw_files(ends: tuple[int, int]) -> None:
    reader, writer = ends
    with GreenFileIO(reader, "r") as source, GreenFileIO(writer, "w") as sink:
        thread = parked(source.read, 10)
        assert sink.write(b"abc") == 3
        assert thread.wait(5) == b"abc"
        buffer = bytearray(4)
        thread = parked(source.readinto, buffer)
        sink.write(b"xy")
        assert thread.wait(5) == 2
        assert buffer == b"xy\0\0"
        for call, args in ((source.write, (b"",)), (sink.read, (1,)), (sink.readinto, (buffer,))):
            assert outcome(call, *args)[0] is io.UnsupportedOperation  # type: ignore[index]  # an error
        for call, args in ((sink.write, ("text",)), (source.readinto, (b"ro",))):
            assert outcome(call, *args)[0] is TypeError  # type: ignore[index]  # likewise
        big = parked(sink.write, bytes(300_000))
        assert len(iter_read(source, 300_000)) == 300_000
        assert big.wait(5) == 300_000
    for call, args in ((source.read, ()), (source.readinto, (buffer,)), (sink.write, (b"",))):
        assert outcome(call, *args) == (ValueError, "I/O operation on closed file")


def iter_read(file: Any, size: int) -> bytes:
    got = b""
    while len(got) < size:
        got += file.read(65536)
    return got


def test_raw_nonblocking_files_return_none(ends: tuple[int, int]) -> None:
    reader, writer = ends
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    with GreenFileIO(reader, "r") as source, GreenFileIO(writer, "w") as sink:
        assert source.read() is source.read(5) is source.readinto(bytearray(1)) is None
        assert sink.write(bytes(100_000)) == 65536
        assert sink.write(b"x") is None
        assert len(source.readall() or b"") == 65536


def test_a_reader_that_leaves_is_a_broken_pipe(ends: tuple[int, int]) -> None:
    reader, writer = ends
    os.close(reader)
    sink = open_fd(writer, "wb")
    sink.write(b"x")
    with pytest.raises(BrokenPipeError):
        sink.flush()
    with pytest.raises(BrokenPipeError):
        sink.close()


def test_sizes_of_buffers_are_the_stdlibs(ends: tuple[int, int]) -> None:
    reader, writer = ends
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)
    written = []
    for opener in (open_fd, io.open):
        with opener(writer, "wb", closefd=False) as sink:
            sink.write(b"x")
            while not pipe.is_ready(reader, 1):
                sink.write(bytes(512))
            written.append(len(os.read(reader, 1 << 20)))
        os.read(reader, 1 << 20)
    assert written[0] == written[1]


def test_over_a_fifo(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR)
    with open_fd(fd, "rb", closefd=False) as source, open_fd(fd, "wb") as sink:
        thread = parked(source.readline)
        sink.write(b"line\n")
        sink.flush()
        assert thread.wait(5) == b"line\n"
        thread = parked(lambda: (sink.write(bytes(200_000)), sink.flush()))
        assert len(iter_read(source.raw, 200_000)) == 200_000
        thread.wait(5)


def test_over_a_terminal() -> None:
    master, slave = os.openpty()
    with open_fd(slave, "r") as source, open_fd(master, "w") as sink:
        assert source.line_buffering  # as the stdlib does it for terminals
        thread = parked(source.readline)
        sink.write("typed\n")
        assert thread.wait(5) == "typed\n"


def test_a_system_without_nowait(ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe, "_preadv", pipe._unsupported)
    monkeypatch.setattr(pipe, "_pwritev", pipe._unsupported)
    reader, writer = ends
    with open_fd(reader, "rb") as source:
        thread = parked(source.read)
        with open_fd(writer, "wb") as sink:
            sink.write(bytes(200_000))
        assert len(thread.wait(5)) == 200_000
