"""`GreenPipe`: a file over a descriptor, another file, or a path, that parks."""

import os
from pathlib import Path
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.compat.eventlet.greenio.py3 import GreenPipe
from greening.timeout import Timeout


@pytest.fixture(autouse=True)
def in_time():
    with Timeout(5):
        yield


@pytest.mark.parametrize(("mode", "buffering", "text"), [("rb", 0, b"x\n"), ("rb", -1, b"x\n"), ("r", -1, "x\n")])
def test_a_read_parks_until_something_comes(mode: str, buffering: int, text: Any) -> None:
    reading, writing = os.pipe()
    with GreenPipe(reading, mode, buffering) as reader, GreenPipe(writing, "wb", 0) as writer:
        thread = spawn(reader.readline)
        sleep(0)
        assert not thread.dead
        writer.write(b"x\n")
        assert thread.wait() == text


def test_a_write_parks_until_there_is_room() -> None:
    reading, writing = os.pipe()
    data = b"x" * 1_000_000
    with GreenPipe(reading, "rb") as reader:

        def write() -> None:
            with GreenPipe(writing, "wb") as writer:
                writer.write(data)

        thread = spawn(write)
        assert reader.read() == data
        thread.wait()


def test_others_that_share_the_descriptor_find_it_blocking() -> None:
    reading, writing = os.pipe()
    with GreenPipe(reading, "rb", 0) as reader, GreenPipe(writing, "wb", 0) as writer:
        assert os.get_blocking(reader.fileno()) and os.get_blocking(writer.fileno())
        parked = spawn(reader.read, 1)
        sleep(0)
        writer.write(b"x")
        assert parked.wait() == b"x"
        assert os.get_blocking(reader.fileno())


@pytest.mark.parametrize(("mode", "buffering", "text"), [("rb", 0, b"x\n"), ("rb", -1, b"x\n"), ("r", -1, "x\n")])
def test_a_read_parks_although_the_program_has_set_o_nonblock(mode: str, buffering: int, text: Any) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with GreenPipe(reading, mode, buffering) as reader:
        parked = spawn(reader.readline)
        sleep(0)
        os.write(writing, b"x\n")
        assert parked.wait() == text
        os.close(writing)
        assert not reader.read()


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_write_parks_although_the_program_has_set_o_nonblock(buffering: int) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    data = bytes(range(256)) * 1000

    def write() -> None:
        with GreenPipe(writing, "wb", buffering) as writer:
            writer.write(data)

    writer = spawn(write)
    with GreenPipe(reading, "rb") as reader:
        assert reader.read() == data
    writer.wait()


def test_a_file_is_taken_over_and_closed() -> None:
    reading, writing = os.pipe()
    file = os.fdopen(reading, "rb")
    with GreenPipe(file, "rb") as reader:
        assert file.closed
        os.write(writing, b"x")
        os.close(writing)
        assert reader.read() == b"x"


def test_a_path_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with GreenPipe(str(path), "w") as file:
        file.write("text")
    with GreenPipe(path, "r+") as file:
        file.seek(2)
        file.truncate()
    with GreenPipe(path, "a") as file:
        file.write("a")
    assert path.read_text() == "tea"
    with pytest.raises(FileExistsError):
        GreenPipe(path, "x")
    with pytest.raises(FileNotFoundError):
        GreenPipe(tmp_path / "none")


def test_an_opener_opens(tmp_path: Path) -> None:
    asked: list[tuple[str, bool]] = []

    def opener(path: str, flags: int) -> int:
        asked.append((path, bool(flags & os.O_CREAT)))
        return os.open(tmp_path / path, flags)

    with GreenPipe("file", "wb", opener=opener) as file:
        file.write(b"x")
    assert (asked, (tmp_path / "file").read_bytes()) == ([("file", True)], b"x")


def test_a_mode_that_makes_no_sense_is_refused_and_nothing_stays_open(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ValueError):
        GreenPipe(tmp_path / "file", "q")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_descriptor_can_be_kept(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    GreenPipe(reading, "rb", closefd=False).close()
    os.write(writing, b"x")
    assert os.read(reading, 1) == b"x"
    os.close(reading)
    os.close(writing)
