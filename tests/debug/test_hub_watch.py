"""What the watchdog knows of one hub."""

import sys

import pytest

import greening
from greening import tpool
from greening._core.current import get_hub
from greening._originals import monotonic, time_sleep
from greening.debug import hub_watch
from greening.debug.hub_watch import HubWatch
from greening.debug.samples import Line, Sight, Use


class FakeUse:
    """What the system says of an OS thread."""

    def __init__(self) -> None:
        self.use = Use(1.0, 1.0)

    def __call__(self, native_id: int) -> Use:
        return self.use


def test_time_in_the_queue_for_a_processor_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    use, told = FakeUse(), []
    monkeypatch.setattr(hub_watch, "use_of", use)
    hub = get_hub()
    watched = HubWatch(hub, 0.1, use.use)
    ages = iter([0.01, 0.2, 0.4, 0.0])
    monkeypatch.setattr(hub_watch, "_age", lambda hub: next(ages))
    tell = lambda block, goes_on: told.append(block)  # noqa: E731
    assert not watched.look(10.0, tell)
    use.use = Use(1.05, 1.14)
    assert not watched.look(10.19, tell), "another process had the processor"
    use.use = Use(1.25, 1.14)
    assert watched.look(10.39, tell)
    watched.look(10.5, tell)
    (block,) = told
    assert (block.seconds, block.processor, block.queued) == (0.4, pytest.approx(0.25), pytest.approx(0.14))


def test_a_hub_that_sleeps_blocks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hub, told = get_hub(), []
    watched = HubWatch(hub, 0.001, None)

    def looks() -> list[bool]:
        while hub.awake_ident:  # until it sleeps
            time_sleep(0.0001)
        time_sleep(0.01)
        return [watched.look(monotonic(), lambda block, goes_on: told.append(block)) for _ in range(3)]

    native = greening.spawn(tpool.execute, looks)
    assert native.wait() == [False] * 3
    assert told == []


def test_a_hub_that_has_just_woken_up_blocks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its slice is still that of before its sleep. Only a second look at the same turn tells."""
    hub, told = get_hub(), []
    watched = HubWatch(hub, 0.1, None)
    ages = iter([5.0, 5.2, 0.0])
    monkeypatch.setattr(hub_watch, "_age", lambda hub: next(ages))
    awakes = Sight(None, "hub", None, sys._getframe(), 0, (Line("hub.py", 1, "Hub._turn"),))
    monkeypatch.setattr(hub_watch, "see", lambda hub: awakes)
    tell = lambda block, goes_on: told.append(block.name)  # noqa: E731
    assert not watched.look(10.0, tell)
    monkeypatch.setattr(HubWatch, "_is_harmless", lambda self, sight: False)
    assert watched.look(10.2, tell)
    assert not watched.look(10.4, tell)
    assert told == ["hub", "hub"], "while it went on, and at its end"
