"""What the watchdog knows of one hub."""

import sys

import pytest

import greening
from greening import tpool
from greening._core.current import get_hub
from greening._core.hub import Hub
from greening._originals import time_sleep
from greening.debug import hub_watch
from greening.debug.hub_watch import HubWatch
from greening.debug.samples import Line, Sight, Use


def seen(hub: Hub) -> Sight:
    """The main greenlet, at some line of a program."""
    return Sight(hub.main, "main greenlet", None, None, 0, (Line("app.py", 1, "main"),))


class FakeUse:
    """What the system says of an OS thread."""

    def __init__(self) -> None:
        self.use = Use(1.0, 1.0)

    def __call__(self, native_id: int) -> Use:
        return self.use


def test_time_in_the_queue_for_a_processor_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    use, told = FakeUse(), []
    monkeypatch.setattr(hub_watch, "use_of", use)
    monkeypatch.setattr(hub_watch, "see", seen)
    hub = get_hub()
    watched = HubWatch(hub, 0.1, use.use)
    looks = iter([(10.0, 0.01), (10.19, 0.2), (10.39, 0.4), (10.5, 0.0)])
    monkeypatch.setattr(hub_watch, "_now_and_age", lambda hub: next(looks))
    tell = lambda block, goes_on: told.append(block)  # noqa: E731
    assert not watched.look(tell)
    use.use = Use(1.05, 1.14)
    assert not watched.look(tell), "another process had the processor"
    use.use = Use(1.25, 1.14)
    assert watched.look(tell)
    watched.look(tell)
    (block,) = told
    assert (block.seconds, block.processor, block.queued) == (0.4, pytest.approx(0.25), pytest.approx(0.14))


def test_what_was_used_before_the_turn_does_not_hide_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the watchdog is late: the look before the turn was long before it."""
    use, told = FakeUse(), []
    monkeypatch.setattr(hub_watch, "use_of", use)
    monkeypatch.setattr(hub_watch, "see", seen)
    watched = HubWatch(get_hub(), 0.1, use.use)
    looks = iter([(10.0, 0.01), (10.6, 0.3), (10.7, 0.0)])
    monkeypatch.setattr(hub_watch, "_now_and_age", lambda hub: next(looks))
    tell = lambda block, goes_on: told.append(block)  # noqa: E731
    assert not watched.look(tell)
    use.use = Use(1.3, 1.3)
    assert watched.look(tell)
    watched.look(tell)
    (block,) = told
    assert (block.processor, block.queued) == (pytest.approx(0.15), pytest.approx(0.15)), "0.3 s in all"


def test_a_hub_that_sleeps_blocks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hub, told = get_hub(), []
    watched = HubWatch(hub, 0.001, None)

    def looks() -> list[bool]:
        while hub.awake_ident:  # until it sleeps
            time_sleep(0.0001)
        time_sleep(0.01)
        return [watched.look(lambda block, goes_on: told.append(block)) for _ in range(3)]

    native = greening.spawn(tpool.execute, looks)
    assert native.wait() == [False] * 3
    assert told == []


def test_a_hub_that_has_just_woken_up_blocks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its slice is still that of before its sleep. Only a second look at the same turn tells."""
    hub, told = get_hub(), []
    watched = HubWatch(hub, 0.1, None)
    looks = iter([(10.0, 5.0), (10.2, 5.2), (10.4, 0.0)])
    monkeypatch.setattr(hub_watch, "_now_and_age", lambda hub: next(looks))
    awakes = Sight(None, "hub", None, sys._getframe(), 0, (Line("hub.py", 1, "Hub._turn"),))
    monkeypatch.setattr(hub_watch, "see", lambda hub: awakes)
    tell = lambda block, goes_on: told.append(block.name)  # noqa: E731
    assert not watched.look(tell)
    monkeypatch.setattr(HubWatch, "_is_harmless", lambda self, sight: False)
    assert watched.look(tell)
    assert not watched.look(tell)
    assert told == ["hub", "hub"], "while it went on, and at its end"


def test_time_in_which_another_os_thread_had_the_gil_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    hub, told = get_hub(), []
    watched = HubWatch(hub, 0.1, None)
    looks = iter([(10.0, 0.01), (10.5, 0.51), (10.7, 0.71), (10.8, 0.0)])
    monkeypatch.setattr(hub_watch, "_now_and_age", lambda hub: next(looks))
    monkeypatch.setattr(hub_watch, "see", seen)
    tell = lambda block, goes_on: told.append(block.seconds)  # noqa: E731
    assert not watched.look(tell)
    assert not watched.look(tell, 0.45)
    assert watched.look(tell), "its own time is 0.26 s"
    assert not watched.look(tell)
    assert told == [pytest.approx(0.71)]


def test_what_the_hub_does_between_two_turns_is_no_part_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    hub, told = get_hub(), []
    watched = HubWatch(hub, 0.1, None)
    looks = iter([(10.0, 0.2), (10.1, 0.3), (10.2, 0.0)])
    sights = iter([seen(hub), Sight(None, "hub", None, None, 0, (Line("hub.py", 1, "Hub._turn"),))])
    monkeypatch.setattr(hub_watch, "_now_and_age", lambda hub: next(looks))
    monkeypatch.setattr(hub_watch, "see", lambda hub: next(sights))
    tell = lambda block, goes_on: told.append(block)  # noqa: E731
    assert watched.look(tell)
    assert not watched.look(tell)
    watched.look(tell)
    assert [line.function for line, _ in told[0].places] == ["main"]
