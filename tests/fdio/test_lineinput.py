"""Standard input, `input()` and prompts: waiting there lets others run."""

import builtins
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.poller import IN
from greening.fdio import inputhook, lineinput
from greening.fdio.fileio import open_fd
from greening.testing import settle, wait_until_parked
from tests.descriptors import Ends
from tests.terminal import Terminal

PROGRAMS = Path(__file__).parent.parent / "programs"
Start = Callable[..., Terminal]

# At a prompt: defines a thread that says so when it has run while the prompt waited.
OTHER = (
    "import threading, time; "
    "threading.Thread(target=lambda: time.sleep(0.01) or print('others', 'run', flush=True)).start()\r"
)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts programs on terminals; those that are left at the end are killed. Histories go to a folder of the test."""
    started: list[Terminal] = []

    def make(*arguments: str, **env: str) -> Terminal:
        terminal = Terminal(arguments, {"HOME": str(tmp_path), "INPUTRC": "/dev/null", **env})
        started.append(terminal)
        return terminal

    yield make
    for terminal in started:
        terminal.kill()


@pytest.mark.slow
def test_reading_a_pipe_lets_others_run_and_loses_nothing(run_program: Callable[..., object]) -> None:
    done = run_program("stdin_pipe.py", env={"PYTHONUTF8": "1"})
    assert isinstance(done, subprocess.CompletedProcess)
    assert done.stdout == "promptdone\n"


@pytest.mark.slow
@pytest.mark.parametrize("library", ["readline", "none"])
def test_others_run_while_a_line_is_typed(start: Start, library: str) -> None:
    terminal = start(str(PROGRAMS / "terminal_input.py"), library)
    terminal.expect("first? ")
    if "others run" not in terminal.said:
        terminal.expect("others run")
    terminal.type("abx\x7fc\r")
    terminal.expect("got 'abc'")
    terminal.expect("events [('builtins.input', 'first? '), ('builtins.input/result', 'abc')]")
    terminal.expect("interrupted? ")
    terminal.type("\x03")
    terminal.expect("KeyboardInterrupt")
    terminal.expect("too slow? ")
    terminal.expect("Timeout")
    terminal.expect("A? ")
    terminal.type("for A\r")
    terminal.expect("B? ")
    terminal.type("for B\r")
    terminal.expect("lines [('A', 'for A'), ('B', 'for B')]")
    terminal.type("by readline\r")
    terminal.expect("line 'by readline\\n'")
    terminal.expect("end? ")
    terminal.type("\x04")
    terminal.expect("EOFError")
    if library == "readline":
        terminal.expect("history ['abc', 'for A', 'for B']")
    assert terminal.exit_status() == 0


@pytest.mark.slow
def test_lines_are_edited(start: Start) -> None:
    terminal = start(str(PROGRAMS / "terminal_input.py"), "readline")
    terminal.expect("first? ")
    terminal.type("ac\x1b[Db\r")  # cursor left
    terminal.expect("got 'abc'")
    terminal.expect("interrupted? ")
    terminal.type("\x1b[A\r")  # cursor up: the line before
    terminal.expect("too slow? ")


@pytest.mark.slow
@pytest.mark.parametrize("basic", ["", "1"])
@pytest.mark.parametrize(
    "arguments",
    [["-m", "greening"], ["-m", "greening", "-i", "FILE"], ["-i", "-m", "greening", "FILE"], ["-i", "-m", "greening"]],
    ids=" ".join,
)
def test_others_run_while_the_prompt_waits(start: Start, tmp_path: Path, arguments: list[str], basic: str) -> None:
    file = tmp_path / "file.py"
    file.write_text("x = 20\n")
    terminal = start(*[str(file) if word == "FILE" else word for word in arguments], PYTHON_BASIC_REPL=basic)
    terminal.expect(">>> ")
    terminal.type(OTHER)
    terminal.expect("others run")
    terminal.type("print('x', 'is', x + 1)\r" if "FILE" in arguments else "print('x', 'is', 21)\r")
    terminal.expect("x is 21")
    terminal.expect(">>> ")
    terminal.type("\x03")
    terminal.expect("KeyboardInterrupt")
    assert "Traceback" not in terminal.said
    terminal.expect(">>> ")
    terminal.type("print('and', input('in' + 'put? '))\r")
    terminal.expect("input? ")
    terminal.type("on\r")
    terminal.expect("and on")
    terminal.expect(">>> ")
    terminal.type("\x04")
    # The interpreter's own basic prompt remembers the interruption until its end, from 3.15 on.
    interrupted = basic and arguments[0] == "-i" and sys.version_info >= (3, 15)
    assert terminal.exit_status() == (-signal.SIGINT if interrupted else 0)


@pytest.mark.slow
def test_the_prompt_follows_whatever_ends_the_program(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "file.py"
    file.write_text("def f():\n    raise SystemExit(7)\nf()\n")
    terminal = start("-m", "greening", "-i", str(file))
    terminal.expect("SystemExit: 7")
    terminal.expect(">>> ")
    lines = re.findall(r'File "([^"]*)"', terminal.said)
    assert lines == [str(file)] * 2, terminal.said
    terminal.type("f.__name__, __import__('sys').last_value\r")
    terminal.expect("('f', SystemExit(7))")
    terminal.expect(">>> ")
    terminal.type("\x04")
    assert terminal.exit_status() == 0


@pytest.mark.slow
@pytest.mark.parametrize("start_debugger", ["import pdb; pdb.set_trace(); y = 1", "import code; code.interact()"])
def test_others_run_in_debuggers_and_consoles(start: Start, start_debugger: str) -> None:
    source = f"import greening; greening.monkey_patch(); {start_debugger}"
    terminal = start("-c", source, PYTHON_BASIC_REPL="1")
    terminal.expect("(Pdb) " if "pdb" in source else ">>> ")
    terminal.type(OTHER)
    terminal.expect("others run")


@pytest.mark.slow
@pytest.mark.parametrize("basic", ["", "1"])
def test_a_patch_typed_at_the_prompt_counts_there(start: Start, basic: str) -> None:
    terminal = start("-i", "-c", "1", PYTHON_BASIC_REPL=basic)
    terminal.expect(">>> ")
    terminal.type("import greening; greening.monkey_patch()\r")
    terminal.expect(">>> ")
    terminal.type(OTHER)
    terminal.expect("others run")


def test_a_terminal_is_not_needed(run_program: Callable[..., object]) -> None:
    source = "import greening; greening.monkey_patch(); input('x')"
    done = subprocess.run([sys.executable, "-c", source], input="", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == "x"
    assert done.stderr.endswith("EOFError: EOF when reading a line\n")


# The parts, without a terminal


@pytest.fixture
def builtin(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The prompts that the builtin `input` was called with."""
    prompts: list[object] = []
    monkeypatch.setattr(lineinput, "_real_input", lambda prompt: (prompts.append(prompt), "builtin's")[1])
    return prompts


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, ends: Ends) -> Iterator[Callable[[str], None]]:
    """A pipe plays the terminal: call it to type."""
    said: list[bytes] = []
    with open_fd(ends[0], closefd=False) as source:
        monkeypatch.setattr(lineinput, "_is_on_terminal", lambda: True)
        monkeypatch.setattr(lineinput, "write", lambda fd, data: said.append(data))
        monkeypatch.setattr(lineinput, "wait_fd", lambda fd, mask: None)
        monkeypatch.setattr(sys, "stdin", source)
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))
        monkeypatch.delitem(sys.modules, "readline", raising=False)
        yield lambda text: void(os.write(ends[1], text.encode()))


def void(_: object) -> None:
    pass


def test_off_a_terminal_the_builtin_does_it_all(builtin: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    assert lineinput.input("prompt? ") == "builtin's"
    monkeypatch.setattr(sys, "stdin", None)
    assert not lineinput._is_on_terminal()
    monkeypatch.setattr(lineinput, "_is_on_terminal", lambda: True)
    assert lineinput.input("zero\0byte") == "builtin's"  # an error, and it knows which
    assert builtin == ["prompt? ", "zero\0byte"]


def test_without_readline_others_run_while_the_terminal_gives_a_line(terminal: Callable[[str], None]) -> None:
    first, second = (spawn(lineinput.input, name) for name in ("A? ", "B? "))
    wait_until_parked(first)
    settle()  # the second one waits its turn
    terminal("for A\nfor B\n")
    assert (first.wait(5), second.wait(5)) == ("for A", "for B")


def test_the_end_of_the_input_is_an_eoferror(terminal: Callable[[str], None], ends: Ends) -> None:
    os.close(ends[1])
    with pytest.raises(EOFError, match="EOF when reading a line"):
        lineinput.input("? ")


def test_streams_that_cannot_be_flushed_do_not_matter(
    terminal: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    terminal("line\n")
    assert lineinput.input("? ") == "line"


@pytest.mark.parametrize("readline", [True, False], ids=["readline in one piece", "plain stdin"])
def test_where_nothing_of_it_can_be_green_the_builtin_waits_with_the_hook(
    readline: bool, builtin: list[object], terminal: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks: list[str] = []
    monkeypatch.setattr(inputhook, "install", lambda: (hooks.append("in"), True)[1])
    monkeypatch.setattr(inputhook, "remove", lambda: hooks.append("out"))
    if readline:
        monkeypatch.setitem(sys.modules, "readline", SimpleNamespace())  # has no file
        monkeypatch.setattr(lineinput, "_editors", {})
    else:
        monkeypatch.setattr(lineinput, "is_green", lambda stream: False)
    assert lineinput.input("? ") == "builtin's"
    assert hooks == ["in", "out"]


class Readline:
    """Plays the library and the module: its line is what is in `typed` when a character is asked for."""

    __file__ = "played"

    def __init__(self, *typed: bytes | BaseException | None) -> None:
        self.typed = list(typed)
        self.calls: list[str] = []
        self.history: list[str] = []
        self.free = SimpleNamespace()

    def PyDLL(self, name: str) -> "Readline":
        assert name == self.__file__
        self.free = lambda address: None  # type: ignore[assignment]  # takes an attribute, as ctypes' functions do
        return self

    def CFUNCTYPE(self, *types: object) -> Callable[[Any], Any]:
        return lambda function: function

    c_void_p = None

    def string_at(self, line: bytes) -> bytes:
        return line

    def rl_callback_handler_install(self, prompt: bytes, on_line: Callable[[bytes | None], None]) -> None:
        self.on_line = on_line
        self.calls.append(f"install {prompt.decode()}")

    def rl_callback_read_char(self) -> None:
        typed = self.typed.pop(0)
        if isinstance(typed, BaseException):
            raise typed
        if typed != b"":
            self.on_line(typed)

    def get_current_history_length(self) -> int:
        return len(self.history)

    def get_history_item(self, index: int) -> str:
        return self.history[index - 1]

    def add_history(self, line: str) -> None:
        self.history.append(line)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if not name.startswith("rl_"):
            raise AttributeError(name)
        return lambda: self.calls.append(name)


def test_readline_is_called_for_every_character_until_it_has_a_line(
    terminal: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Readline(b"", "línea".encode(), "línea".encode(), None)
    sizes = iter([(80, 24), (80, 24), (100, 24)])
    monkeypatch.setattr(lineinput, "_terminal_size", lambda: next(sizes, (100, 24)))
    waits: list[object] = []
    monkeypatch.setattr(lineinput, "wait_fd", lambda fd, mask: waits.append((fd, mask)))
    editor = lineinput._Editor(library, library)
    assert editor.read("? ") == "línea"
    assert waits == [(0, IN)] * 2
    assert library.calls == ["install ? ", "rl_resize_terminal", "rl_callback_handler_remove"]
    assert editor.read("? ") == "línea"
    assert library.history == ["línea"]  # not twice in a row
    with pytest.raises(EOFError):
        editor.read("? ")  # Ctrl-D


def test_what_interrupts_an_edited_line_leaves_the_terminal_as_it_was(terminal: Callable[[str], None]) -> None:
    library = Readline(KeyboardInterrupt())
    editor = lineinput._Editor(library, library)
    with pytest.raises(KeyboardInterrupt):
        editor.read("? ")
    assert library.calls[1:] == [
        "rl_free_line_state",
        "rl_callback_sigcleanup",
        "rl_cleanup_after_signal",
        "rl_callback_handler_remove",
    ]


def test_a_process_has_one_editor(terminal: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    library = Readline(b"one", b"two")
    monkeypatch.setattr(lineinput, "_editors", {})
    monkeypatch.setitem(sys.modules, "readline", library)  # type: ignore[arg-type]  # plays it
    monkeypatch.setattr(lineinput.importlib, "import_module", lambda name: library)
    assert [lineinput.input("? "), lineinput.input("? ")] == ["one", "two"]
    assert library.history == ["one", "two"]
    assert len(lineinput._editors) == 1


def test_the_size_of_no_terminal_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> os.terminal_size:
        raise OSError

    monkeypatch.setattr(os, "get_terminal_size", fail)
    assert lineinput._terminal_size() == ()


def test_input_is_put_into_builtins_and_taken_out_unless_it_was_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "__stdin__", None)
    monkeypatch.setattr(builtins, "input", len)  # a builtin function
    hooks: list[str] = []
    monkeypatch.setattr(inputhook, "is_interactive", lambda: True)
    monkeypatch.setattr(inputhook, "install", lambda: True)
    monkeypatch.setattr(inputhook, "remove", lambda: hooks.append("out"))
    undo = lineinput.take_over()
    assert builtins.input is lineinput.input
    for step in undo:
        step()
    assert builtins.input is len and hooks == ["out"]  # type: ignore[comparison-overlap]  # see above
    undo = lineinput.take_over()
    monkeypatch.setattr(builtins, "input", print)
    for step in undo:
        step()
    assert builtins.input is print  # type: ignore[comparison-overlap]  # likewise
    monkeypatch.setattr(builtins, "input", void)  # written in Python: a prompt's own
    monkeypatch.setattr(inputhook, "is_interactive", lambda: False)
    assert lineinput.take_over() == []
