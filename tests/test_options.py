"""The command line before the program: options with and without values, and commands for running programs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greening._options import COMMANDS, USAGE, parse, run_command


def test_options_are_taken_up_to_the_program() -> None:
    options, rest = parse(["--inspect", "--graph", "a.svg", "--no-patch", "x.py", "--graph"])
    assert (options.inspect, options.values["--graph"], options.patch, rest) == (
        True,
        "a.svg",
        False,
        ["x.py", "--graph"],
    )
    options, rest = parse(["--graph=b.svg", "--", "-x"])
    assert (options.values["--graph"], options.inspect, rest) == ("b.svg", False, ["-x"])


def test_an_option_without_its_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(["--graph"])
    assert end.value.code == 2
    assert "--graph needs a file" in capsys.readouterr().err


def test_a_command_is_run_and_its_status_is_the_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run_command(["dump"])
    assert end.value.code == 1
    assert "usage: python -m greening dump PID" in capsys.readouterr().err


def test_a_file_of_that_name_is_a_program_and_other_words_are_no_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dump").touch()
    run_command(["dump", "1"])
    run_command(["script.py"])
    run_command([])


def test_the_help_has_every_command_and_option() -> None:
    for word in (*COMMANDS, "--inspect", "--graph", "--only", "--skip", "--audit", "--json", "--locals"):
        assert f" {word} " in USAGE.replace(";", " ").replace(",", " ").replace("\n", " "), word


@pytest.mark.slow
def test_a_deadlock_is_drawn_and_a_program_can_be_looked_into(run_program: Callable[..., Any], tmp_path: Path) -> None:
    picture = tmp_path / "deadlock.svg"
    program = "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()\n"
    done = run_program(program, python_args=("-m", "greening", "--graph", str(picture)), check=False)
    assert "deadlock: everything waits" in done.stderr
    assert picture.read_text("utf-8").startswith("<svg ")
    program = (
        "import os, subprocess, sys\n"
        "ask = [sys.executable, '-m', 'greening', 'dump', str(os.getpid())]\n"
        "print(subprocess.run(ask, capture_output=True, text=True).stdout)\n"
    )
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert "main greenlet: " in run_program(program, python_args=("-m", "greening", "--inspect"), env=env).stdout


def test_a_clock_without_a_profile_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--profile-clock", "cpu", "x.py"])
    assert "--profile-clock belongs to --profile" in capsys.readouterr().err


def test_a_command_has_the_usual_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run_command(["dump", "--help"])
    assert end.value.code == 0
    assert "dump PID" in capsys.readouterr().out


def test_a_socket_that_cannot_be_made_is_told_in_one_line(run_program: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "greening").mkdir(mode=0o755)
    (tmp_path / "greening").chmod(0o755)
    done = run_program(
        "pass\n", python_args=("-m", "greening", "--inspect"), check=False, env={"XDG_RUNTIME_DIR": str(tmp_path)}
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"greening: --inspect: {tmp_path}/greening must be a folder of this user's")
    assert "Traceback" not in done.stderr
