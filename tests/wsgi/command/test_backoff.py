"""When the next worker may be forked."""

import pytest

from greening.wsgi.command import backoff
from greening.wsgi.command.backoff import Backoff


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(backoff, "monotonic", lambda: now[0])
    return now


def test_the_wait_doubles_with_each_early_death_up_to_ten_seconds(clock: list[float]) -> None:
    made = Backoff()
    waits = []
    for _ in range(9):
        made.died_early()
        waits.append(round(made.not_before - clock[0], 3))
        clock[0] = made.not_before
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    made.is_ready()
    made.died_early()
    assert made.not_before - clock[0] == pytest.approx(0.1)


def test_several_that_die_together_count_once(clock: list[float]) -> None:
    made = Backoff()
    for _ in range(10):
        made.died_early()
    assert made.not_before == clock[0] + 0.1
    assert not made.is_hopeless


def test_five_early_deaths_are_hopeless(clock: list[float]) -> None:
    made = Backoff()
    for _ in range(4):
        assert not made.is_hopeless
        made.died_early()
        clock[0] = made.not_before
    assert made.is_hopeless
    made.begin_anew()
    assert not made.is_hopeless
    assert made.not_before == 0.0


def test_after_one_that_served_the_next_is_forked_soon_but_not_in_a_circle(clock: list[float]) -> None:
    made = Backoff()
    made.forks()
    clock[0] += 60
    made.served()
    assert made.not_before < clock[0]
    made.forks()
    made.served()
    assert made.not_before == clock[0] + 0.1
