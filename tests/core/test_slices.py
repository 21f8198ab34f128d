"""Slices: what a task that never has to wait has, before others run."""

import time
from resource import RUSAGE_THREAD, getrusage

import pytest

from greening._core.greenthread import spawn
from greening._core.slices import LONG_AGO, SLICE_SECONDS
from greening._core.waiting import sleep
from greening.sync.event import Event

pytestmark = pytest.mark.slices_end


def preemptions() -> int:
    """How often this OS thread has lost the processor so far (getrusage(2))."""
    return getrusage(RUSAGE_THREAD).ru_nivcsw


@pytest.mark.parametrize("switches", [0, 1, 2, 5, 20, 40])
def test_a_task_behind_one_that_has_computed_has_a_slice_of_its_own(switches: int) -> None:
    """The hub has not looked at the clock since, where the switches before were quick."""
    done, order = Event(), []
    done.send()

    def fresh() -> None:
        done.wait()
        order.append("fresh")

    while True:
        for _ in range(switches):
            sleep(0)
        end = time.perf_counter() + 0.003
        while time.perf_counter() < end:
            pass
        before = preemptions()
        thread = spawn(fresh)
        sleep(0)
        if preemptions() == before:
            break
        thread.wait()  # another process had the processor meanwhile, maybe for more than a slice
        order.clear()
    assert order == ["fresh"]


@pytest.mark.parametrize("switches", [0, 20])
def test_one_that_computes_and_never_waits_lets_others_run_at_each_call(switches: int) -> None:
    """At each but the first: the hub may not have looked at the clock when this task was switched to."""
    done, turns, others = Event(), 0, 0
    done.send()

    def other() -> None:
        nonlocal others
        while turns < 4:
            others += 1
            sleep(0)

    for _ in range(switches):
        sleep(0)
    thread = spawn(other)
    for _ in range(4):
        # So long that it does not matter whether this process had the processor all the time.
        end = time.perf_counter() + (LONG_AGO + 2) * SLICE_SECONDS
        while time.perf_counter() < end:
            pass
        done.wait()
        turns += 1
    thread.wait()
    assert others >= 3
