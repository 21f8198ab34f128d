"""The three steps in which a child is made to end."""

import signal
from typing import Any

import pytest

from greening.wsgi.command import deadlines
from greening.wsgi.command.channel import LAST_WORDS, Child
from greening.wsgi.command.deadlines import abort, enforce
from greening.wsgi.command.roster import Roster

NOTHING: Any = None


class Victim(Child):
    def __init__(self, ready: bool, template: bool = False) -> None:
        super().__init__(7, NOTHING, 1, template)
        self.ready = ready
        self.got: list[int] = []

    def kill(self, number: int) -> None:
        self.got.append(number)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(deadlines, "monotonic", lambda: now[0])
    return now


def driven(victim: Victim, clock: list[float], at_once: bool = False) -> list[int]:
    """Three deadlines, one after the other."""
    roster = Roster(1)
    roster.add(victim)
    victim.deadline = victim.deadline or clock[0]
    for _ in range(3):
        enforce(roster, at_once)
        enforce(roster, at_once)  # nothing is due
        assert victim.deadline > clock[0]
        clock[0] = victim.deadline
    return victim.got


def test_a_worker_is_asked_then_aborted_then_killed(clock: list[float], capfd: pytest.CaptureFixture[str]) -> None:
    assert driven(Victim(True), clock) == [LAST_WORDS, signal.SIGABRT, signal.SIGKILL]
    assert capfd.readouterr().err == "greening.wsgi: worker 7 does not end; killed; its stack follows\n"


@pytest.mark.parametrize(("ready", "template"), [(False, False), (False, True), (True, True)])
def test_what_serves_nothing_is_not_asked(
    clock: list[float], capfd: pytest.CaptureFixture[str], ready: bool, template: bool
) -> None:
    assert driven(Victim(ready, template), clock)[:2] == [signal.SIGABRT, signal.SIGKILL]
    assert ("preloads" in capfd.readouterr().err) == template


def test_one_that_is_stuck_already_is_not_told_twice(clock: list[float], capfd: pytest.CaptureFixture[str]) -> None:
    stuck = Victim(True)
    abort(stuck)
    assert stuck.deadline is not None
    clock[0] = stuck.deadline
    assert driven(stuck, clock)[:3] == [LAST_WORDS, signal.SIGABRT, signal.SIGKILL]
    assert capfd.readouterr().err == ""


def test_a_user_without_patience(clock: list[float]) -> None:
    assert set(driven(Victim(True), clock, at_once=True)) == {signal.SIGKILL}
