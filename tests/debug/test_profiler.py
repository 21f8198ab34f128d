"""The profiler: running and waiting apart, by the function of the green thread."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import greening
from greening._originals import monotonic, thread_time
from greening.debug import profiler
from greening.debug.flame import Function
from greening.debug.profiler import PROCESSOR, RUNNING, WAITING, Profile, profile


def crunch(seconds: float) -> None:
    end = thread_time() + seconds
    while thread_time() < end:
        pass


def rest(event: greening.Event) -> None:
    event.wait()


def seconds_of(weights: Mapping[tuple[Function, ...], float], name: str) -> float:
    return sum(seconds for stack, seconds in weights.items() if any(function.name == name for function in stack))


def taken(profile: Profile) -> tuple[float, float]:
    """Have green threads compute and wait while a profile is taken: CPU and elapsed seconds."""
    event, cpu, began = greening.Event(), thread_time(), monotonic()
    resting = [greening.spawn(rest, event) for _ in range(3)]
    greening.spawn(crunch, 0.1).wait()
    used = thread_time() - cpu, monotonic() - began
    profile.stop()
    event.send()
    for thread in resting:
        thread.wait()
    return used


def test_running_and_waiting_are_told_apart() -> None:
    made = profile(interval=0.002)
    cpu, elapsed = taken(made)
    found = made.profiles()
    assert list(found) == [RUNNING, PROCESSOR, WAITING]
    running = seconds_of(found[RUNNING], "green thread (crunch)")
    assert 0.5 * cpu < running <= 1.1 * elapsed
    assert seconds_of(found[RUNNING], "green thread (rest)") < 0.2 * running
    assert seconds_of(found[WAITING], "green thread (rest)") > 0.5 * elapsed, "three of them"
    assert seconds_of(found[WAITING], "waits: event") > 0
    assert seconds_of(found[WAITING], "green thread (crunch)") == 0
    used = seconds_of(found[PROCESSOR], "crunch")
    assert used == 0 or 0.3 * cpu < used <= 1.1 * cpu, "0: the system does not tell"


@pytest.mark.parametrize(("clock", "titles"), [("wall", [RUNNING, WAITING]), ("cpu", [PROCESSOR])])
def test_a_clock_is_chosen(clock: str, titles: list[str]) -> None:
    with profile(clock=clock, interval=0.002) as made:
        crunch(0.01)
    assert list(made.profiles()) == titles


def test_what_runs_between_two_looks_at_descriptors_is_seen() -> None:
    """A sampler that waits for the GIL until somebody gives it up would see the hub's look alone."""

    def short_turns() -> None:
        end = thread_time() + 0.1
        while thread_time() < end:
            for _ in range(300):
                pass
            greening.sleep(0)

    with profile(interval=0.002) as made:
        greening.spawn(short_turns).wait()
    running = made.profiles()[RUNNING]
    assert seconds_of(running, "green thread (short_turns)") > 0.3 * sum(running.values())


def test_many_green_threads_that_wait_are_looked_at_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiler, "_AT_ONCE", 10)
    event = greening.Event()
    resting = [greening.spawn(rest, event) for _ in range(25)]
    greening.sleep(0)
    made = Profile(None, "wall", 1.0)
    sweep, notes = made._sweeps(), []
    monkeypatch.setattr(made, "_note_wait", lambda task, seconds: notes.append(task))
    counts = []
    for _ in range(3):
        next(sweep)
        counts.append(len(notes))
    assert counts[0] <= 10
    assert len(set(notes) & set(resting)) == 25
    next(sweep)
    assert len(notes) > counts[-1], "and again"
    event.send()
    for thread in resting:
        thread.wait()


def test_a_short_profile_counts_all_of_many_green_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiler, "_AT_ONCE", 1)
    event, began = greening.Event(), monotonic()
    resting = [greening.spawn(rest, event) for _ in range(200)]
    greening.sleep(0)
    made = profile(clock="wall")
    greening.sleep(0.05)
    made.stop()
    elapsed = monotonic() - began
    assert 200 * 0.05 <= seconds_of(made.profiles()[WAITING], "rest") <= 200 * elapsed
    event.send()
    for thread in resting:
        thread.wait()


def test_the_switch_interval_is_the_programs_again() -> None:
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.004)
        with profile(interval=0.001):
            crunch(0.005)
        assert sys.getswitchinterval() == 0.004
    finally:
        sys.setswitchinterval(before)


def test_one_at_a_time() -> None:
    with profile() as made:
        with pytest.raises(RuntimeError, match="already"):
            profile()
    made.stop()
    profile().stop()


@pytest.mark.parametrize(
    ("path", "options"),
    [("x.svg", {}), (None, {"clock": "cpus"}), (None, {"interval": 0}), (None, {"interval": float("nan")})],
)
def test_nonsense_is_refused(path: str | None, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not"):
        profile(path, **options)


def test_a_file_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        profile(tmp_path / "missing" / "profile.json")


def test_nonsense_leaves_no_file_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        profile(tmp_path / "profile.json", clock="sun")
    assert not (tmp_path / "profile.json").exists()


PROGRAM = """
import time, threading

def fetch():
    for _ in range(5):
        time.sleep(0.02)
        for _ in range(30_000):
            pass

threads = [threading.Thread(target=fetch) for _ in range(3)]
for thread in threads:
    thread.start()
"""


def test_the_command_line_writes_speedscopes_format(run_program: Any, tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    run_program(PROGRAM, python_args=("-m", "greening", "--profile", str(path)))
    whole = json.loads(path.read_text())
    names = {frame["name"] for frame in whole["shared"]["frames"]}
    assert {"green thread (fetch)", "fetch", "waits: sleep"} <= names
    assert [shown["name"] for shown in whole["profiles"]] == [RUNNING, PROCESSOR, WAITING]
    assert not [name for name in names if "_cli" in name]


def test_the_command_line_writes_folded_stacks(run_program: Any, tmp_path: Path) -> None:
    path = tmp_path / "profile.folded"
    run_program(PROGRAM, python_args=("-m", "greening", f"--profile={path}", "--profile-clock", "wall"))
    lines = path.read_text().splitlines()
    assert any(line.startswith("waiting;green thread (fetch);fetch;waits: sleep ") for line in lines)
    assert not any(line.startswith(PROCESSOR) for line in lines)


@pytest.mark.parametrize("options", [("--profile", "x.svg"), ("--profile", "x.txt", "--profile-clock", "sun")])
def test_the_command_line_refuses_nonsense(run_program: Any, options: tuple[str, ...]) -> None:
    done = run_program(PROGRAM, python_args=("-m", "greening", *options), check=False)
    assert done.returncode == 2
    assert "not" in done.stderr


def test_the_child_of_a_fork_writes_no_file(run_program: Any, tmp_path: Path) -> None:
    path = tmp_path / "profile.txt"
    run_program(
        "import os, sys, greening\n"
        "greening.sleep(0)\n"
        "before = sys.getswitchinterval()\n"
        f"made = greening.debug.profile({str(path)!r}, interval=0.001)\n"
        "while made.samples < 3 or not any(made.profiles().values()): pass\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    assert sys.getswitchinterval() == before\n"
        "    sys.exit(0)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        f"assert os.path.getsize({str(path)!r}) == 0\n"
    )


def test_a_disk_that_is_full_at_the_end_is_told_in_one_line(run_program: Any, tmp_path: Path) -> None:
    path = tmp_path / "profile.txt"
    path.symlink_to("/dev/full")
    done = run_program(PROGRAM, python_args=("-m", "greening", "--profile", str(path)))
    assert done.stderr == f"greening: profile: {path} could not be written: No space left on device\n"


def test_a_program_that_goes_to_another_folder_leaves_the_file_where_it_was_asked_for(
    run_program: Any, tmp_path: Path
) -> None:
    run_program("import os\nos.chdir('/')\n" + PROGRAM, python_args=("-m", "greening", "--profile", "profile.txt"))
    assert "green thread (fetch)" in (tmp_path / "profile.txt").read_text()
