"""Stand-ins: code that interrupts a task on its way to a park waits as a task of its own."""

from collections.abc import Callable
from typing import Any

import pytest
from greenlet import getcurrent

from greening._core.current import current, get_hub
from greening._core.greenthread import spawn
from greening._core.parking_lot import ParkingLot
from greening._core.stand_in import Interruption, StandIn
from greening._core.task import DEAD, PARKED, READY, RUNNING, TIMED_OUT
from greening._core.waiting import sleep
from greening.sync.event import Event
from greening.testing import Fake, FakePoller, settle

pytestmark = pytest.mark.usefixtures("fake")


def interrupted(code: Callable[[], Any]) -> tuple[Any, Any]:
    """Run `code` while the running task is PARKED, and has not parked: what it returns, and what the park returns."""
    me = current()
    me.state = PARKED
    inner = code()
    return inner, me.park(me.hub.now() + 100)


def test_a_task_that_runs_needs_no_stand_in(fake: Fake[FakePoller]) -> None:
    assert current().waiter() is current()
    assert not fake.hub.stand_ins


def test_a_stand_in_has_the_identity_of_its_task(fake: Fake[FakePoller]) -> None:
    def body() -> list[object]:
        me = current()
        me.thread_object = owner = object()
        me.locals["key"] = "value"
        me.state = PARKED
        stand_in = me.waiter()
        shown = [
            isinstance(stand_in, StandIn),
            stand_in.ident == me.ident,
            stand_in.name == me.name,
            stand_in.locals is me.locals,
            stand_in.thread_object is owner,
            stand_in.greenlet is getcurrent(),
            stand_in.state == RUNNING,
        ]
        stand_in.cancel_park()
        me.cancel_park()
        return shown

    assert all(spawn(body).wait())
    assert not fake.hub.stand_ins


def test_both_waits_end_each_for_its_own_reason(fake: Fake[FakePoller]) -> None:
    event = Event()
    thread = spawn(interrupted, lambda: event.wait(10))
    settle()
    assert len(fake.hub.stand_ins) == 1
    event.send("inner")
    settle()
    assert not fake.hub.stand_ins
    thread.wake("outer")
    assert thread.wait() == ("inner", "outer")


def test_the_turn_of_the_outer_wait_is_put_off_until_the_inner_one_is_over(fake: Fake[FakePoller]) -> None:
    event, ended = Event(), []
    thread = spawn(interrupted, lambda: (event.wait(10), ended.append("inner")))
    thread.link(lambda gt: ended.append("outer"))
    settle()
    assert thread.wake("outer")
    settle()
    assert (thread.state, ended) == (READY, [])
    assert thread.greenlet is not None, "although it is held"
    event.send()
    thread.wait()
    assert ended == ["inner", "outer"]


def test_a_stand_in_is_used_again_until_it_parks() -> None:
    me = current()
    me.state = PARKED
    first = me.waiter()
    assert me.waiter() is first
    first.state = PARKED
    second = me.waiter()
    assert second is not first
    second.cancel_park()
    assert get_hub().stand_ins[getcurrent()] is first
    first.cancel_park()
    me.cancel_park()
    assert not get_hub().stand_ins


def test_three_waits_on_one_greenlet_end_from_the_inside_out(fake: Fake[FakePoller]) -> None:
    ends: list[str] = []

    def middle() -> object:
        lot = ParkingLot()
        stand_in = lot.enter()
        try:
            sleep(2)  # code that interrupts the code that interrupts
            ends.append("inner")
            return lot.wait(stand_in, 10)
        finally:
            ends.append("middle")

    assert interrupted(middle) == (TIMED_OUT, TIMED_OUT)
    assert ends == ["inner", "middle"]
    assert fake.clock.now() == 1112.0
    assert not fake.hub.stand_ins


def test_a_stand_in_is_before_the_task_that_it_holds(fake: Fake[FakePoller]) -> None:
    lot = ParkingLot()
    others = [spawn(lot.park) for _ in range(2)]
    settle()
    me = current()
    lot.insert(1, me)
    me.state = PARKED
    stand_in = me.waiter()
    assert isinstance(stand_in, StandIn)
    assert stand_in.place_in(lot) == 1
    lot.leave(me)
    assert stand_in.place_in(lot) == 2, "the last"
    stand_in.cancel_park()
    me.cancel_park()
    lot.unpark_all()
    for thread in others:
        thread.wait()


# An error for the code that interrupts, and not for the task


def test_an_interruption_that_does_not_wait_gets_no_error() -> None:
    me = current()
    me.state = PARKED
    assert not Interruption(me).interrupt(LookupError())
    me.cancel_park()


def test_an_error_for_an_interruption_ends_its_own_wait(fake: Fake[FakePoller]) -> None:
    def code() -> str:
        interruption = Interruption(current())
        fake.hub.call_at(fake.hub.now() + 1, interruption.interrupt, LookupError("inner"))
        try:
            Event().wait(50)
        except LookupError as error:
            return str(error)
        return "waited"

    assert interrupted(code) == ("inner", TIMED_OUT)


def test_an_error_for_an_interruption_passes_over_those_inside_it(fake: Fake[FakePoller]) -> None:
    """Its own wait is interrupted by code that waits: that goes on, and then its wait ends."""
    order: list[str] = []

    def code() -> None:
        interruption = Interruption(current())
        lot = ParkingLot()
        stand_in = lot.enter()
        fake.hub.call_at(fake.hub.now() + 1, interruption.interrupt, LookupError())
        sleep(5)
        order.append("the code inside")
        try:
            lot.wait(stand_in, 50)
        except LookupError:
            order.append("its wait")

    interrupted(code)
    assert order == ["the code inside", "its wait"]


# The hub's own task


def test_the_hub_is_no_task_that_runs_or_waits(fake: Fake[FakePoller]) -> None:
    task = fake.hub.task
    assert (task.name, task.state) == ("hub", DEAD)
    assert not task.wake()
    assert not task.interrupt(LookupError())


def test_code_in_the_hub_waits_on_a_loop_that_is_moved_from_and_back(fake: Fake[FakePoller]) -> None:
    depths: list[tuple[str, int]] = []
    hub = fake.hub

    def code() -> None:
        loop = getcurrent()
        depths.append(("before", hub.greenlet.depth))
        sleep(1)
        depths.append(("after", hub.greenlet.depth))
        assert hub.greenlet is loop

    hub.call_at(hub.now(), code)
    hub.call_at(hub.now() + 0.5, lambda: depths.append(("meanwhile", hub.greenlet.depth)))
    sleep(2)
    assert depths == [("before", 0), ("meanwhile", 1), ("after", 0)]
