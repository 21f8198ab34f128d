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


def made(
    monkeypatch: pytest.MonkeyPatch, timeout: float, watchdog: float = 0.0, start_timeout: float = 0.0
) -> tuple[Any, Pulse, Child]:
    clock: Any = Clock(watchdog)
    monkeypatch.setattr(pulse, "monotonic", clock)
    nothing: Any = None
    child = Child(1, nothing, 1)
    child.beat = clock.now
    child.ready = True
    return clock, Pulse(timeout, start_timeout, clock), child


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


def test_a_worker_that_loads_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, watching, child = made(monkeypatch, 5.0, start_timeout=20.0)
    child.ready = False
    assert watching.due([child]) == [1020.0]
    clock.now += 19
    assert watching.stuck([child]) == []
    clock.now += 1
    assert watching.stuck([child]) == [child]


def test_the_watchdog_hears_only_of_workers_that_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, watching, child = made(monkeypatch, 0.0, watchdog=2.0)
    watching.tell_watchdog([])  # there is none
    assert watching.due([]) == [1001.0]  # one may come soon
    clock.now += 1
    watching.tell_watchdog([child])
    assert clock.told == [1]
    clock.now += 1
    watching.tell_watchdog([child])  # not due
    clock.now += 1.5  # silent since
    watching.tell_watchdog([child])
    assert clock.told == [1]
    child.beat = clock.now
    clock.now += 1
    watching.tell_watchdog([child])
    assert clock.told == [1, 4.5]


def test_the_watchdog_does_not_end_the_service_for_a_worker_that_is_to_be_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, watching, child = made(monkeypatch, 30.0, watchdog=15.0)
    for _ in range(3):  # as WatchdogSec=30 has it, 15 s apart
        watching.tell_watchdog([child])
        clock.now += 15
    assert clock.told == [0, 15, 30]
    child.ready, child.beat = False, clock.now  # its successor, which takes a while to load
    clock.now += 60
    watching.tell_watchdog([child])
    assert clock.told[-1] == 105
