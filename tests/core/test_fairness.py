"""One budget for every call that may wait: in time, and in tries."""

from collections.abc import Callable, Iterator
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from greening._compiled import accelerator
from greening._core import fairness
from greening._core.critical import guard
from greening._core.current import has_hub
from greening._core.fairness import begin_slice, fairness_tick, yield_if_used_up
from greening._core.greenthread import spawn
from greening._core.slices import LONG_AGO, SLICE, SLICE_SECONDS, TRIES, UNUSED
from greening._originals import monotonic
from greening.testing import Fake, FakePoller, settle

pure = pytest.mark.skipif(accelerator is not None, reason="the accelerator has a slice of its own")


@pytest.fixture
def ran(fake: Fake[FakePoller]) -> Iterator[list[int]]:
    """What another green thread has written, which is runnable."""
    ran: list[int] = []
    spawn(ran.append, 1)
    yield ran
    settle()


def test_others_run_when_the_tries_are_spent(ran: list[int], spent: Callable[[], None]) -> None:
    fairness_tick()
    assert ran == []
    spent()
    fairness_tick()
    assert ran == [1]


@pytest.mark.skipif(accelerator is not None, reason="slices of a test's own clock are counted in tries there")
def test_others_run_when_the_slice_is_over(
    ran: list[int], fake: Fake[FakePoller], set_slice: Callable[[int, float], None]
) -> None:
    fake.clock.advance(1)
    set_slice(TRIES, 0.0)
    fairness_tick()
    assert ran == [1]


def test_while_this_os_thread_has_its_slice_no_other_runs(
    ran: list[int], fake: Fake[FakePoller], set_slice: Callable[[int, float], None]
) -> None:
    """The slice of another OS thread may have hidden that."""
    fake.hub.begin_slice(fake.hub.now())
    set_slice(TRIES, 0.0)
    fairness_tick()
    assert ran == []


def test_in_a_critical_step_no_other_runs(ran: list[int], spent: Callable[[], None]) -> None:
    with guard:
        spent()
        fairness_tick()
        assert ran == []


def test_an_os_thread_without_a_hub_gets_none(in_os_thread: Callable[..., Any], spent: Callable[[], None]) -> None:
    def body() -> bool:
        spent()
        fairness_tick()
        yield_if_used_up()
        return has_hub()

    assert not in_os_thread(body)


@pure
def test_a_slice_begins_with_all_its_tries() -> None:
    SLICE.tries = 3
    begin_slice()
    assert SLICE.tries == TRIES
    assert monotonic() < SLICE.until <= monotonic() + SLICE_SECONDS


@pure
def test_the_end_of_the_slice_that_was_asked_for_is_remembered(fake: Fake[FakePoller]) -> None:
    fake.hub.slice_end = fake.hub.now() + 5
    yield_if_used_up()
    assert fake.hub.slice_end == SLICE.until


# Whether a slice was used up. Times in milliseconds.


@pytest.fixture
def is_used_up(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[bool, Any]]:
    """Call it with what has passed since a slice of 1 ms began at 1000, and what of this was used."""

    def ask(passed: float, used: float, *, timed: bool = True, unused: float = 0.0) -> tuple[bool, Any]:
        hub = SimpleNamespace(
            now=lambda: 1.0 + passed / 1000,
            slice_end=1.0 + SLICE_SECONDS,
            timed=timed,
            looked_up=1.0,
            used_then=7.0,
            unused=unused,
        )
        monkeypatch.setattr(fairness, "thread_time", lambda: 7.0 + used / 1000)
        return fairness._is_used_up(hub), hub  # type: ignore[arg-type]  # as much of a hub as is used

    return ask


def test_a_slice_is_used_up_by_time_on_the_processor(is_used_up: Callable[..., tuple[bool, Any]]) -> None:
    assert not is_used_up(0.9, 0.9)[0]
    assert is_used_up(1.1, 1.1)[0]


def test_time_that_another_process_had_is_given_back(is_used_up: Callable[..., tuple[bool, Any]]) -> None:
    used_up, hub = is_used_up(8, 0.25)
    assert not used_up
    assert hub.slice_end == pytest.approx(1.008 + 0.00075)
    assert (hub.looked_up, hub.used_then) == (hub.now(), 7.00025)
    assert hub.unused == pytest.approx(0.00775)


def test_time_that_was_lost_again_and_again_counts(is_used_up: Callable[..., tuple[bool, Any]]) -> None:
    used_up, hub = is_used_up(8, 0.25, unused=(UNUSED - 7) * SLICE_SECONDS)
    assert used_up
    assert hub.unused == 0


def test_a_slice_of_long_ago_is_over_whatever_was_used(is_used_up: Callable[..., tuple[bool, Any]]) -> None:
    assert is_used_up(LONG_AGO + 1, 0)[0]


def test_by_a_clock_of_a_tests_own_a_slice_ends_in_time(is_used_up: Callable[..., tuple[bool, Any]]) -> None:
    assert is_used_up(8, 0, timed=False)[0]
    assert not is_used_up(0.5, inf, timed=False)[0]
