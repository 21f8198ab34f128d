"""Buffered files that several green threads use at once: they take turns, and a close waits."""

import io
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._core.greenthread import kill, spawn
from greening._core.poller import IN
from greening._core.waiting import sleep, yield_now
from greening.fdio import pipe, rawfile
from greening.fdio.buffers import GreenReader
from greening.fdio.fileio import open_fd
from greening.net.socket import GreenSocket
from tests.descriptors import Ends, drain, parked


def all_lines(file: Any) -> list[Any]:
    return list(iter(file.readline, file.readline(0)))


def consumed(fd: int) -> None:
    """Wait until everything that was written has been read."""
    while pipe.is_ready(fd, IN):
        sleep(0)


@pytest.mark.parametrize("mode", ["rb", "r"])
@pytest.mark.parametrize("read", [lambda file: file.readlines(), all_lines, lambda file: file.read().splitlines(True)])
def test_a_close_waits_until_the_reader_has_everything(ends: Ends, mode: str, read: Callable[[Any], Any]) -> None:
    reader, writer = ends
    source = open_fd(reader, mode)
    reading, closing = parked(read, source), parked(source.close)
    for line in (b"one\n", b"two\n"):
        os.write(writer, line)
        consumed(reader)
        assert closing
    os.close(writer)
    assert reading.wait(5) == (["one\n", "two\n"] if mode == "r" else [b"one\n", b"two\n"])
    closing.wait(5)
    assert source.closed
    with pytest.raises(OSError):
        os.fstat(reader)


@pytest.mark.parametrize("name", ["read", "read1", "readinto", "peek"])
def test_a_close_waits_for_one_call(ends: Ends, name: str) -> None:
    reader, writer = ends
    source = open_fd(reader, "rb")
    reading = parked(getattr(source, name), bytearray(3) if name == "readinto" else 3)
    closing = parked(source.close)
    os.write(writer, b"abc")
    assert reading.wait(5) in (b"abc", 3)
    closing.wait(5)
    with pytest.raises(ValueError, match="closed file"):
        source.read(1)


@pytest.mark.parametrize("mode", ["wb", "w"])
def test_a_close_waits_until_all_is_written(ends: Ends, mode: str) -> None:
    reader, writer = ends
    sink = open_fd(writer, mode)
    data = "x" * 300_000
    writing = parked(sink.write, data if mode == "w" else data.encode())
    closing = parked(sink.close)
    assert len(drain(reader)) == 300_000
    assert writing.wait(5) == 300_000
    closing.wait(5)


def test_several_closes_wait_together(ends: Ends) -> None:
    source = open_fd(ends[0], "rb")
    reading = parked(source.read, 1)
    closing = [parked(source.close) for _ in range(3)]
    kill(closing.pop(1))
    os.write(ends[1], b"x")
    assert reading.wait(5) == b"x"
    for thread in closing:
        thread.wait(5)
    assert source.closed


def test_two_green_threads_use_one_reader_in_turn(ends: Ends) -> None:
    reader, writer = ends
    with open_fd(reader, "rb") as source:
        first, second = parked(source.readline), parked(source.readline)
        os.write(writer, b"one\n")
        assert first.wait(5) == b"one\n"
        assert second
        os.write(writer, b"two\n")
        assert second.wait(5) == b"two\n"


def test_two_green_threads_use_one_writer_in_turn(ends: Ends) -> None:
    reader, writer = ends
    sink = open_fd(writer, "wb")
    first, second = parked(sink.write, b"a" * 200_000), parked(sink.write, b"b" * 100_000)
    flusher = parked(sink.flush)
    collector = spawn(drain, reader)
    assert first.wait(5) == 200_000
    assert second.wait(5) == 100_000
    flusher.wait(5)
    sink.close()
    assert collector.wait(5) == b"a" * 200_000 + b"b" * 100_000


def test_a_thread_that_waits_its_turn_can_be_killed(ends: Ends) -> None:
    reader, writer = ends
    with open_fd(reader, "rb") as source:
        first, second, third = (parked(source.readline) for _ in range(3))
        kill(second)
        os.write(writer, b"one\ntwo\n")
        assert (first.wait(5), third.wait(5)) == (b"one\n", b"two\n")


def test_a_killed_writer_writes_nothing_twice(ends: Ends) -> None:
    reader, writer = ends
    sink = open_fd(writer, "wb")
    data = os.urandom(400_000)
    thread = parked(sink.write, data)
    kill(thread)
    collector = spawn(drain, reader)
    sink.close()
    assert data.startswith(collector.wait(5))


def test_readers_take_turns_when_their_data_is_there(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rawfile, "fairness_tick", yield_now)  # every read lets others run
    reader, writer = ends
    with open_fd(reader, "rb", 4) as source:
        os.write(writer, b"".join(b"line %d\n" % number for number in range(6)))
        threads = [spawn(source.readline) for _ in range(6)]
        assert [thread.wait(5) for thread in threads] == [b"line %d\n" % number for number in range(6)]


def test_one_that_was_chosen_and_is_killed_passes_its_turn_on(ends: Ends) -> None:
    reader, writer = ends
    with open_fd(reader, "rb") as source:
        first, second, third = (parked(source.readline) for _ in range(3))
        first.link(lambda _: kill(second))  # as the first call has ended, the second is chosen and has not run
        os.write(writer, b"one\ntwo\n")
        assert (first.wait(5), third.wait(5)) == (b"one\n", b"two\n")


def test_newcomers_do_not_overtake(ends: Ends) -> None:
    reader, writer = ends
    order: list[str] = []

    def read(name: str, times: int) -> None:
        for _ in range(times):
            source.readline()
            order.append(name)

    with open_fd(reader, "rb") as source:
        threads = [parked(read, "a", 3), parked(read, "b", 2)]
        os.write(writer, b"1\n2\n3\n4\n5\n")
        for thread in threads:
            thread.wait(5)
    assert order == ["a", "b", "a", "b", "a"]


class Raw(io.RawIOBase):
    """Calls `on_read` whenever it is read."""

    def __init__(self, on_read: Callable[[], object]) -> None:
        self.on_read = on_read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.on_read()
        buffer[:1] = b"x"
        return 1


def test_a_call_that_meets_itself_is_told() -> None:
    caught: list[str] = []

    def again() -> None:
        with pytest.raises(RuntimeError) as raised:
            source.read(1)
        caught.append(str(raised.value))

    source = GreenReader(Raw(again))
    assert source.read1(1) == b"x"
    assert caught
    assert all(text.startswith("reentrant call") for text in caught)


def test_a_raw_files_own_errors_are_raised() -> None:
    def fail() -> None:
        raise RuntimeError("reentrant call of another kind")

    source = GreenReader(Raw(fail))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="another kind"):
            source.read(1)


# Sockets


@pytest.fixture
def connection() -> Iterator[tuple[GreenSocket, GreenSocket]]:
    one, other = socket.socketpair()
    with GreenSocket(fileno=one.detach()) as near, GreenSocket(fileno=other.detach()) as far:
        yield near, far


@pytest.mark.parametrize("mode", ["rb", "rwb"])
@pytest.mark.parametrize("buffering", [None, 1, 100_000])
def test_readers_of_a_sockets_file_take_turns(connection: Any, mode: str, buffering: int | None) -> None:
    near, far = connection
    with near.makefile(mode, buffering) as source:
        assert isinstance(source, io.BufferedReader if mode == "rb" else io.BufferedRWPair)
        threads = [parked(source.readline) for _ in range(3)]
        threads.append(parked(next, source))
        for number in range(4):
            far.sendall(b"line %d\n" % number)
        assert [thread.wait(5) for thread in threads] == [b"line %d\n" % number for number in range(4)]
        for name, argument in (("read", 2), ("read1", 2), ("readinto", bytearray(2)), ("readinto1", bytearray(2))):
            threads = [parked(getattr(source, name), argument) for _ in range(2)]
            far.sendall(b"abcd")
            assert [thread.wait(5) for thread in threads] in ([b"ab", b"cd"], [2, 2])
        threads = [parked(source.peek) for _ in range(2)]
        far.sendall(b"xyz")
        assert all(b"xyz".startswith(thread.wait(5)) for thread in threads)
        assert source.read(3) == b"xyz"


@pytest.mark.parametrize("mode", ["wb", "w", "rwb", "rw"])
def test_writers_of_a_sockets_file_take_turns(connection: Any, mode: str) -> None:
    near, far = connection
    sink = near.makefile(mode)
    text = ["a" * 500_000, "b" * 500_000]
    threads = [parked(sink.write, part if "b" not in mode else part.encode()) for part in text]
    threads.append(parked(sink.flush))
    closing = parked(sink.close)
    closing.link(lambda _: near.shutdown(socket.SHUT_WR))
    assert drain(far.fileno()) == "".join(text).encode()
    for thread in (*threads, closing):
        thread.wait(5)


@pytest.mark.parametrize("mode", ["rb", "rwb", "r"])
def test_closing_a_sockets_file_waits_for_its_reader(connection: Any, mode: str) -> None:
    near, far = connection
    source = near.makefile(mode)
    reading, closing = parked(source.read, 4), parked(source.close)
    far.sendall(b"data")
    assert reading.wait(5) in ("data", b"data")
    closing.wait(5)
    assert source.closed


def test_a_pair_reads_and_writes_at_once(connection: Any) -> None:
    near, far = connection
    with near.makefile("rwb") as both:
        reading = parked(both.readline)
        both.write(b"question\n")
        both.flush()
        assert far.recv(100) == b"question\n"
        far.sendall(b"answer\n")
        assert reading.wait(5) == b"answer\n"
        assert (both.readable(), both.writable(), both.closed) == (True, True, False)
    assert both.closed
