"""Waits for what a hub cannot see, and looking again and again."""

import pytest

from greening._core import external
from greening._core.external import FIRST, LONGEST, Backoff, ExternalWaits
from greening._core.greenthread import spawn
from greening.errors import Deadlock
from greening.sync.event import Event
from greening.testing import Fake, FakePoller, NothingWillHappen


def test_an_external_wait_is_counted_from_its_begin_to_its_end() -> None:
    waits = ExternalWaits()
    waits.begin_external_wait()
    with waits.external_wait():
        assert waits.external_waits == 2
    with pytest.raises(LookupError):
        with waits.external_wait():
            raise LookupError
    assert waits.external_waits == 1
    waits.end_external_wait()
    assert waits.external_waits == 0


def test_an_external_wait_is_no_deadlock(fake: Fake[FakePoller]) -> None:
    with fake.hub.external_wait():
        with pytest.raises(NothingWillHappen):
            Event().wait()
    thread = spawn(Event().wait)
    with pytest.raises(Deadlock):
        Event().wait()
    thread.kill()


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(external, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_pauses_double_up_to_the_longest(clock: Clock) -> None:
    look = Backoff(None)
    pauses = [look.next() for _ in range(8)]
    assert pauses == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST, 16 * FIRST, 32 * FIRST, LONGEST, LONGEST]
    clock.now += 1e9
    assert look.left() is None
    assert not look.over()


def test_no_pause_is_longer_than_the_time_that_is_left(clock: Clock) -> None:
    look = Backoff(1.0, first=0.75, longest=5.0)
    assert look.next() == 0.75
    clock.now += 0.75
    assert look.left() == 0.25
    assert look.next() == 0.25
    assert not look.over()
    clock.now += 0.5
    assert look.left() == 0
    assert look.next() == 0
    assert look.over()
