"""Standard input, made cooperative in place: nothing that was read ahead is lost, there and back."""

import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from greening._core.greenthread import kill
from greening.fdio import stdin
from greening.fdio.stdin import StdinFile, is_green, make_green, would_block
from greening.testing import settle
from tests.descriptors import Ends, parked


def stream_of(fd: int, encoding: str = "utf-8") -> io.TextIOWrapper:
    """The layers that the interpreter makes for `sys.stdin`."""
    raw = io.FileIO(fd, "r", closefd=False)
    raw.name = "<stdin>"  # type: ignore[misc]  # as the interpreter does
    return io.TextIOWrapper(io.BufferedReader(raw), encoding)


@pytest.fixture
def stream(ends: Ends) -> Iterator[io.TextIOWrapper]:
    with stream_of(ends[0]) as made:
        yield made


def test_all_layers_stay_and_wait_greenly(stream: io.TextIOWrapper, ends: Ends) -> None:
    buffer = stream.buffer
    assert not is_green(stream)
    assert make_green(stream)
    assert is_green(stream) and stream.buffer is buffer
    assert (stream.name, buffer.name, buffer.raw.name) == ("<stdin>",) * 3  # type: ignore[attr-defined]
    for read, data, expected in (
        (stream.readline, b"one\n", "one\n"),
        (buffer.readline, b"two\n", b"two\n"),
        (lambda: buffer.raw.read(10), b"three", b"three"),  # type: ignore[attr-defined]
        (lambda: buffer.read(2), b"ab", b"ab"),
    ):
        thread = parked(read)
        os.write(ends[1], data)
        assert thread.wait(5) == expected


def test_several_wait_for_the_buffer_in_turn(stream: io.TextIOWrapper, ends: Ends) -> None:
    make_green(stream)
    threads = [parked(stream.buffer.readline) for _ in range(3)]
    os.write(ends[1], b"a\nb\nc\n")
    assert [thread.wait(5) for thread in threads] == [b"a\n", b"b\n", b"c\n"]


def test_what_had_been_read_ahead_comes_first(stream: io.TextIOWrapper, ends: Ends) -> None:
    os.write(ends[1], b"first\n" + "é".encode() * 5000 + b"\nlast\n")
    assert stream.readline() == "first\n"  # 8,192 bytes are in the text layer, and a cut character
    make_green(stream)
    assert stream.readline() == "é" * 5000 + "\n"
    assert stream.readline() == "last\n"


def test_taken_back_with_data_in_the_layers_and_made_green_again(stream: io.TextIOWrapper, ends: Ends) -> None:
    original = stream.buffer.raw  # type: ignore[attr-defined]
    undo = make_green(stream)
    assert undo and make_green(stream) is None  # it is green already
    os.write(ends[1], b"x" * 9000 + b"\nleft\n")
    assert stream.buffer.read(5) == b"x" * 5
    undo()
    assert not is_green(stream)
    assert type(stream.buffer.raw) is StdinFile  # type: ignore[attr-defined]  # it has data to give
    assert "readline" not in vars(stream.buffer)
    assert make_green(stream)
    assert is_green(stream)
    assert stream.readline() == "x" * 8995 + "\n"
    assert stream.readline() == "left\n"
    assert original.fileno() == ends[0]


def test_taken_back_without_data_the_original_is_in_its_place(stream: io.TextIOWrapper, ends: Ends) -> None:
    original = stream.buffer.raw  # type: ignore[attr-defined]
    undo = make_green(stream)
    assert undo
    undo()
    assert stream.buffer.raw is original  # type: ignore[attr-defined]
    os.write(ends[1], b"plain\n")
    assert stream.readline() == "plain\n"


def test_it_is_not_taken_back_under_a_reader_that_waits(stream: io.TextIOWrapper, ends: Ends) -> None:
    undo = make_green(stream)
    assert undo
    threads = [parked(stream.buffer.readline) for _ in range(2)]
    undo()
    assert is_green(stream)
    os.write(ends[1], b"one\ntwo\n")
    assert [thread.wait(5) for thread in threads] == [b"one\n", b"two\n"]
    undo()
    assert not is_green(stream)


def test_it_is_taken_back_when_the_reader_has_ended(stream: io.TextIOWrapper, ends: Ends) -> None:
    undo = make_green(stream)
    assert undo
    thread = parked(stream.buffer.readline)
    undo()
    os.write(ends[1], b"one\n")
    assert thread.wait(5) == b"one\n"
    settle()
    assert not is_green(stream)


def test_it_stays_green_when_it_is_patched_again_meanwhile(stream: io.TextIOWrapper, ends: Ends) -> None:
    undo = make_green(stream)
    assert undo
    thread = parked(stream.buffer.readline)
    undo()
    again = make_green(stream)
    os.write(ends[1], b"one\n")
    assert thread.wait(5) == b"one\n"
    settle()
    assert is_green(stream)
    assert again
    again()
    assert not is_green(stream)


def test_what_was_detached_or_closed_meanwhile_is_left_alone(ends: Ends) -> None:
    stream = stream_of(ends[0])
    undo = make_green(stream)
    assert undo
    buffer = stream.detach()
    raw = buffer.detach()  # type: ignore[attr-defined]
    undo()
    raw.close()
    closed = stream_of(ends[0])
    undo = make_green(closed)
    assert undo
    closed.close()
    undo()


def test_a_killed_reader_takes_nothing_with_it(stream: io.TextIOWrapper, ends: Ends) -> None:
    make_green(stream)
    kill(parked(stream.readline))
    os.write(ends[1], b"line\n")
    assert stream.readline() == "line\n"


def test_closing_closes_the_original_and_not_the_descriptor(stream: io.TextIOWrapper, ends: Ends) -> None:
    original = stream.buffer.raw  # type: ignore[attr-defined]
    make_green(stream)
    stream.close()
    assert original.closed
    os.fstat(ends[0])


def test_a_file_on_disk_is_read_from_where_the_reader_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one\ntwo\nthree\n")
    with path.open("rb") as file:
        with stream_of(file.fileno()) as stream:
            assert stream.buffer.readline() == b"one\n"
            make_green(stream)
            assert stream.buffer.raw.ahead == b""  # type: ignore[attr-defined]  # it is read again
            assert stream.readlines() == ["two\n", "three\n"]
            assert stream.buffer.raw.read() == b""  # type: ignore[attr-defined]


def test_only_what_the_interpreter_makes_is_made_green(ends: Ends, tmp_path: Path) -> None:
    class Mine(io.TextIOWrapper):
        pass

    detached = stream_of(ends[0])
    detached.detach()
    closed = stream_of(ends[0])
    closed.close()
    own = io.FileIO(os.dup(ends[0]), "r")
    with (
        Mine(io.BufferedReader(io.FileIO(ends[0], closefd=False))) as derived,
        io.TextIOWrapper(io.BytesIO(b"in memory")) as memory,
        io.TextIOWrapper(io.BufferedReader(own)) as owner,
    ):
        for other in (None, io.StringIO(), derived, memory, owner, closed, detached):
            assert make_green(other) is None
            assert not is_green(other)


def test_a_stream_that_an_os_thread_reads_is_left_alone(stream: io.TextIOWrapper, ends: Ends) -> None:
    thread = threading.Thread(target=stream.readline)
    thread.start()
    while not stdin._is_being_read(ends[0]):
        assert thread.is_alive()
    assert make_green(stream) is None
    os.write(ends[1], b"line\n")
    thread.join(5)


def test_nothing_is_known_of_readers_on_a_system_that_does_not_show_them(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str) -> Any:
        raise FileNotFoundError(path)

    assert not stdin._is_being_read(ends[0])
    monkeypatch.setattr(stdin, "_listdir", fail)
    assert not stdin._is_being_read(ends[0])


def test_a_read_would_block_if_it_waits_in_the_plain_file(
    stream: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", stream)
    assert would_block()
    make_green(stream)
    assert not would_block()
    (tmp_path / "file").write_bytes(b"")
    for other in (None, io.StringIO(), (tmp_path / "file").open()):
        monkeypatch.setattr(sys, "stdin", other)
        assert not would_block()
        if other is not None:
            other.close()
            assert not would_block()
