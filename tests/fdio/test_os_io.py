"""sendfile, splice and opening FIFOs: they park, and do what the system calls do."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from greening._core.greenthread import kill, spawn
from greening._core.waiting import sleep, wait_readable
from greening.fdio import os_io
from greening.fdio.os_io import is_fifo, open_file, sendfile, splice
from greening.testing import settle, wait_until_parked
from tests.descriptors import Ends, drain, parked

DATA = bytes(range(256)) * 2000


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


# sendfile


@pytest.mark.parametrize("offset", [None, 0, 1000])
def test_sendfile_sends_what_there_is_room_for_and_moves_the_position(
    offset: int | None, file: int, ends: Ends
) -> None:
    reader, writer = ends
    start = 7 if offset is None else offset
    os.lseek(file, 7, os.SEEK_SET)
    sent = sendfile(writer, file, offset, len(DATA))
    assert 0 < sent < len(DATA)
    assert os.lseek(file, 0, os.SEEK_CUR) == (7 + sent if offset is None else 7)
    os.close(writer)
    assert drain(reader) == DATA[start : start + sent]


def test_sendfile_to_a_full_pipe_parks(file: int, ends: Ends) -> None:
    reader, writer = ends
    os.write(writer, bytes(65536))
    thread = parked(sendfile, writer, file, 0, 100)
    os.read(reader, 65536)
    assert thread.wait(5) == 100
    assert os.read(reader, 200) == DATA[:100]


def test_sendfile_at_the_end_of_the_file_sends_nothing(file: int, ends: Ends) -> None:
    assert sendfile(ends[1], file, len(DATA), 100) == 0


def test_sendfile_to_a_non_blocking_socket_is_the_plain_call(file: int) -> None:
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                sendfile(one.fileno(), file, 0, len(DATA))
        assert other.recv(4) == DATA[:4]


def test_sendfile_of_no_bytes_is_the_plain_call(file: int, ends: Ends) -> None:
    assert sendfile(ends[1], file, 0, 0) == 0
    with pytest.raises((OSError, ValueError)) as plain:
        os.sendfile(ends[1], file, 0, -1)
    with pytest.raises(type(plain.value)) as caught:
        sendfile(ends[1], file, 0, -1)
    assert str(caught.value) == str(plain.value)


# splice


def test_splice_parks_until_there_is_something(ends: Ends) -> None:
    reader, writer = os.pipe()
    try:
        thread = parked(splice, ends[0], writer, 100)
        os.write(ends[1], b"through")
        assert thread.wait(5) == 7
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
        os.close(writer)


def test_splice_parks_until_there_is_room(ends: Ends, file: int) -> None:
    os.write(ends[1], bytes(65536))
    thread = parked(splice, file, ends[1], 100, 5)
    os.read(ends[0], 65536)
    assert thread.wait(5) == 100
    assert os.read(ends[0], 200) == DATA[5:105]


def test_splice_whose_data_another_has_taken_waits_on(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Any = os_io._real_splice
    thefts = [os.read]

    def stolen(src: int, *args: Any, **kwargs: Any) -> int:
        if thefts:
            thefts.pop()(src, 100)
        return int(real(src, *args, **kwargs))

    monkeypatch.setattr(os_io, "_real_splice", stolen)
    reader, writer = os.pipe()
    try:
        thread = parked(splice, ends[0], writer, 100)
        os.write(ends[1], b"stolen")
        settle()
        assert not thread.dead and not thefts
        os.write(ends[1], b"kept")
        assert thread.wait(5) == 4
    finally:
        os.close(reader)
        os.close(writer)


def test_splice_that_must_not_wait_says_so(ends: Ends) -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(BlockingIOError):
            splice(ends[0], writer, 100, flags=os.SPLICE_F_NONBLOCK)
        os.set_blocking(ends[0], False)
        with pytest.raises(BlockingIOError):
            splice(ends[0], writer, 100)
    finally:
        os.close(reader)
        os.close(writer)


# Opening


@pytest.mark.parametrize("flags", [(os.O_RDONLY, os.O_WRONLY), (os.O_WRONLY, os.O_RDONLY)])
def test_opening_a_fifo_parks_until_the_other_end_is_opened(flags: tuple[int, int], fifo: Path) -> None:
    thread = spawn(open_file, fifo, flags[0])
    wait_until_parked(thread)
    other = open_file(fifo, flags[1])
    fd = thread.wait(5)
    assert not os.get_inheritable(fd)
    os.close(fd)
    os.close(other)


@pytest.mark.parametrize("flags", [os.O_RDWR, os.O_RDONLY | os.O_NONBLOCK, os.O_PATH])
def test_what_does_not_wait_is_opened_at_once(flags: int, fifo: Path) -> None:
    os.close(open_file(fifo, flags))


def test_files_and_errors_are_those_of_the_plain_call(tmp_path: Path, fifo: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    fd = open_file("new", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=folder)
    assert os.fstat(fd).st_mode & 0o777 == 0o600
    assert is_fifo("fifo", 0, folder)
    os.close(fd)
    os.close(folder)
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "missing", os.O_RDONLY)
    with pytest.raises(TypeError):
        open_file(fifo, "r")  # type: ignore[arg-type]  # that is the test
    (tmp_path / "link").symlink_to(fifo)
    with pytest.raises(OSError) as caught:
        open_file(tmp_path / "link", os.O_RDONLY | os.O_NOFOLLOW)
    assert caught.value.errno == errno.ELOOP


def test_an_opening_that_is_killed_leaves_no_descriptor(fifo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = os.eventfd(0)
    real = os_io.os_open

    def announced(*args: Any, **kwargs: Any) -> int:
        os.eventfd_write(asked, 1)
        return real(*args, **kwargs)

    monkeypatch.setattr(os_io, "os_open", announced)
    thread = spawn(open_file, fifo, os.O_RDONLY)
    assert wait_readable(asked, 5)
    before = len(os.listdir("/proc/self/fd"))
    kill(thread)
    other = os.open(fifo, os.O_WRONLY)  # waits until the native thread opens, and it closes at once
    while not is_broken(other):
        sleep(0)
    os.close(other)
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(asked)


def is_broken(fd: int) -> bool:
    try:
        os.write(fd, b"x")
    except BrokenPipeError:
        return True
    return False


def test_a_descriptor_that_has_been_opened_when_the_wait_ends_is_closed(
    fifo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(call: Any) -> None:
        call()
        raise KeyboardInterrupt

    monkeypatch.setattr(os_io._openers, "execute", interrupted, raising=False)
    keep = os.open(fifo, os.O_RDWR)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(KeyboardInterrupt):
        open_file(fifo, os.O_RDONLY)
    assert os.listdir("/proc/self/fd") == before
    os.close(keep)


def test_an_os_thread_without_a_hub_opens_it_itself(fifo: Path) -> None:
    fds: list[int] = []
    thread = threading.Thread(target=lambda: fds.append(open_file(fifo, os.O_RDONLY)))
    thread.start()
    fds.append(os.open(fifo, os.O_WRONLY))
    thread.join(5)
    assert len(fds) == 2
    for fd in fds:
        os.close(fd)


def test_what_is_a_fifo(fifo: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(fifo)
    assert is_fifo(fifo) and is_fifo(os.fsencode(fifo)) and is_fifo(tmp_path / "link")
    assert not is_fifo(tmp_path / "link", os.O_NOFOLLOW)
    for other in (tmp_path, tmp_path / "missing", str(tmp_path / "missing"), "zero\0byte", "\ud800", None, 1.5):
        assert not is_fifo(other)


def test_a_path_is_taken_as_str_as_bytes_and_in_a_directory(fifo: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(fifo)
    link = str(tmp_path / "link")
    for path in (link, os.fsencode(link)):
        assert is_fifo(path)
        assert is_fifo(path, os.O_WRONLY, None)
        assert not is_fifo(path, os.O_NOFOLLOW)
    folder = os.open(tmp_path, os.O_RDONLY)
    assert is_fifo("link", 0, folder) and not is_fifo("link", os.O_NOFOLLOW, folder)
    os.close(folder)
