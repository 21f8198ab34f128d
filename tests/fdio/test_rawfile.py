"""Raw files over pipes: what a close does to the reads and writes that wait in them."""

import os

import pytest

from greening._core.waiting import sleep
from greening.fdio import pipe
from greening.fdio.rawfile import GreenFileIO
from tests.descriptors import Ends, parked


@pytest.fixture(params=[True, False], ids=["nowait", "no nowait"], autouse=True)
def _nowait(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without preadv2's RWF_NOWAIT."""
    if not request.param:
        monkeypatch.setattr(pipe, "_preadv", pipe._unsupported)
        monkeypatch.setattr(pipe, "_pwritev", pipe._unsupported)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("name", ["read", "readinto"])
def test_a_read_that_waits_goes_on_after_close(ends: Ends, name: str) -> None:
    reader, writer = ends
    sleep(0)  # the hub has its descriptors
    before = open_descriptors()
    source = GreenFileIO(reader)
    thread = parked(getattr(source, name), bytearray(5) if name == "readinto" else 5)
    source.close()
    assert source.closed
    with pytest.raises(OSError):
        os.fstat(reader)
    taken = os.open(os.devnull, os.O_RDONLY)
    assert taken == reader  # another file has the number now
    os.write(writer, b"data")  # no BrokenPipeError: the pipe is being read
    assert thread.wait(5) in (b"data", 4)
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"more")
    os.close(taken)
    assert open_descriptors() == before - 1


def test_a_read_to_the_end_goes_on_after_close(ends: Ends) -> None:
    reader, writer = ends
    source = GreenFileIO(reader)
    thread = parked(source.readall)
    source.close()
    for part in (b"one ", b"two ", b"three"):
        os.write(writer, part)
        sleep(0)
    os.close(writer)
    assert thread.wait(5) == b"one two three"
    with pytest.raises(ValueError, match="closed file"):
        source.readall()


def test_a_write_that_waits_goes_on_after_close(ends: Ends) -> None:
    reader, writer = ends
    sink = GreenFileIO(writer, "w")
    thread = parked(sink.write, bytes(300_000))
    sink.close()
    got = 0
    while part := pipe.read(reader, 65536):
        got += len(part)
    assert thread.wait(5) == got == 300_000


def test_the_descriptor_of_another_stays_open(ends: Ends) -> None:
    reader, writer = ends
    source = GreenFileIO(reader, closefd=False)
    thread = parked(source.read, 5)
    source.close()
    os.write(writer, b"data")
    assert thread.wait(5) == b"data"
    os.fstat(reader)


def test_the_last_call_of_several_closes(ends: Ends) -> None:
    reader, writer = ends
    source = GreenFileIO(reader)
    threads = [parked(source.read, 1) for _ in range(3)]
    source.close()
    os.write(writer, b"abc")
    assert sorted(thread.wait(5) for thread in threads) == [b"a", b"b", b"c"]
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"more")
