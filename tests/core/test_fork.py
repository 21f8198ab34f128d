"""What happens around a fork, and in which order."""

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from greening._core import fork


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the hooks of the test have written; the lists of hooks are empty, and put back afterwards."""
    for hooks in ("_before", "_in_parent", "_in_child"):
        monkeypatch.setattr(fork, hooks, [])
    return []


def test_upper_rooms_come_first_before_a_fork_and_the_engine_first_afterwards(log: list[str]) -> None:
    def write(word: str) -> Callable[[], None]:
        return lambda: log.append(word)

    for register in (fork.before_fork, fork.on_parent, fork.on_child):
        register(fork.PATCHES, write("patches"))
        register(fork.ENGINE, write("engine"))
        register(fork.NET, write("net"))
        register(fork.THREADS, write("threads"))
        register(fork.THREADS, write("threads, later"))
    fork._run_before()
    assert log == ["patches", "net", "threads, later", "threads", "engine"]
    for run in (fork._run_in_parent, fork._run_in_child):
        log.clear()
        run()
        assert log == ["engine", "threads", "threads, later", "net", "patches"]


def test_a_hook_that_raises_costs_the_next_one_nothing(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", told.append)

    def broken() -> None:
        raise LookupError("broken")

    fork.on_child(fork.ENGINE, broken)
    fork.on_child(fork.NET, lambda: log.append("net"))
    fork._run_in_child()
    assert log == ["net"]
    assert [str(report.exc_value) for report in told] == ["broken"]


def test_a_hook_that_raises_costs_the_next_one_nothing_when_the_interpreter_itself_reports_it(
    log: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.unraisablehook", sys.__unraisablehook__)
    fork.on_child(fork.ENGINE, lambda: 1 // 0)
    fork.on_child(fork.NET, lambda: log.append("net"))
    fork._run_in_child()
    assert log == ["net"]
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_the_hooks_run_at_a_fork(log: list[str]) -> None:
    reads, writes = os.pipe()
    fork.before_fork(fork.NET, lambda: log.append("before"))
    fork.on_parent(fork.NET, lambda: log.append("parent"))
    fork.on_child(fork.NET, lambda: os.write(writes, b"child"))
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert log == ["before", "parent"]
    assert os.read(reads, 10) == b"child"
    os.close(reads)
    os.close(writes)
