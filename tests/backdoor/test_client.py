"""`python -m greening.backdoor`: the client of a prompt."""

import builtins
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from greening import tpool
from greening.backdoor import client as client_module
from greening.backdoor.client import known_token, main, talk
from tests.backdoor.talking import TOKEN

ROOT = Path(__file__).resolve().parents[2]


CLIENT = """
import os, pty, sys
import greening
greening.monkey_patch()
from greening.backdoor import backdoor_server

listener = greening.listen(("127.0.0.1", 0))
greening.spawn(backdoor_server, listener, {}, token="open sesame")
address = "127.0.0.1:%d" % listener.getsockname()[1]
client, terminal = pty.fork()
if client == 0:
    os.environ["TERM"] = "dumb"
    os.execv(sys.executable, [sys.executable, "-m", "greening.backdoor", address])

seen = before = b""


def until(mark):
    global seen, before
    while mark not in seen:
        seen += os.read(terminal, 1000)
    before, _, seen = seen.partition(mark)


until(b"token: ")
os.write(terminal, b"open sesame\\n")
until(b">>> ")
assert b"sesame" not in before
os.write(terminal, b"6 * 7\\n")
until(b"42")
until(b">>> ")
os.write(terminal, b"name = input('who? ')\\n")
until(b"\\nwho? ")
os.write(terminal, b"Ann\\n")
until(b">>> ")
os.write(terminal, b"\\x10\\x10\\n")  # up, twice: the history has commands, not what they read
until(b"42")
until(b">>> ")
os.write(terminal, b"\\x04")
assert os.waitpid(client, 0)[1] == 0
assert open(os.path.expanduser("~/.greening_history")).read().splitlines()[-2:] == ["name = input('who? ')", "6 * 7"]
"""


@pytest.mark.slow
def test_the_client_has_a_history(run_program: Any, tmp_path: Path) -> None:
    pytest.importorskip("readline")
    try:
        for descriptor in os.openpty():
            os.close(descriptor)
    except OSError:
        pytest.skip("no pseudo-terminals here")
    run_program(CLIENT, env={"HOME": str(tmp_path)})


@pytest.mark.slow
def test_the_client_sends_what_is_piped_into_it(server: Any) -> None:
    address = server({"x": 41})().sock.getpeername()
    command = [sys.executable, "-m", "greening.backdoor", f"127.0.0.1:{address[1]}"]
    typed = f"{TOKEN}\nx + 1\nprint('é')\n"
    ran = tpool.execute(subprocess.run, command, input=typed, capture_output=True, text=True, cwd=ROOT)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ">>> 42\n>>> é\n>>> \n" in ran.stdout
    ran = tpool.execute(subprocess.run, [*command[:-1], "/nowhere"], capture_output=True, text=True, cwd=ROOT)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("/nowhere: ")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GREENING_BACKDOOR_TOKEN", raising=False)
    return tmp_path


def test_the_token_comes_from_the_environment_or_a_file_of_the_user_s_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert known_token() == ""
    file = home / ".greening_backdoor_token"
    file.write_text("from the file\n")
    file.chmod(0o640)
    with pytest.raises(PermissionError, match="chmod 600"):
        known_token()
    file.chmod(0o600)
    assert known_token() == "from the file"
    monkeypatch.setenv("GREENING_BACKDOOR_TOKEN", "from the environment")
    assert known_token() == "from the environment"


def test_the_token_is_sent_when_it_is_asked_for_first_and_not_later(
    peer: Any, keys: list[Any], home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def script(file: Any) -> None:
        file.write(b"token: ")
        assert file.readline() == b"secret\n"
        file.write(b"token: >>> ")
        assert file.readline() == b"1\n"

    monkeypatch.setenv("GREENING_BACKDOOR_TOKEN", "secret")
    keys.append("1")
    talk(peer(script))
    assert capsys.readouterr().out == "token: >>> "


Script = Callable[[Any], None]


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Callable[[Script], str]]:
    """Runs a script with the connection that it accepts, in an OS thread; returns where to connect."""
    threads: list[threading.Thread] = []
    failures: list[BaseException] = []

    def start(script: Script) -> str:
        path = str(tmp_path / "prompt")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            with listener:
                connection, _ = listener.accept()
                connection.settimeout(20)
                with connection, connection.makefile("rwb", buffering=0) as file:
                    try:
                        script(file)
                    except BaseException as error:
                        failures.append(error)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return path

    yield start
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is typed at prompts: lines, or what `input` is to raise. The prompts are printed."""
    typed: list[Any] = []

    def read(prompt: str) -> str:
        print(prompt, end="")
        key = typed.pop(0)
        if isinstance(key, str):
            return key
        raise key

    monkeypatch.setattr(builtins, "input", read)
    return typed


def test_lines_go_to_the_prompt_and_answers_come_back(
    peer: Any, keys: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    def script(file: Any) -> None:
        file.write(b"Python\n>>> ")
        assert file.readline() == b"def f(): ?\n"
        file.write(b"... ")
        assert file.readline() == b"\n"
        file.write(b"\xc3")
        file.write(b"\xa9\n>>> ")
        assert file.readline() == b""
        file.write(b"bye\n")

    keys += ["def f(): \ud800", "", EOFError()]
    talk(peer(script))
    assert capsys.readouterr().out == "Python\n>>> ... \u00e9\n>>> bye\n"


def test_ctrl_c_is_telnets_interrupt_there(peer: Any, keys: list[Any]) -> None:
    def script(file: Any) -> None:
        file.write(b">>> ")
        assert file.readline() == b"\xff\xf4\n"

    keys.append(KeyboardInterrupt())
    talk(peer(script))


def test_an_address_is_host_and_port_or_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Refused(Exception):
        pass

    def create_connection(address: Any) -> None:
        asked.append(address)
        raise Refused

    monkeypatch.setattr(client_module.socket, "create_connection", create_connection)
    for address in ("localhost:3000", "[::1]:3000"):
        with pytest.raises(Refused):
            talk(address)
    assert asked == [("localhost", 3000), ("::1", 3000)]
    with pytest.raises(FileNotFoundError):
        talk("/nowhere/at:3000")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "usage: python -m greening.backdoor HOST:PORT | PATH"),
        (["a", "b"], "usage: python -m greening.backdoor HOST:PORT | PATH"),
        (["--hlep"], "usage: python -m greening.backdoor HOST:PORT | PATH"),
        (["localhost:x"], "localhost:x: invalid literal for int"),
        (["/nowhere/at/all"], "/nowhere/at/all: "),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["backdoor", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert str(ended.value.code).startswith(message)


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_says_how_to_use_it(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["backdoor", option])
    main()
    said = capsys.readouterr().out
    assert said.startswith("usage: python -m greening.backdoor HOST:PORT | PATH\n")
    assert "GREENING_BACKDOOR_TOKEN" in said and "~/.greening_backdoor_token" in said
