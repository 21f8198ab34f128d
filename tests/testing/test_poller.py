"""Pollers for tests: events that the test makes up, and real events in fake time."""

import select
import socket
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.poller import EDGE, IN, ONESHOT, OUT, default_poller
from greening._core.waiting import sleep
from greening.errors import Deadlock
from greening.net.socket import GreenSocket
from greening.sync.event import Event
from greening.testing import FakeClock, FakePoller, JumpingPoller, NothingWillHappen, fake_hub, fake_time, settle


@pytest.fixture
def poller() -> FakePoller:
    return FakePoller(FakeClock())


def test_what_is_armed_can_be_looked_at(poller: FakePoller) -> None:
    poller.arm_edge(5)
    poller.arm_once(6, IN)
    assert poller.armed == {5: EDGE, 6: IN | ONESHOT}
    poller.disarm(5)
    poller.disarm(7)
    assert poller.armed == {6: IN | ONESHOT}
    assert poller.calls == [("arm_edge", 5, 0), ("arm_once", 6, IN), ("disarm", 5, 0), ("disarm", 7, 0)]


def test_a_descriptor_may_be_refused(poller: FakePoller) -> None:
    poller.refuse[5] = PermissionError(1, "a regular file")
    with pytest.raises(PermissionError):
        poller.arm_once(5, IN)
    assert poller.armed == {}
    assert poller.calls == [("arm_once", 5, IN)]


def test_events_are_found_once_whether_armed_or_not(poller: FakePoller) -> None:
    poller.arm_once(5, IN)
    poller.fire(5, IN)
    poller.fire(6, OUT)
    assert poller.pending()
    assert poller.wait(0) == [(5, IN), (6, OUT)]
    assert not poller.pending()
    assert poller.wait(0) == []
    assert poller.armed == {5: ONESHOT}  # it has to be armed again


def test_without_events_time_passes_and_an_endless_wait_is_an_error(poller: FakePoller) -> None:
    assert poller.wait(2.5) == []
    assert poller.clock.now() == 1002.5
    for endless in (None, float("inf")):
        with pytest.raises(NothingWillHappen, match="no timer is set"):
            poller.wait(endless)
    poller.fire(1, IN)
    assert poller.wait(None) == [(1, IN)]
    assert poller.clock.now() == 1002.5


def test_it_says_whether_it_was_closed() -> None:
    with fake_hub(edge=False) as fake:
        assert not fake.poller.edge
        assert not fake.poller.closed
    assert fake.poller.closed


def test_a_standstill_without_descriptors_is_a_deadlock() -> None:
    with fake_hub(), pytest.raises(Deadlock):
        Event().wait()


@pytest.fixture
def pair() -> Any:
    ours, theirs = socket.socketpair()
    with ours, GreenSocket(fileno=theirs.detach()) as green:
        yield ours, green


def test_real_descriptors_have_real_events_and_timers_keep_nothing_waiting(pair: Any) -> None:
    ours, green = pair
    with fake_time() as fake:
        reader = spawn(green.recv, 10)
        settle()
        ours.send(b"x")
        assert reader.wait() == b"x"
        assert fake.clock.now() == 1000.0
        sleep(3600)
        assert fake.clock.now() == 4600.0


def test_a_real_event_within_the_patience_comes_before_a_timer(pair: Any) -> None:
    poller = JumpingPoller(FakeClock(), default_poller(), patience=5.0)
    try:
        poller.arm_once(pair[1].fileno(), IN)
        pair[0].send(b"x")
        events = poller.wait(3600)
        assert [mask & select.POLLIN for _, mask in events] == [IN]
        assert poller.clock.now() == 1000.0
    finally:
        poller.close()


def test_an_endless_wait_is_left_to_the_real_poller() -> None:
    class Real:
        edge = True
        arm_edge = arm_once = disarm = close = fileno = None

        def wait(self, timeout: float | None) -> list[tuple[int, int]]:
            asked.append(timeout)
            return []

    asked: list[float | None] = []
    real: Any = Real()
    poller = JumpingPoller(FakeClock(), real, patience=0.5)
    poller.wait(None)
    poller.wait(float("inf"))
    poller.wait(0.25)
    poller.wait(3)
    assert asked == [None, None, 0.25, 0.5]
    assert poller.clock.now() == 1003.25
