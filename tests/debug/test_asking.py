"""Who cannot be asked is told why, and what to do about it."""

import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from greening.debug import asking
from greening.debug.asking import NoAnswer, ask, dump_command, pid_of, put_out, why_not
from greening.debug.inspector import path_of, private_folder

RunProgram = Callable[..., Any]

GONE = 2**22 + 1  # larger than any process number


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    private_folder()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path_of(os.getpid()))
        listener.listen()
        yield listener


def test_a_process_that_is_not_there_or_was_not_started_so_is_told() -> None:
    with pytest.raises(NoAnswer, match=f"there is no process {GONE}"):
        ask(GONE, "dump")
    with pytest.raises(NoAnswer, match="start it by `python -m greening --inspect"):
        ask(os.getpid(), "dump")
    with pytest.raises(NoAnswer, match=f"Nobody answers at /.*/{os.getpid()}.sock"):
        ask(os.getpid(), "dump")
    assert "ask as that user, or as root" in why_not(os.getpid(), PermissionError(13, "Permission denied"), "")
    assert why_not(os.getpid(), OSError(24, "Too many open files"), "").endswith("Too many open files")


def test_one_that_has_ended_and_that_nobody_has_waited_for_is_told() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(NoAnswer, match=f"process {child.pid} has ended"):
        ask(child.pid, "dump")
    child.wait()


def test_a_program_is_asked_where_its_own_environment_has_its_socket(tmp_path: Path, run_program: RunProgram) -> None:
    program = (
        "import os, subprocess, sys\nimport greening\n"
        "command = [sys.executable, '-m', 'greening', 'dump', str(os.getpid())]\n"
        "there = dict(os.environ)\ndel there['XDG_RUNTIME_DIR'], there['GREENING_INSPECT']\n"
        "print(subprocess.run(command, env=there, capture_output=True, text=True, check=True).stdout)\n"
    )
    done = run_program(program, env={"GREENING_INSPECT": "1", "XDG_RUNTIME_DIR": str(tmp_path)})
    assert done.stdout.startswith("Process ")


def test_characters_that_standard_output_has_not_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    assert put_out("Thread-1 (é\udcff)\n") == 0
    assert out.buffer.getvalue() == rb"Thread-1 (\xe9\udcff)" + b"\n"


def test_a_reader_that_has_gone_ends_the_command_without_a_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    call = "import sys; from greening.debug.asking import put_out; sys.exit(put_out('x' * 100_000))"
    done = subprocess.run([sys.executable, "-c", call], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_one_that_does_not_answer_in_time_is_told(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE", 0.01)
    monkeypatch.setattr(asking, "LATE", 0.01)
    with pytest.raises(NoAnswer, match="py-spy dump --pid"):
        ask(os.getpid(), "dump")


def test_one_that_is_late_is_told_and_waited_for(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(asking, "LATE", 0.01)

    def wait(program: socket.socket, seconds: float) -> None:
        asking.wait_for_answer(program, seconds)
        with listener.accept()[0] as client:
            client.recv(100)  # unread, it would be an error for the asker
            client.sendall(b'{"text": "here"}')

    assert ask(os.getpid(), "dump", wait=wait) == {"text": "here"}
    assert capsys.readouterr().err.startswith("greening: no answer for 0.01 s: the program is stopped, or ")


def test_words_are_one_number_and_known_options() -> None:
    known = {"--json": ""}
    assert pid_of(["--json", "12"], known, "dump") == (12, {"--json"})
    for words in ([], ["x"], ["1", "2"], ["-1"]):
        with pytest.raises(NoAnswer):
            pid_of(words, known, "dump")
    with pytest.raises(NoAnswer, match="unknown option --other"):
        pid_of(["1", "--other"], known, "dump")


def test_the_command_says_what_is_wrong_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert dump_command([]) == 1
    assert capsys.readouterr().err == "greening: usage: python -m greening dump PID [--json] [--locals]\n"


@pytest.mark.parametrize(
    ("found", "words", "written"),
    [({"text": "stacks\n"}, ["1"], "stacks\n"), ({"a": 1}, ["1", "--json"], '{\n "a": 1\n}\n')],
)
def test_the_answer_is_written_as_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    found: dict[str, object],
    words: list[str],
    written: str,
) -> None:
    asked: list[object] = []

    def answered(pid: int, command: str, **options: object) -> dict[str, object]:
        asked.append((pid, command, options))
        return found

    monkeypatch.setattr(asking, "ask", answered)
    assert dump_command(words) == 0
    assert capsys.readouterr().out == written
    assert asked == [(1, "dump", {"locals": False, "json": "--json" in words})]
