"""Classes that stand for those of `io`: what they make, what counts as their instance, what derives from them."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening.fdio import fileclass
from greening.fdio.buffers import GreenReader, GreenRWPair, GreenWriter
from greening.fdio.fileclass import BufferedReader, BufferedRWPair, BufferedWriter, FileIO, open_raw, others, reopened
from greening.fdio.rawfile import GreenFileIO
from greening.testing import wait_until_parked
from tests.descriptors import Ends, parked


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(b"on disk")
    return made


def outcome(call: Callable[..., object], *args: object) -> object:
    try:
        return call(*args)
    except (AttributeError, OSError, TypeError, ValueError) as error:
        return type(error), str(error)


# FileIO


def test_a_raw_file_is_green_if_a_read_of_it_may_wait(ends: Ends, path: Path) -> None:
    with FileIO(ends[0], closefd=False) as source, FileIO(path) as on_disk, path.open("rb") as file:
        assert type(source) is GreenFileIO
        with FileIO(file.fileno(), closefd=False) as by_number:
            assert type(on_disk) is type(by_number) is io.FileIO
        assert all(isinstance(each, FileIO) for each in (source, on_disk))
        assert not isinstance(file, FileIO)
        thread = parked(source.read, 10)
        os.write(ends[1], b"data")
        assert thread.wait(5) == b"data"


def test_a_fifo_by_path_is_green_and_opening_it_parks(fifo: Path) -> None:
    opening = spawn(FileIO, fifo)
    wait_until_parked(opening)
    with FileIO(str(fifo), "w") as sink, opening.wait(5) as source:
        assert type(source) is type(sink) is GreenFileIO
        assert (source.name, sink.name) == (fifo, str(fifo))
        thread = parked(source.read, 10)
        sink.write(b"through")
        assert thread.wait(5) == b"through"


def test_what_an_opener_opens_by_path_is_green_if_it_may_wait(fifo: Path) -> None:
    keep = os.open(fifo, os.O_RDWR)
    before = len(os.listdir("/proc/self/fd"))
    with open_raw(fifo, "r", True, lambda path, flags: os.open(path, flags)) as source:
        assert type(source) is GreenFileIO
        assert len(os.listdir("/proc/self/fd")) == before + 1  # the first one is closed
    os.close(keep)


def test_without_other_green_threads_open_waits_plainly(fifo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = os.open(fifo, os.O_RDWR)
    monkeypatch.setattr(fileclass, "others", lambda: False)
    with open_raw(fifo) as source:
        assert type(source) is GreenFileIO
    os.close(keep)


def test_others_are_green_threads_of_this_os_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = spawn(lambda: None)
    assert others()
    thread.wait()
    monkeypatch.setattr(fileclass, "has_hub", lambda: False)
    assert not others()


@pytest.mark.skipif(sys.version_info < (3, 13), reason="no warning before 3.13")
def test_a_truth_value_as_descriptor_is_warned_of_at_the_caller() -> None:
    with pytest.warns(RuntimeWarning, match="bool is used as a file descriptor") as caught:
        FileIO(False, closefd=False)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("args", [("missing",), (-1,), (1.5,), (None,), ("", "q"), (987654,)])
def test_errors_are_those_of_the_stdlib(args: tuple[Any, ...]) -> None:
    assert outcome(FileIO, *args) == outcome(io.FileIO, *args)


def test_a_class_of_a_program_waits_where_its_file_has_to(ends: Ends, path: Path) -> None:
    class Mine(FileIO):
        pass

    assert issubclass(Mine, FileIO) and issubclass(Mine, io.FileIO) and issubclass(io.FileIO, FileIO)
    with Mine(ends[0]) as source, Mine(ends[1], "w") as sink, Mine(path, "r+") as on_disk:
        for read, expected in (
            (lambda: source.read(5), b"one"),
            (lambda: source.readinto(bytearray(5)), 3),
        ):
            thread = parked(read)
            sink.write(b"one")
            assert thread.wait(5) == expected
        thread = parked(source.readall)
        sink.write(b"rest")
        sink.close()
        assert thread.wait(5) == b"rest"
        buffer = bytearray(2)
        assert (on_disk.read(3), on_disk.readinto(buffer), buffer) == (b"on ", 2, b"di")
        assert (on_disk.readall(), on_disk.write(b"!")) == (b"sk", 1)
    assert isinstance(source, Mine)
    with io.FileIO(path) as file:
        assert not isinstance(file, Mine)
    assert source.closed and on_disk.closed
    assert path.read_bytes() == b"on disk!"


def test_methods_of_the_class_take_objects_of_the_c_class(path: Path) -> None:
    with io.FileIO(path) as file:
        assert FileIO.read(file, 2) == b"on"  # type: ignore[arg-type]  # what code written for the C class does


# Buffers


@pytest.mark.parametrize(
    ("make", "green", "plain", "end"),
    [
        (BufferedReader, GreenReader, io.BufferedReader, 0),
        (BufferedWriter, GreenWriter, io.BufferedWriter, 1),
    ],
)
def test_a_buffer_is_green_on_a_raw_file_that_cannot_be_sought(
    make: Any, green: type, plain: type, end: int, ends: Ends, path: Path
) -> None:
    with make(open_raw(ends[end], "rw"[end], closefd=False)) as piped, make(io.FileIO(path, "r+"), 100) as on_disk:
        assert (type(piped), type(on_disk)) == (green, plain)
        assert isinstance(piped, make) and isinstance(on_disk, make)
    closed = io.FileIO(path, "r+")
    closed.close()
    for wrong in (closed, object()):
        assert outcome(make, wrong)[0] is outcome(plain, wrong)[0]  # type: ignore[index]  # errors


def test_a_pair_is_green(ends: Ends) -> None:
    with BufferedRWPair(open_raw(ends[0]), open_raw(ends[1], "w")) as pair:  # type: ignore[arg-type]  # raw files
        assert type(pair) is GreenRWPair
        assert isinstance(pair, BufferedRWPair) and isinstance(pair, io.BufferedRWPair)
        thread = parked(pair.readline)
        pair.write(b"line\n")
        pair.flush()
        assert thread.wait(5) == b"line\n"


def test_a_class_derived_from_a_buffer_is_the_stdlibs(ends: Ends) -> None:
    class Mine(BufferedReader):
        pass

    with Mine(io.FileIO(ends[0])) as source:
        assert type(source) is Mine
        assert isinstance(source, io.BufferedReader) and not isinstance(source, GreenReader)


def test_names_are_those_of_the_classes_they_stand_for() -> None:
    for green in (FileIO, BufferedReader, BufferedWriter, BufferedRWPair):
        real = getattr(io, green.__name__)
        assert (green.__module__, green.__qualname__) == (real.__module__, real.__qualname__)


# Opened by path


def test_a_file_that_was_opened_by_path_is_opened_again_if_it_may_wait(fifo: Path, path: Path) -> None:
    keep = os.open(fifo, os.O_RDWR)
    none = (None, None, None)
    before = len(os.listdir("/proc/self/fd"))
    plain = fifo.open("rb")
    with reopened(plain, fifo, "rb", 1, *none) as source:
        assert type(source) is GreenReader and type(source.raw) is GreenFileIO
        assert plain.closed
        assert len(os.listdir("/proc/self/fd")) == before + 1
    with open(path, "rb") as file:
        assert reopened(file, path, "rb", -1, *none) is file
    with open(keep, "rb", 0) as by_number:
        assert reopened(by_number, keep, "rb", 0, *none) is by_number
