"""Signs of life: which workers are stuck, and when the watchdog is told that the service lives."""

from typing import Any

import pytest

from greening.wsgi.command import pulse
from greening.wsgi.command.channel import Child
from greening.wsgi.command.pulse import Pulse


class Clock:
    """Time, and a notifier: what it was told, and when."""

    def __init__(self, watchdog: float = 0.0) -> None:
        self.now = 1000.0
        self.watchdog = watchdog
        self.told: list[float] = []

    def __call__(self) -> float:
        return self.now

    def alive(self) -> None:
        self.told.append(self.now - 1000)


def made(monkeypatch: pytest.MonkeyPatch, timeout: float, watchdog: float = 0.0) -> tuple[Any, Pulse, Child]:
    clock: Any = Clock(watchdog)
    monkeypatch.setattr(pulse, "monotonic", clock)
    nothing: Any = None
    child = Child(1, nothing, 1)
    child.beat = clock.now
    return clock, Pulse(timeout, clock), child


@pytest.mark.parametrize(
    ("timeout", "watchdog", "beat"),
    [(60.0, 0.0, 1.0), (2.0, 0.0, 0.5), (0.0, 0.0, 0.0), (0.0, 2.0, 0.5), (60, 1, 0.25)],
)
def test_how_often_a_worker_is_to_say_that_it_lives(
    monkeypatch: pytest.MonkeyPatch, timeout: float, watchdog: float, beat: float
) -> None:
    assert made(monkeypatch, timeout, watchdog)[1].beat == beat


def test_a_worker_that_is_silent_for_too_long_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, watching, child = made(monkeypatch, 5.0)
    assert watching.due([child]) == [1005.0]
    clock.now += 4.9
    assert watching.stuck([child]) == []
    clock.now += 0.1
    assert watching.stuck([child]) == [child]
    child.beat = clock.now
    assert watching.stuck([child]) == []


def test_a_machine_that_slept_gives_all_workers_another_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, watching, child = made(monkeypatch, 5.0)
    clock.now += 100
    watching.slept([child])
    assert watching.stuck([child]) == []


def test_without_a_timeout_no_worker_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, watching, child = made(monkeypatch, 0.0)
    clock.now += 1e6
    assert watching.stuck([child]) == []
    assert watching.due([child]) == []


def test_the_watchdog_hears_only_of_workers_that_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, watching, child = made(monkeypatch, 0.0, watchdog=2.0)
    watching.tell_watchdog([])  # none is ready
    assert watching.due([child]) == [1002.0]
    clock.now += 1
    watching.tell_watchdog([child])  # not due
    clock.now += 1
    watching.tell_watchdog([child])
    assert clock.told == [2]
    clock.now += 2  # silent since
    watching.tell_watchdog([child])
    child.beat = clock.now
    clock.now += 2
    watching.tell_watchdog([child])
    assert clock.told == [2, 6]
