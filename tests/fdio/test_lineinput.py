"""Standard input, `input()` and prompts: waiting there lets others run."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
