"""The prompt of `python -m greening`, on a terminal: what is typed, and what can be read on the screen then."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from greening import _prompt
from tests.screen import Screen
from tests.terminal import Terminal

Start = Callable[..., Terminal]

# CPython's own prompt, where it has one, and lines with readline.
PROMPTS = ["own", "basic"] if sys.version_info >= (3, 13) else ["basic"]
UP = {"own": "\x1bOA", "basic": "\x1b[A"}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `python -m greening` on a terminal. Histories go to a folder of the test."""
    started: list[Terminal] = []

    def make(prompt: str, *arguments: str, **env: str) -> Terminal:
        basic = "1" if prompt == "basic" else ""
        home = {"HOME": str(tmp_path), "INPUTRC": "/dev/null", "PYTHON_BASIC_REPL": basic, "PYTHONSTARTUP": ""}
        terminal = Terminal(["-m", "greening", *arguments], {**home, **env})
        started.append(terminal)
        terminal.expect(">>> ")
        return terminal

    yield make
    for terminal in started:
        terminal.kill()


def enter(terminal: Terminal, command: str, *answers: str) -> None:
    """Type a command and wait for what it shows, and for the next prompt."""
    terminal.type(command + "\r")
    for answer in (*answers, ">>> "):
        terminal.expect(answer)


def screen_of(terminal: Terminal) -> list[str]:
    """The lines on the screen below the banner, after Ctrl-D."""
    terminal.type("\x04")
    assert terminal.exit_status() == 0
    screen = Screen()
    screen.feed(terminal.said)
    lines = screen.lines()
    first = next(number for number, line in enumerate(lines) if line.startswith(">>>"))
    return [line for line in lines[first:] if line not in ("", ">>>")]


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS)
def test_await_works_in_a_command(start: Start, prompt: str) -> None:
    terminal = start(prompt)
    enter(terminal, "import asyncio")
    enter(terminal, "x = await asyncio.sleep(0.001, 20)")
    enter(terminal, "x + await asyncio.sleep(0, 1)", "21")
    assert screen_of(terminal) == [
        ">>> import asyncio",
        ">>> x = await asyncio.sleep(0.001, 20)",
        ">>> x + await asyncio.sleep(0, 1)",
        "21",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("arguments", [[], ["--no-patch"]], ids=["patched", "not-patched"])
def test_green_threads_and_tasks_run_while_it_waits(start: Start, prompt: str, arguments: list[str]) -> None:
    terminal = start(prompt, *arguments)
    enter(terminal, "import asyncio, greening")
    terminal.type("_ = greening.spawn_after(0.01, lambda: print('a green ' + 'thread', flush=True))\r")
    terminal.expect("a green thread")
    enter(terminal, "async def later(): await asyncio.sleep(0.01); print('a ' + 'task', flush=True)\r")
    terminal.type("task = await asyncio.sleep(0) or asyncio.create_task(later())\r")
    terminal.expect("a task")


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS)
def test_tracebacks_have_the_users_frames_only(start: Start, prompt: str) -> None:
    terminal = start(prompt)
    enter(terminal, "import asyncio, greening")
    enter(terminal, "await asyncio.sleep(1 / 0)", "ZeroDivisionError: division by zero")
    terminal.type("greening.sleep(1000) if print('sle' + 'eps') is None else 0\r")
    terminal.expect("sleeps")
    terminal.type("\x03")
    terminal.expect("KeyboardInterrupt")
    terminal.expect(">>> ")
    terminal.type("await asyncio.sleep(1000 if print('wai' + 'ts') is None else 0)\r")
    terminal.expect("waits")
    terminal.type("\x03")
    terminal.expect("KeyboardInterrupt")
    terminal.expect(">>> ")
    files = set(re.findall(r'File "([^"]*)"', "\n".join(screen_of(terminal))))
    assert {name for name in files if not re.fullmatch(r"<(stdin|python-input-\d+)>", name)} == set()


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS)
def test_names_are_completed_and_commands_remembered(start: Start, prompt: str, tmp_path: Path) -> None:
    terminal = start(prompt)
    enter(terminal, "import greening")
    enter(terminal, "x = 1 + 1")
    terminal.type("greening.is_monkey_p\t")
    terminal.expect("atched(")
    terminal.type("'os')\r" if "patched()" not in terminal.said else "\x02'os'\r")
    terminal.expect("True")
    terminal.expect(">>> ")
    enter(terminal, UP[prompt] * 2)
    lines = screen_of(terminal)
    assert lines[2:] == [">>> greening.is_monkey_patched('os')", "True", ">>> x = 1 + 1"]
    assert "import greening" in (tmp_path / ".python_history").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS)
def test_exit_ends_it_with_its_status(start: Start, prompt: str) -> None:
    terminal = start(prompt)
    terminal.type("exit(3)\r")
    assert terminal.exit_status() == 3


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_startup_file_is_run_and_the_banner_says_what_this_is(start: Start, prompt: str, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text("answer = 42\n")
    bad.write_text("1 / 0\n")
    terminal = start(prompt, PYTHONSTARTUP=str(good))
    assert 'green threads run while this waits, "await" works, Ctrl-D ends it.' in terminal.said
    enter(terminal, "answer", "42")
    assert screen_of(terminal) == [">>> answer", "42"]
    terminal = start(prompt, PYTHONSTARTUP=str(bad))
    assert "ZeroDivisionError" in terminal.said


def test_without_a_terminal_or_where_it_has_moved_lines_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        def __init__(self, terminal: bool) -> None:
            self.isatty = lambda: terminal

    def gone(name: str) -> object:
        raise ImportError(name)

    monkeypatch.delenv("PYTHON_BASIC_REPL", raising=False)
    monkeypatch.setattr(sys, "stdin", Stdin(False))
    assert _prompt._own_prompt() is None
    monkeypatch.setattr(sys, "stdin", Stdin(True))
    monkeypatch.setattr(_prompt, "import_module", gone)
    assert _prompt._own_prompt() is None
