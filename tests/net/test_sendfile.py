"""`socket.sendfile`: whole files, parts, positions, full sockets, and files that sendfile(2) does not take."""

import errno
import io
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.net import sendfile
from greening.net.socket import GreenSocket

Pair = tuple[GreenSocket, GreenSocket]

DATA = os.urandom(1 << 20) * 4  # more than the buffers of a connection hold


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("sendfile") / "data"
    found.write_bytes(DATA)
    return found


@pytest.fixture
def file(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as opened:
        yield opened


def read_to_end(sock: GreenSocket) -> bytes:
    return b"".join(iter(lambda: sock.recv(1 << 20), b""))


@pytest.mark.parametrize("timeout", [None, 5.0])
@pytest.mark.parametrize(
    ("offset", "count"),
    [(0, None), (5, None), (0, 70_000), (7, 3), (0, len(DATA)), (9, len(DATA) * 2), (len(DATA), None)],
)
def test_what_is_asked_for_arrives_and_the_position_is_behind_it(
    timeout: float | None, offset: int, count: int | None, tcp: Pair, file: BinaryIO
) -> None:
    client, server = tcp
    client.settimeout(timeout)
    reader = spawn(read_to_end, server)
    wanted = DATA[offset:] if count is None else DATA[offset : offset + count]
    assert client.sendfile(file, offset, count) == len(wanted)
    client.shutdown(socket.SHUT_WR)
    assert reader.wait(5) == wanted
    if wanted:
        assert file.tell() == offset + len(wanted)
    assert os.get_blocking(client.fileno()) is (timeout is None)


def test_it_parks_while_the_socket_is_full(tcp: Pair, file: BinaryIO) -> None:
    client, server = tcp
    sending = spawn(client.sendfile, file)
    sleep(0)
    assert not sending.dead
    reader = spawn(read_to_end, server)
    assert sending.wait(5) == len(DATA)
    client.close()
    assert reader.wait(5) == DATA


def test_a_full_socket_times_out(tcp: Pair, file: BinaryIO) -> None:
    client, _ = tcp
    client.settimeout(0.005)
    with pytest.raises(TimeoutError, match=r"^timed out$"):
        client.sendfile(file)
    assert file.tell() > 0  # behind what was sent


def test_a_timeout_before_anything_was_sent_is_not_taken_for_a_file_that_does_not_go(tcp: Pair, file: BinaryIO) -> None:
    client, _ = tcp
    client.settimeout(0.005)
    with pytest.raises(TimeoutError):
        client.sendall(DATA)
    with pytest.raises(TimeoutError, match=r"^timed out$"):
        client.sendfile(file)
    assert file.tell() == 0


def test_files_without_a_descriptor_are_read_and_sent(tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(read_to_end, server)
    assert client.sendfile(io.BytesIO(DATA), 3) == len(DATA) - 3
    client.close()
    assert reader.wait(5) == DATA[3:]


def test_files_that_the_kernel_does_not_take_are_read_and_sent(
    tcp: Pair, file: BinaryIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(sendfile, "os_sendfile", refuse)
    client, server = tcp
    reader = spawn(read_to_end, server)
    assert client.sendfile(file, 0, 100_000) == 100_000
    client.close()
    assert reader.wait(5) == DATA[:100_000]


def test_an_empty_file(tcp: Pair, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open("rb") as empty:
        assert tcp[0].sendfile(empty) == 0


@pytest.mark.parametrize(
    ("prepare", "offset", "count", "error"),
    [
        (lambda sock: sock.setblocking(False), 0, None, ValueError),
        (lambda sock: None, 0, 0, ValueError),
        (lambda sock: None, 0, -1, ValueError),
        (lambda sock: None, 0, "1", TypeError),
    ],
)
def test_wrong_arguments_are_the_stdlibs_errors(
    prepare: Callable[[GreenSocket], None], offset: int, count: Any, error: type, tcp: Pair, file: BinaryIO
) -> None:
    prepare(tcp[0])
    with pytest.raises(error):
        tcp[0].sendfile(file, offset, count)


def test_text_files_are_refused(tcp: Pair, path: Path) -> None:
    with path.open(encoding="latin-1") as text, pytest.raises(ValueError, match="binary"):
        tcp[0].sendfile(text)  # type: ignore[arg-type]


def test_closing_ends_it(tcp: Pair, file: BinaryIO) -> None:
    client = tcp[0]

    def send() -> None:
        with pytest.raises(OSError):
            client.sendfile(file)

    sending = spawn(send)
    sleep(0)
    client.close()
    sending.wait(5)


def test_two_files_on_one_socket_never_stop_the_hub(tcp: Pair, file: BinaryIO, path: Path) -> None:
    client, server = tcp
    with path.open("rb") as second:
        sending = [spawn(client.sendfile, file, 0, 300_000), spawn(client.sendfile, second)]
        sleep(0)
        reader = spawn(read_to_end, server)
        assert [thread.wait(5) for thread in sending] == [300_000, len(DATA)]
    client.close()
    assert len(reader.wait(5)) == len(DATA) + 300_000


def test_a_file_that_cannot_be_sought_is_not_put_anywhere(tcp: Pair, path: Path) -> None:
    class Numbered:
        """Has a descriptor and nothing else of a file."""

        mode = "rb"

        def fileno(self) -> int:
            return fd

    client, server = tcp
    fd = os.open(path, os.O_RDONLY)
    try:
        assert client.sendfile(Numbered(), 2, 5) == 5  # type: ignore[arg-type]  # that is the test
        assert os.lseek(fd, 0, os.SEEK_CUR) == 0
    finally:
        os.close(fd)
    assert server.recv(10) == DATA[2:7]


@pytest.mark.parametrize(("offset", "count"), [(0, len(DATA)), (7, 100_000), (len(DATA) - 5, 100), (len(DATA), 1)])
def test_a_range_of_a_file(tcp: Pair, file: BinaryIO, offset: int, count: int) -> None:
    here, there = tcp
    reading = spawn(read_to_end, there)
    expected = DATA[offset : offset + count]
    assert sendfile.send_range(here, file.fileno(), offset, count) == len(expected)
    assert file.tell() == 0
    here.close()
    assert reading.wait() == expected


def test_a_range_of_a_file_that_sendfile_does_not_take(tcp: Pair, file: BinaryIO, monkeypatch: Any) -> None:
    def refuse(*args: Any) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(sendfile, "os_sendfile", refuse)
    here, there = tcp
    reading = spawn(read_to_end, there)
    assert sendfile.send_range(here, file.fileno(), 3, 200_000) == 200_000
    here.close()
    assert reading.wait() == DATA[3:200_003]
