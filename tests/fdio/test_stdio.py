"""Standard output and error: a full pipe lets others run, and the streams are the same objects there and back."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greening.fdio import pipe, stdio
from greening.fdio.rawfile import GreenFileIO
from tests.descriptors import Ends, drain, parked


def stream_of(fd: int, buffered: bool, **how: Any) -> io.TextIOWrapper:
    """The layers that the interpreter makes for `sys.stdout`; without a buffer for `python -u`."""
    raw = io.FileIO(fd, "w", closefd=False)
    raw.name = "<stdout>"  # type: ignore[misc]  # as the interpreter does
    buffer: Any = io.BufferedWriter(raw) if buffered else raw
    return io.TextIOWrapper(buffer, "utf-8", write_through=not buffered, **how)


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`put(out, err)`: these are the interpreter's streams."""

    def put_them(out: object, err: object = None) -> None:
        monkeypatch.setattr(sys, "__stdout__", out)
        monkeypatch.setattr(sys, "__stderr__", err)

    return put_them


@pytest.mark.parametrize("buffered", [True, False], ids=["buffered", "python -u"])
def test_a_write_to_a_full_pipe_parks_and_the_stream_is_given_back(
    buffered: bool, put: Callable[..., None], ends: Ends
) -> None:
    stream = stream_of(ends[1], buffered, errors="backslashreplace", line_buffering=True)
    plain = stream.buffer
    put(stream)
    stream.write("before\n")
    (undo,) = stdio.take_over()
    raw = getattr(stream.buffer, "raw", stream.buffer)
    assert type(raw) is GreenFileIO and raw.name == "<stdout>"
    assert (stream.encoding, stream.errors, stream.line_buffering, stream.write_through) == (
        "utf-8",
        "backslashreplace",
        True,
        not buffered,
    )
    thread = parked(lambda: (stream.write("x" * 200_000), stream.flush()))
    got = b""
    while len(got) < 200_007:
        got += pipe.read(ends[0], 65536)
    assert got == b"before\n" + b"x" * 200_000
    thread.wait(5)
    undo()
    assert stream.buffer is plain
    stream.write("after\n")
    stream.flush()
    assert os.read(ends[0], 100) == b"after\n"


def test_both_streams_are_taken_over(put: Callable[..., None], ends: Ends) -> None:
    out, err = stream_of(ends[1], True), stream_of(ends[1], True)
    put(out, err)
    undo = stdio.take_over()
    assert len(undo) == 2
    for step in undo:
        step()


def test_streams_of_other_kinds_and_files_on_disk_are_left_alone(
    put: Callable[..., None], tmp_path: Path, ends: Ends
) -> None:
    class Mine(io.TextIOWrapper):
        pass

    closed = stream_of(ends[1], True)
    closed.close()
    with (tmp_path / "file").open("wb") as file, stream_of(file.fileno(), True) as on_disk:
        for out, err in ((None, io.StringIO()), (closed, on_disk), (io.TextIOWrapper(io.BytesIO()), None)):
            put(out, err)
            assert stdio.take_over() == []
    with Mine(io.BufferedWriter(io.FileIO(ends[1], "w", closefd=False))) as derived:
        put(derived)
        assert stdio.take_over() == []


def test_a_stream_that_was_closed_or_given_another_buffer_is_not_given_back(
    put: Callable[..., None], ends: Ends
) -> None:
    stream = stream_of(ends[1], True)
    put(stream)
    (undo,) = stdio.take_over()
    other = io.BytesIO()
    stream.__init__(other)  # type: ignore[misc]  # what a program may do
    undo()
    assert stream.buffer is other
    stream = stream_of(ends[1], True)
    put(stream)
    (undo,) = stdio.take_over()
    stream.close()
    undo()


@pytest.mark.parametrize("buffered", [True, False], ids=["buffered", "python -u"])
def test_a_stream_that_was_a_file_and_is_a_pipe_by_now_is_given_back_all_the_same(
    buffered: bool, put: Callable[..., None], tmp_path: Path, ends: Ends
) -> None:
    """The plain FileIO remembers that it could be sought."""
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    try:
        stream = stream_of(fd, buffered)
        put(stream)
        os.dup2(ends[1], fd)
        (undo,) = stdio.take_over()
        undo()
        stream.write("still there\n")
        stream.flush()
        assert os.read(ends[0], 100) == b"still there\n"
        assert getattr(stream.buffer, "raw", stream.buffer).name == "<stdout>"
    finally:
        os.close(fd)


def test_all_that_was_printed_arrives(put: Callable[..., None], ends: Ends) -> None:
    stream = stream_of(ends[1], True)
    put(stream)
    (undo,) = stdio.take_over()
    thread = parked(lambda: [print("line", number, file=stream) for number in range(20_000)] and stream.flush())
    thread.link(lambda _: os.close(ends[1]))
    assert drain(ends[0]).splitlines() == [b"line %d" % number for number in range(20_000)]
    undo()
