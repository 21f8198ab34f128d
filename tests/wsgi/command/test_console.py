"""What the command writes: access lines, and everything else."""

import http.client
import io
import os
import re
import resource
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening.testing import Fake, settle, wait_until_parked
from greening.wsgi.command.console import (
    DELAY,
    Output,
    descriptor_of,
    flush_standard_streams,
    redirect_errors,
    say,
)
from tests.wsgi.processes import Start


@pytest.mark.slow
def test_access_lines_go_to_standard_output_in_the_combined_format(start: Start) -> None:
    command = start("site1:app").listening()
    size = len(repr(command.get("/some/where?x=1")))
    command.signal(signal.SIGINT)
    status, output = command.end()
    assert status == 0
    date = r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
    assert re.fullmatch(rf'127\.0\.0\.1 - - {date} "GET /some/where\?x=1 HTTP/1\.1" 200 {size} "-" "me"\n', output)
    assert "GET" not in command.errors


@pytest.mark.slow
def test_no_access_log(start: Start) -> None:
    command = start("--no-access-log", "site1:app").listening()
    command.get()
    command.signal(signal.SIGTERM)
    assert command.end() == (0, "")


@pytest.mark.slow
def test_serves_on_when_its_standard_output_is_not_read(start: Start) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = start("site1:app", stdout=writer)
    os.close(writer)
    command.listening().get()
    command.until("no more access lines: standard output: Broken pipe")
    command.get()
    command.signal(signal.SIGTERM)
    assert command.process.wait() == 0


@pytest.mark.slow
def test_serves_on_when_its_standard_error_is_not_read(start: Start) -> None:
    command = start("site1:app", env={"QUIET": "1"}).listening()
    assert command.process.stderr is not None
    command.process.stderr.close()
    pid = command.get()["pid"]
    os.kill(pid, signal.SIGKILL)
    now = pid
    while now == pid:
        with suppress(ConnectionResetError, http.client.BadStatusLine):  # taken by the one that is dying
            now = command.get()["pid"]
    command.signal(signal.SIGTERM)
    assert command.process.wait() == 0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Reader and writer; the reader does not block."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(reader, False)
    yield reader, writer
    for end in (reader, writer):
        with suppress(OSError):
            os.close(end)


def written(reader: int) -> bytes:
    with suppress(BlockingIOError):
        return os.read(reader, 1 << 20)
    return b""


def test_access_lines_are_gathered_and_written_a_little_later(fake: Fake[Any], pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    output = Output(descriptor=writer)
    output.access("one")
    output.access("two \u20ac \ud800")
    settle()
    assert written(reader) == b""
    fake.clock.advance(DELAY)
    settle()
    assert written(reader) == "one\ntwo \u20ac \\ud800\n".encode()
    output.access("three")
    fake.clock.advance(DELAY)
    settle()
    assert written(reader) == b"three\n"


def test_lines_are_written_whole_in_pieces_that_a_pipe_takes_at_once(
    fake: Fake[Any], pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[bytes] = []
    monkeypatch.setattr(
        "greening.wsgi.command.console.os.write", lambda descriptor, data: pieces.append(data) or len(data)
    )
    output = Output(descriptor=pipe[1])
    lines = [f"{number:0100}" for number in range(100)] + ["x" * 5000, "end"]
    for line in lines:
        output.access(line)
    output.flush()
    assert b"".join(pieces).decode().splitlines() == lines
    assert all(piece.endswith(b"\n") and (len(piece) <= 4096 or piece == b"x" * 5000 + b"\n") for piece in pieces)


def test_lines_beyond_a_number_are_written_by_the_request_that_has_one_more(
    fake: Fake[Any], pipe: tuple[int, int]
) -> None:
    output = Output(descriptor=pipe[1])
    for _ in range(10_001):
        output.access("")
    assert written(pipe[0]) == b"\n" * 10_001


def test_without_a_descriptor_nothing_is_written(fake: Fake[Any]) -> None:
    output = Output(descriptor=None)
    assert not output.output
    output.access("lost")
    output.flush()


def test_a_reader_that_is_gone_ends_the_access_lines_and_is_told_once(
    fake: Fake[Any], pipe: tuple[int, int], capfd: pytest.CaptureFixture[str]
) -> None:
    os.close(pipe[0])
    output = Output(descriptor=pipe[1])
    for _ in range(2):
        output.access("x")
        output.flush()
    assert not output.output
    assert capfd.readouterr().err == "greening.wsgi: no more access lines: standard output: Broken pipe\n"


def test_errors_go_to_standard_error_unless_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    output = Output(debug=True)
    output.error("wrong")
    output.debug("refused")
    output.info("started: the supervisor says that")
    assert stream.getvalue() == "wrong\nrefused\n"
    stream.close()
    output.error("wrong")
    output.debug("refused")


def test_what_is_said_goes_past_the_stream_to_its_descriptor(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    say("one \ud800")
    assert capfd.readouterr().err == "greening.wsgi: one \\ud800\n"
    for stream in (None, io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        assert descriptor_of(stream) is None
        say("nowhere")
    assert capfd.readouterr().err == ""


def test_standard_error_that_is_not_read_is_no_reason_to_fail(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    os.close(pipe[0])
    with os.fdopen(os.dup(pipe[1]), "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        say("lost")


def test_a_flush_waits_for_the_one_that_writes(fake: Fake[Any], pipe: tuple[int, int]) -> None:
    output = Output(descriptor=pipe[1])
    output.access("x")
    with output._writing:
        flushing = spawn(output.flush)
        wait_until_parked(flushing)
        assert written(pipe[0]) == b""
    flushing.wait()
    assert written(pipe[0]) == b"x\n"


def test_what_the_standard_streams_have_gathered_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with open(tmp_path / "out", "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", None)
        out.write("gathered")
        flush_standard_streams()
        assert (tmp_path / "out").read_text() == "gathered"


# Files


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


def test_lines_are_appended_to_a_file_that_only_its_owner_and_group_can_read(log_file: Path) -> None:
    log_file.write_text("before\n")
    for number in range(2):
        output = Output(path=str(log_file))
        output.access(f"line {number}")
        output.flush()
    assert log_file.read_text() == "before\nline 0\nline 1\n"
    Output(path=str(log_file) + "2")
    assert stat.S_IMODE(os.stat(str(log_file) + "2").st_mode) & 0o027 == 0


def test_a_file_that_was_renamed_is_opened_anew_and_every_line_is_in_one_of_both(log_file: Path) -> None:
    output = Output(path=str(log_file))
    for number in range(10):
        output.access(str(number))
        if number == 3:
            output.flush()
        if number == 5:
            log_file.rename(str(log_file) + ".1")
            output.reopen()
            output.reopen()
    output.flush()
    assert Path(str(log_file) + ".1").read_text() + log_file.read_text() == "".join(
        f"{number}\n" for number in range(10)
    )
    assert log_file.exists()


def test_a_file_that_cannot_be_opened_anew_stays_the_old_one(log_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output = Output(path=str(log_file))
    log_file.rename(str(log_file) + ".1")
    log_file.mkdir()
    output.reopen()
    output.access("x")
    output.flush()
    assert Path(str(log_file) + ".1").read_text() == "x\n"
    said = f"greening.wsgi: cannot reopen the access log {log_file}: Is a directory; the old file stays\n"
    assert capfd.readouterr().err == said


def test_reopening_leaves_no_descriptor_behind(log_file: Path) -> None:
    output = Output(path=str(log_file))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        output.reopen()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Files cannot grow beyond so many bytes, as on a full disk: a write is cut, and the next one fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_is_told_once_and_tried_again(log_file: Path, full: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []  # the limit is that of standard error, too
    monkeypatch.setattr("greening.wsgi.command.console.say", said.append)
    output = Output(path=str(log_file))

    def log(*lines: str) -> None:
        for line in lines:
            output.access(line)
        output.flush()

    log("one")
    full(4 + 6)
    log("two", "three", "four")  # "two" and a part of "three" find room
    log("five")
    assert output.output
    full(resource.RLIM_INFINITY)
    log("six")
    log("seven")
    assert log_file.read_text() == "one\ntwo\nth\nsix\nseven\n"
    assert said == [
        f"access lines are lost until {log_file} takes them again: File too large",
        f"access lines go to {log_file} again; 3 are lost",
    ]


def test_a_reader_that_came_back_gets_lines_again_after_reopening(
    fake: Fake[Any], pipe: tuple[int, int], capfd: pytest.CaptureFixture[str]
) -> None:
    spare = os.dup(pipe[1])
    os.close(pipe[0])
    output = Output(descriptor=pipe[1])
    output.access("lost")
    output.flush()
    assert not output.output
    reader, writer = os.pipe2(os.O_NONBLOCK)
    os.dup2(writer, pipe[1])
    output.reopen()
    assert output.output
    output.access("x")
    output.flush()
    assert os.read(reader, 100) == b"x\n"
    for end in (reader, writer, spare):
        os.close(end)


def test_a_log_that_is_off_stays_off_after_reopening(log_file: Path) -> None:
    output = Output(access=False)
    output.reopen()
    assert not output.output


def test_a_fifo_needs_a_reader(tmp_path: Path) -> None:
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    with pytest.raises(OSError, match="No such device or address"):
        Output(path=path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    output = Output(path=path)
    output.access("x")
    output.flush()
    assert os.read(reader, 100) == b"x\n"
    os.close(reader)


def test_standard_error_in_a_file_that_is_renamed(log_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", os.fdopen(2, "w", closefd=False))
    before = os.dup(2)
    try:
        redirect_errors(str(log_file))
        output = Output(errors=str(log_file))
        output.error("one")
        log_file.rename(str(log_file) + ".1")
        say("two")
        output.reopen()
        say("three")
        output.error("four")
    finally:
        os.dup2(before, 2)
        os.close(before)
    assert Path(str(log_file) + ".1").read_text() == "one\ngreening.wsgi: two\n"
    assert log_file.read_text() == "greening.wsgi: three\nfour\n"


def test_standard_error_stays_when_its_file_cannot_be_opened_anew(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = Output(errors=str(tmp_path))
    output.reopen()
    assert "cannot reopen the error log" in capfd.readouterr().err
