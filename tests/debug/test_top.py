"""`python -m greening top PID`, on a terminal, beside a program that runs."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from greening.debug.top import top_command
from tests.terminal import ROOT, Terminal

rich = pytest.importorskip("rich", reason="the extra `top` is not installed")

WITH_RICH = os.pathsep.join([str(ROOT), str(Path(rich.__file__).parent.parent)])

PROGRAM = """
import greening
greening.monkey_patch()
import hashlib, time

def blocks():
    while True:
        hashlib.pbkdf2_hmac("sha1", b"", b"", 300_000)
        time.sleep(0.01)

def forgotten():
    time.sleep(1000)

def leaks():
    while True:
        greening.spawn(forgotten)
        time.sleep(0.01)

greening.spawn(blocks)
greening.spawn(leaks)
jobs = greening.Queue(5)
for number in range(7):
    greening.spawn(jobs.get)
greening.sleep(0)
print("running", flush=True)
greening.sleep(1000)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_RUNTIME_DIR": str(tmp_path), "PYTHONPATH": WITH_RICH, "COLUMNS": "80", "LINES": "24"}


@pytest.fixture
def program(environment: dict[str, str], tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A program that blocks, and leaks."""
    (tmp_path / "sick.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "greening", "--inspect", str(tmp_path / "sick.py")]
    with subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "running\n"
        yield process
        process.kill()


def screens_of(said: str) -> list[list[str]]:
    """What stood on the terminal, one screen after the other, without control sequences."""
    frames = said.split("\x1b[H")[1:]
    return [[line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", frame).splitlines()] for frame in frames]


@pytest.mark.slow
def test_the_screen_shows_what_blocks_and_what_leaks_in_place(
    program: "subprocess.Popen[str]", environment: dict[str, str]
) -> None:
    words = ["-m", "greening", "top", str(program.pid), "--seconds", "0.3"]
    terminal = Terminal(words, environment)
    for _ in range(2):
        terminal.expect(f"process {program.pid}: ")
        terminal.expect("s watched")
    screens = screens_of(terminal.said)
    terminal.type("\x03")
    assert terminal.exit_status() == 0
    assert "\x1b[?1049h" in terminal.said and "\x1b[?1049l" in terminal.said  # the screen before is there again
    shown = next(screen for screen in reversed(screens) if any("s watched" in line for line in screen))
    assert max(map(len, shown)) <= 80 and len(shown) <= 24
    assert shown[0] == f"process {program.pid}: sick.py"
    (hub,) = (line for line in shown if line.startswith("MainThread"))
    assert re.search(r"most \d+", hub)
    assert any("in blocks" in line and "sick.py:8" in line for line in shown), "\n".join(shown)
    (leak,) = (line for line in shown if "forgotten" in line and "sleep" in line)
    assert re.search(r"^ *[\d,]+ +\+\d+ +forgotten +sick.py:12 in forgotten +sleep$", leak), leak
    assert any(re.search(r"^ +7 +get +\(no line of the program\) +queue$", line) for line in shown), "\n".join(shown)
    assert any("__main__.jobs 0 of 5 items" in line for line in shown), "\n".join(shown)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["q", "\x03", "SIGTERM"])
def test_the_terminal_is_as_before_at_every_end(
    program: "subprocess.Popen[str]", environment: dict[str, str], tmp_path: Path, end: str
) -> None:
    """stty tells: `icanon echo` are off while top reads single keys."""
    script = tmp_path / "modes.py"
    script.write_text(
        "import subprocess, sys, threading, signal, time\n"
        "def mode():\n"
        "    said = subprocess.run(['stty', '-a'], capture_output=True, text=True).stdout.split()\n"
        "    return [word for word in said if word in ('icanon', '-icanon', 'echo', '-echo')]\n"
        "signal.signal(signal.SIGINT, lambda *_: None)\n"
        "before = mode()\n"
        f"top = subprocess.Popen([sys.executable, '-m', 'greening', 'top', '{program.pid}', '--seconds', '0.2'])\n"
        "if 'SIGTERM' in sys.argv:\n"
        "    while mode() == before: time.sleep(0.01)\n"
        "    top.terminate()\n"
        "print('status', top.wait(), mode() == before)\n"
    )
    terminal = Terminal([str(script), end if end == "SIGTERM" else ""], environment)
    if end != "SIGTERM":
        terminal.expect("s watched")
        terminal.type(end)
    terminal.expect(f"status {143 if end == 'SIGTERM' else 0} True")
    assert terminal.exit_status() == 0
    assert "\x1b[?1049l" in terminal.said


@pytest.mark.slow
def test_one_screen_is_printed_and_the_program_goes_on(
    program: "subprocess.Popen[str]", environment: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "greening", "top", "--once", "--seconds=0.2", str(program.pid)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout and f"process {program.pid}: " in done.stdout
    assert program.poll() is None


@pytest.mark.slow
def test_it_ends_with_the_program(program: "subprocess.Popen[str]", environment: dict[str, str]) -> None:
    terminal = Terminal(["-m", "greening", "top", str(program.pid), "--seconds", "0.2"], environment)
    terminal.expect("s watched")
    program.kill()
    program.wait()
    assert terminal.exit_status() == 1
    assert f"greening: process {program.pid} has ended, or does not answer any more" in terminal.said


def test_words_that_make_no_sense_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in (
        ([], "the number of a process is needed"),
        (["x"], "'x' is no number of a process"),
        (["1", "--twice"], "unknown option --twice"),
        (["1", "--seconds", "0"], "--seconds takes a number from 0.1 to 10, not '0'"),
        (["1", "--seconds=soon"], "not 'soon'"),
        (["1", "--seconds"], "not ''"),
    ):
        assert top_command(words) == 2
        assert told in capsys.readouterr().err
    assert top_command(["--help"]) == 0
    assert "usage: python -m greening top PID" in capsys.readouterr().err


def test_without_rich_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert top_command(["1"]) == 2
    assert capsys.readouterr().err == "greening: top needs rich: pip install 'greening-toolkit[top]'\n"


def test_a_process_that_cannot_be_asked_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert top_command([str(os.getpid())]) == 1
    assert "start it by `python -m greening --inspect" in capsys.readouterr().err
