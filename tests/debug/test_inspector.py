"""A running program answers others of its user by a socket, also while its hub is blocked."""

import json
import os
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from greening import kill, sleep, spawn
from greening._core.deadlock import idle_natives
from greening.debug import inspector
from greening.debug.inspector import (
    LONGEST,
    LONGEST_FOLDER,
    Inspector,
    answer_to,
    folder,
    folder_of,
    is_trusted,
    path_of,
    private_folder,
    question_of,
)
from greening.testing import settle

RunProgram = Callable[..., Any]


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def served() -> Iterator[Inspector]:
    one = Inspector()
    yield one
    one.close()


def asked(path: str, question: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(path)
        client.sendall(question)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_the_socket_is_in_a_folder_of_the_users_own_and_goes_with_the_program(served: Inspector, runtime: Path) -> None:
    sleep(0)  # there is a hub
    assert served.path == path_of(os.getpid()) == str(runtime / "greening" / f"{os.getpid()}.sock")
    assert stat.S_IMODE(os.stat(folder()).st_mode) == 0o700
    answer = json.loads(asked(served.path, b'{"command": "dump"}\n'))
    assert answer["text"].startswith(f"Process {os.getpid()}: ")
    served.close()
    assert not os.path.exists(served.path)


def test_without_a_folder_for_the_session_it_is_in_the_one_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert folder() == f"/tmp/greening-{os.geteuid()}"


def test_a_folder_for_the_session_that_is_not_there_or_anothers_or_too_long_is_not_used(tmp_path: Path) -> None:
    runtime, uid = str(tmp_path), os.geteuid()
    assert folder_of(runtime, uid) == f"{runtime}/greening"
    assert folder_of(runtime, uid + 1) == f"/tmp/greening-{uid + 1}"
    assert folder_of(f"{runtime}/gone", uid) == f"/tmp/greening-{uid}"
    long = tmp_path / ("x" * LONGEST_FOLDER)
    long.mkdir()
    assert folder_of(str(long), uid) == f"/tmp/greening-{uid}"


def test_the_sockets_of_killed_processes_are_removed_by_the_next_one() -> None:
    private_folder()
    gone, other, served = path_of(2**22 + 1), os.path.join(folder(), "notes.sock"), path_of(2**22 + 2)
    with socket.socket(socket.AF_UNIX) as killed, socket.socket(socket.AF_UNIX) as listener:
        killed.bind(gone)
        killed.listen()
        listener.bind(served)  # its process has another number where it runs
        listener.listen()
        Path(other).touch()
        killed.close()
        Inspector().close()
        assert sorted(os.listdir(folder())) == sorted(map(os.path.basename, (other, served)))


def test_a_folder_that_others_may_enter_is_refused() -> None:
    os.mkdir(folder())
    os.chmod(folder(), 0o755)
    with pytest.raises(PermissionError, match="chmod 700"):
        private_folder()
    os.rmdir(folder())
    os.symlink("/tmp", folder())
    with pytest.raises(PermissionError, match="nobody else"):
        private_folder()


def test_the_socket_of_a_dead_process_with_the_same_number_is_replaced() -> None:
    private_folder()
    Path(path_of(os.getpid())).touch()
    one = Inspector()
    assert stat.S_ISSOCK(os.stat(one.path).st_mode)
    one.close()


class Client:
    def __init__(self, uid: int = 0, *parts: bytes) -> None:
        self.uid = uid
        self.parts = [*parts, b""]

    def getsockopt(self, *args: int) -> bytes:
        return struct.pack("3i", 1, self.uid, 1)

    def recv(self, size: int) -> bytes:
        return self.parts.pop(0)


def test_only_this_user_and_root_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert [is_trusted(Client(uid)) for uid in (0, 1000, 1001)] == [True, True, False]


def test_a_question_is_one_line_of_a_bounded_length() -> None:
    assert question_of(Client(0, b'{"com', b'mand"}\n')) == b'{"command"}\n'
    assert question_of(Client(0, b"no end")) == b""
    assert question_of(Client(0, *[b"x" * 4096] * (LONGEST // 4096 + 1))) == b""


@pytest.mark.parametrize("question", [b"", b"nonsense\n", b"[]\n", b'{"command": "rm"}\n', b'{"other": 1}\n'])
def test_nonsense_is_answered_with_an_error(question: bytes) -> None:
    assert set(json.loads(answer_to(question))) == {"error"}


def test_json_and_locals_come_on_request() -> None:
    thread = spawn(sleep, 100)
    settle()
    answer = json.loads(answer_to(b'{"command": "dump", "json": true, "locals": true}\n'))
    kill(thread)
    [found] = [stack for stack in answer["stacks"] if stack["name"] == thread.name]
    assert found["wait"]["kind"] == "sleep"
    assert all("locals" in frame for frame in found["frames"])


PROGRAM = """
import greening, os, subprocess, sys
from greening.debug import inspect
path = inspect()
assert inspect() == path
def compute():
    child = subprocess.Popen([sys.executable, "-m", "greening", "dump", str(os.getpid())], stdout=subprocess.PIPE)
    while child.poll() is None: pass
    print(child.stdout.read().decode())
greening.spawn(compute).wait()
"""


@pytest.mark.slow
def test_it_answers_while_the_hub_is_blocked(run_program: RunProgram) -> None:
    text = run_program(PROGRAM).stdout
    assert "GreenThread-1 (compute), " in text
    assert " old: running\n" in text
    assert "while child.poll() is None: pass" in text
    assert "main greenlet: waits for GreenThread-1 (compute) to end" in text


def test_the_child_of_a_fork_has_a_socket_of_its_own(run_program: RunProgram, runtime: Path) -> None:
    run_program(
        "import os, greening\nfrom greening.debug.asking import ask\nfrom greening.debug.inspector import path_of\n"
        "child = os.fork()\n"
        "if child:\n    os.waitpid(child, 0)\n    assert ask(os.getpid(), 'dump')['text']\n"
        "else:\n    assert os.path.exists(path_of(os.getpid()))\n"
        "    assert f'Process {os.getpid()}' in ask(os.getpid(), 'dump')['text']\n    raise SystemExit\n",
        env={"GREENING_INSPECT": "1"},
    )
    assert list((runtime / "greening").iterdir()) == []


def test_its_native_thread_does_not_hide_a_deadlock(run_program: RunProgram) -> None:
    done = run_program("import greening\ngreening.Event().wait()\n", check=False, env={"GREENING_INSPECT": "1"})
    assert "deadlock: everything waits" in done.stderr


def test_the_thread_counts_as_one_that_wakes_nothing(served: Inspector) -> None:
    asked(served.path, b"{}\n")
    assert idle_natives
    assert inspector.COMMANDS.keys() == {"dump", "top"}
