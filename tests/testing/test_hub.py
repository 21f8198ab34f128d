"""A hub of a test's own: what it gives, and what it leaves behind."""

from typing import Any

import pytest

from greening._core.current import current, get_hub
from greening._core.greenthread import spawn
from greening._core.waiting import sleep, yield_now
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.testing import FakePoller, fake_hub, fake_time, settle, unfinished


@pytest.mark.parametrize("make", [fake_hub, fake_time])
def test_the_body_runs_in_the_main_greenlet_of_its_own_hub(make: Any) -> None:
    before = get_hub()
    with make() as fake:
        assert get_hub() is fake.hub is not before
        assert current() is fake.hub.main
        assert spawn(get_hub).wait() is fake.hub
        assert fake.hub.now() == fake.clock.now()
    assert get_hub() is before


def test_it_can_stand_inside_another_one() -> None:
    with fake_hub() as outer:
        with fake_hub() as inner:
            sleep(5)
        assert (outer.clock.now(), inner.clock.now()) == (1000.0, 1005.0)
        assert get_hub() is outer.hub


def test_the_hub_of_before_comes_back_after_an_error() -> None:
    before = get_hub()
    with pytest.raises(ZeroDivisionError), fake_hub():
        _ = 1 / 0
    assert get_hub() is before


def test_green_threads_that_are_left_are_killed() -> None:
    ended: list[str] = []

    def stay() -> None:
        try:
            Event().wait()
        except GreenletExit:
            ended.append("killed")
            raise

    with fake_hub():
        waiting = spawn(stay)
        settle()
        not_begun = spawn(int)
    assert waiting.dead and not_begun.dead
    assert ended == ["killed"]


def test_settle_runs_all_that_can_run_and_passes_no_time() -> None:
    with fake_hub() as fake:
        order: list[int] = []

        def step(left: int) -> None:
            order.append(left)
            if left:
                yield_now()
                spawn(step, left - 1)

        spawn(step, 3)
        later = spawn(sleep, 1)
        settle()
        assert order == [3, 2, 1, 0]
        assert not later.dead
        assert fake.clock.now() == 1000.0


def test_settle_sees_events_and_timers_that_are_due() -> None:
    with fake_hub() as fake:
        timer = spawn(sleep, 1)
        settle()
        fake.clock.advance(1)
        fake.poller.fire(7, 1)
        settle()
        assert timer.dead
        assert not fake.poller.pending()


def test_unfinished_threads_are_those_that_wait_and_those_that_have_not_begun() -> None:
    with fake_hub() as fake:
        event: Event = Event()
        waiting, done = spawn(event.wait), spawn(int)
        settle()
        fresh = spawn(int)
        assert set(unfinished(fake.hub)) == {waiting, fresh}
        assert done.dead
        event.send()
        settle()
        assert unfinished(fake.hub) == []


def test_a_fake_is_typed_by_its_poller() -> None:
    with fake_hub() as fake:
        assert isinstance(fake.poller, FakePoller)
        with pytest.raises(AttributeError):
            fake.clock = None  # type: ignore[misc, assignment]  # it is frozen
