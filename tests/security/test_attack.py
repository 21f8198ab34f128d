"""`scripts/attack`: it attacks a real server, prints what that costs, and says which promises do not hold."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SCRIPTS), "PYTHONSAFEPATH": "1"}


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return import_module("attacks.__main__")


def attack(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "attacks", *arguments]
    return subprocess.run(command, env=ENVIRONMENT, cwd="/", capture_output=True, text=True, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["idle", "slow bodies"])
def test_a_row_for_an_attack(name: str) -> None:
    ran = attack(name, "--seconds", "0.3")
    assert ran.stderr == ""
    title, columns, row, *verdict = ran.stdout.splitlines()
    assert title.startswith("greening.wsgi, one worker process")
    assert columns.split()[:2] == ["attack", "clients"]
    assert row.startswith(f"{name}  ")
    # Another program on this machine may make an honest client wait; that the server keeps it out is not so.
    assert float(row.split()[-2]) < 10
    assert ran.returncode == (0 if verdict == ["the promises hold"] else 1)


def test_what_is_not_there_is_said() -> None:
    assert "no such attack: frobnicate" in attack("frobnicate").stderr


def test_promises_are_held_against_what_was_measured(program: Any) -> None:
    promised = program.Attack("any", 1, "anything", wait=0.1, longest=1.0, memory=100)
    assert program.Cost(50, 149, 0.5, 0.09, 0.9).broken(promised) == []
    assert len(program.Cost(50, 151, 0.5, 0.11, 1.1).broken(promised)) == 3


def test_every_attack_has_its_clients(program: Any) -> None:
    attackers = import_module("attacks.attackers")
    assert {one.name for one in program.ATTACKS} == attackers.BY_NAME.keys()
