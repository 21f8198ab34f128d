"""Slices: what a task that never has to wait has, before others run."""

import time

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.sync.event import Event


@pytest.mark.parametrize("switches", [0, 1, 2, 5, 20, 40])
def test_a_task_behind_one_that_has_computed_has_a_slice_of_its_own(switches: int) -> None:
    """The hub has not looked at the clock since, where the switches before were quick."""
    done, order = Event(), []
    done.send()

    def fresh() -> None:
        done.wait()
        order.append("fresh")

    for _ in range(switches):
        sleep(0)
    end = time.perf_counter() + 0.003
    while time.perf_counter() < end:
        pass
    spawn(fresh)
    sleep(0)
    assert order == ["fresh"]


@pytest.mark.parametrize("switches", [0, 20])
def test_one_that_computes_and_never_waits_lets_others_run_at_each_call(switches: int) -> None:
    done, turns = Event(), 0
    done.send()
    others = 0

    def other() -> None:
        nonlocal others
        while turns < 10:
            others += 1
            sleep(0)

    for _ in range(switches):
        sleep(0)
    thread = spawn(other)
    for _ in range(10):
        end = time.thread_time() + 0.003
        while time.thread_time() < end:
            pass
        done.wait()
        turns += 1
    thread.wait()
    assert others >= 9
