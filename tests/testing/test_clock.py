"""`FakeClock`: time that a test moves."""

import math

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.testing import FakeClock, NothingWillHappen, fake_hub, settle


def test_time_stands_still_until_it_is_moved() -> None:
    clock = FakeClock(5)
    assert clock.now() == clock.now() == 5.0
    clock.advance(0.5)
    clock.advance(0)
    assert clock.now() == 5.5


@pytest.mark.parametrize("seconds", [-1, -0.001, math.inf, math.nan])
def test_time_does_not_go_back_and_does_not_end(seconds: float) -> None:
    clock = FakeClock()
    with pytest.raises(ValueError, match="time moves forward"):
        clock.advance(seconds)
    assert clock.now() == 1000.0


def test_its_face_says_the_time_and_whether_it_jumps() -> None:
    assert repr(FakeClock(3)) == "<FakeClock at 3.0 s, autojump>"
    assert repr(FakeClock(3, autojump=False)) == "<FakeClock at 3.0 s>"


def test_timers_that_are_due_fire_when_the_caller_next_parks() -> None:
    with fake_hub(FakeClock(autojump=False)) as fake:
        thread = spawn(sleep, 60)
        settle()
        fake.clock.advance(59)
        settle()
        assert not thread.dead
        fake.clock.advance(1)
        assert not thread.dead
        settle()
        assert thread.dead


def test_when_everything_waits_it_jumps_or_complains() -> None:
    with fake_hub() as fake:
        sleep(3600)
        assert fake.clock.now() == 4600.0
    with fake_hub(FakeClock(autojump=False)), pytest.raises(NothingWillHappen, match="the clock stands still"):
        sleep(3600)
