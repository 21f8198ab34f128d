"""The wait queue: nothing that a task was chosen for is lost, however its wait ends."""

from collections.abc import Callable
from typing import Any

import pytest

from greening._core.critical import guard
from greening._core.current import current
from greening._core.greenthread import kill, spawn
from greening._core.parking_lot import ParkingLot
from greening._core.task import DEAD, PARKED, READY, RUNNING, TIMED_OUT, Task
from greening._core.waiting import sleep
from greening._originals import allocate_lock, start_new_thread
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.sync.lock import Lock
from greening.testing import Fake, FakePoller, settle

pytestmark = pytest.mark.usefixtures("fake")


def test_waiters_are_chosen_in_order_of_arrival_and_get_their_values() -> None:
    lot = ParkingLot()
    threads = [spawn(lot.park) for _ in range(3)]
    settle()
    assert len(lot) == 3
    assert [lot.unpark(value) for value in "abc"] == threads
    assert [thread.wait() for thread in threads] == ["a", "b", "c"]
    assert not lot
    assert lot.unpark("d") is None


def test_unpark_all_gives_every_waiter_the_value() -> None:
    lot = ParkingLot()
    threads = [spawn(lot.park) for _ in range(3)]
    settle()
    lot.unpark_all("all")
    assert [thread.wait() for thread in threads] == ["all"] * 3


def test_a_wait_whose_time_is_up_has_left(fake: Fake[FakePoller]) -> None:
    lot = ParkingLot()
    thread = spawn(lot.park, 5)
    settle()
    fake.clock.advance(5)
    assert thread.wait() is TIMED_OUT
    assert not lot


def test_what_a_killed_waiter_was_chosen_for_is_passed_on() -> None:
    lot, passed_on = ParkingLot(), []
    thread = spawn(lot.park, None, passed_on.append)
    settle()
    lot.unpark("item")
    kill(thread)
    with pytest.raises(GreenletExit):
        thread.wait()
    assert passed_on == ["item"]


def test_a_waiter_that_was_killed_before_it_was_chosen_passes_nothing_on() -> None:
    lot, passed_on = ParkingLot(), []
    thread = spawn(lot.park, None, passed_on.append)
    settle()
    kill(thread)
    settle()
    assert not lot
    assert passed_on == []


def test_an_error_of_what_passes_on_is_raised_with_the_interruption_behind_it() -> None:
    lot = ParkingLot()

    def fail(value: Any) -> None:
        raise LookupError(value)

    def wait() -> BaseException | None:
        with pytest.raises(LookupError, match="item") as caught:
            lot.park(None, fail)
        return caught.value.__context__

    thread = spawn(wait)
    settle()
    lot.unpark("item")
    kill(thread, ValueError("interrupted"))
    assert isinstance(thread.wait(), ValueError)


def test_to_withdraw_leaves_the_lot_and_the_task_runs_on() -> None:
    lot, passed_on = ParkingLot(), []
    task = lot.enter()
    assert (task, task.state, list(lot)) == (current(), PARKED, [task])
    lot.withdraw(task, passed_on.append)
    assert (task.state, list(lot), passed_on) == (RUNNING, [], [])
    sleep(0)


def test_to_withdraw_passes_on_what_the_task_was_chosen_for_meanwhile() -> None:
    """As by another OS thread, between the entry and the look."""
    lot, passed_on = ParkingLot(), []
    task = lot.enter()
    assert lot.unpark("permit") is task
    assert task.state == READY
    lot.withdraw(task, passed_on.append)
    assert passed_on == ["permit"]
    assert (task.state, task.value) == (RUNNING, None)
    sleep(0)  # it is not in the hub's queue twice


@pytest.mark.parametrize("timeout", ["5", object(), float("nan"), 1j])
def test_a_timeout_that_is_no_number_of_seconds_is_refused_and_nothing_is_left(timeout: Any) -> None:
    lot = ParkingLot()
    with pytest.raises((TypeError, ValueError)):
        lot.park(timeout)
    assert not lot
    assert current().state == RUNNING
    sleep(0)


def test_a_task_that_waits_in_one_lot_can_enter_another() -> None:
    first, second = ParkingLot(), ParkingLot()
    task = first.enter()
    assert second.enter(task) is task
    assert list(first) == list(second) == [task]
    second.leave(task)
    first.withdraw(task)


def test_one_lot_is_not_another_whatever_waits_in_them() -> None:
    lots = [ParkingLot(), ParkingLot()]
    assert lots[0] != lots[1]
    assert lots.index(lots[1]) == 1
    assert len(set(lots)) == 2


def test_to_withdraw_keeps_what_was_thrown_meanwhile_for_the_next_wait() -> None:
    """A finaliser may wait between the entry and the look, and a kill may come then."""

    def wait() -> str:
        lot = ParkingLot()
        task = lot.enter()
        task.interrupt(LookupError("killed"))
        lot.withdraw(task)
        with pytest.raises(LookupError, match="killed"):
            sleep(0)
        return "raised at the next wait"

    assert spawn(wait).wait() == "raised at the next wait"


def test_a_task_that_was_chosen_before_its_timeout_was_found_to_be_none_runs_on_in_order() -> None:
    lot, passed_on = ParkingLot(), []
    task = lot.enter()
    lot.unpark("permit")
    with pytest.raises(ValueError, match="nan"):
        lot.wait(task, float("nan"), passed_on.append)
    assert passed_on == ["permit"]
    assert (task.state, list(task.hub.ready)) == (RUNNING, [])


def in_os_thread(function: Callable[[], Any]) -> Any:
    """What `function()` returns in an OS thread of its own. This one waits, and really blocks."""
    results: list[Any] = []
    ended = allocate_lock()
    ended.acquire()

    def run() -> None:
        try:
            results.append(function())
        finally:
            ended.release()

    start_new_thread(run, ())
    assert ended.acquire(True, 10)
    return results[0]


class Slow(ParkingLot):
    """Something happens between the entry and the look at what is waited for."""

    __slots__ = ("meanwhile",)

    meanwhile: Callable[[], object]

    def enter(self, task: Task | None = None) -> Task:
        entered = super().enter(task)
        self.meanwhile()
        return entered


def test_an_os_thread_without_a_hub_that_was_woken_and_withdrew_blocks_in_its_next_wait() -> None:
    """Its wake-up lock had been released for the first wait."""
    event, lock = Event(), Lock()
    lot = Slow()
    lot.meanwhile = lambda: in_os_thread(event.send)
    event._sending.waiters = lot
    lock.acquire()

    def run() -> tuple[Any, bool]:
        return event.wait(), lock.acquire(timeout=0.01)

    assert in_os_thread(run) == (None, False)
    assert not lock._waiters


def test_those_that_cannot_be_chosen_are_passed_over(fake: Fake[FakePoller]) -> None:
    lot = ParkingLot()
    tasks = {state: Task(fake.hub) for state in (DEAD, READY, PARKED)}
    for state, task in tasks.items():
        task.state = state
        lot.enter(task)
    with guard:
        assert lot.choose("value") is tasks[PARKED]
        assert lot.choose("value") is None
    assert list(lot) == [tasks[READY]], "one whose time is up leaves by itself, a dead one never"
    assert tasks[PARKED].value == "value"


def test_unpark_all_leaves_those_that_leave_by_themselves(fake: Fake[FakePoller]) -> None:
    lot = ParkingLot()
    for state in (DEAD, READY):
        task = Task(fake.hub)
        task.state = state
        lot.enter(task)
    lot.unpark_all()
    assert [task.state for task in lot] == [READY]
    assert not fake.hub.ready
