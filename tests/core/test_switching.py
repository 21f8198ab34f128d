"""Rounds and turns, and the switch from one task to the next."""

import gc

import pytest

from greening._compiled import accelerator
from greening._core.current import current, get_hub
from greening._core.greenthread import kill, spawn
from greening._core.slices import ROUND_SECONDS, SLICE_SECONDS
from greening._core.task import DEAD, READY
from greening._core.waiting import sleep
from greening._originals import monotonic
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.testing import Fake, FakePoller, settle

own_clock = pytest.mark.skipif(
    accelerator is not None, reason="rounds of a test's own clock are counted in turns there"
)


def test_a_round_has_so_many_turns(fake: Fake[FakePoller]) -> None:
    hub = fake.hub
    hub.begin_round(2)
    assert hub.switches_left == 2
    assert hub.turn_begins()
    hub.switches_left = 0
    assert not hub.turn_begins()


def test_switches_and_rounds_are_counted(fake: Fake[FakePoller]) -> None:
    """A round that is ended early counts no switch that was not made."""
    hub = fake.hub
    threads = [spawn(sleep, 0) for _ in range(3)]
    for thread in threads:
        thread.wait()
    rounds, switches = hub.rounds, hub.switches + hub.granted - hub.switches_left
    other = spawn(sleep, 0)
    sleep(0)  # the other begins
    hub.end_round()
    hub.end_round()
    sleep(0)  # to the loop, which begins a round: the other ends
    assert other.dead
    assert hub.rounds == rounds + 1
    assert hub.switches + hub.granted - hub.switches_left == switches + 4


@own_clock
def test_a_round_has_so_much_time_and_each_turn_in_it_a_slice(fake: Fake[FakePoller]) -> None:
    hub = fake.hub
    hub.begin_round(1000)
    fake.clock.advance(ROUND_SECONDS / 2)
    assert hub.turn_begins()
    assert hub.slice_end == fake.clock.now() + SLICE_SECONDS
    fake.clock.advance(ROUND_SECONDS)
    assert not hub.turn_begins()
    hub.begin_slice(5.0)
    assert hub.slice_end == 5.0 + SLICE_SECONDS


def test_the_collector_rests_and_works_however_often_it_is_said(fake: Fake[FakePoller]) -> None:
    hub = fake.hub
    hub.pause_gc()
    hub.pause_gc()
    assert not gc.isenabled()
    hub.resume_gc()
    hub.resume_gc()
    assert gc.isenabled()


def test_a_task_that_parks_switches_to_the_next_without_the_hub(fake: Fake[FakePoller]) -> None:
    """Runners that are idle take what has not begun."""
    for thread in [spawn(sleep, 0) for _ in range(3)]:
        thread.wait()
    order: list[int] = []
    fake.hub.begin_round(100)
    threads = [spawn(order.append, n) for n in range(3)]
    event = Event()
    last = spawn(event.send)
    event.wait()
    assert order == [0, 1, 2]
    for thread in [*threads, last]:
        thread.wait()


def test_a_dead_task_in_the_queue_is_passed_over(fake: Fake[FakePoller]) -> None:
    spawn(sleep, 0).wait()  # leaves an idle runner
    thread, ran = spawn(int), []
    kill(thread)
    assert thread.state == DEAD
    assert thread in list(fake.hub.ready)
    spawn(ran.append, 1)
    fake.hub.begin_round(100)
    sleep(0)
    assert ran == [1]
    with pytest.raises(GreenletExit):
        thread.wait()


def test_two_that_wake_each_other_come_to_the_hub_when_the_round_is_over(fake: Fake[FakePoller]) -> None:
    looks = 0
    wait = fake.poller.wait

    def look(timeout: float | None) -> list[tuple[int, int]]:
        nonlocal looks
        looks += 1
        return wait(timeout)

    fake.poller.wait = look  # type: ignore[method-assign]  # to count
    thread = spawn(lambda: [sleep(0) for _ in range(1000)])
    while not thread.dead:
        sleep(0)
    assert 2 <= looks <= 100


def test_a_task_that_is_alone_goes_on_by_way_of_the_hub(fake: Fake[FakePoller]) -> None:
    me = current()
    fired: list[int] = []
    fake.hub.call_at(fake.hub.now(), fired.append, 1)
    me.state = READY
    fake.hub.switches_left = 0
    fake.hub.ready.append(me)
    me.park()
    assert fired == [1]
    settle()


def test_the_age_of_a_slice_begins_anew_with_each_turn() -> None:
    hub = get_hub()
    sleep(0)
    before = hub.slice_age()
    end = monotonic() + 0.01
    while monotonic() < end:
        pass
    assert hub.slice_age() >= before + 0.01
    sleep(0)
    assert hub.slice_age() < before + 0.01


def test_with_a_clock_of_a_test_a_slice_has_no_age(fake: Fake[FakePoller]) -> None:
    assert fake.hub.slice_age() == 0.0
