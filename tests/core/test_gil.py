"""Fairness to OS threads that wait for the GIL. The law is in greening/_core/gil.py."""

import os
import time

import pytest

from greening._compiled import accelerator
from greening._core import gil
from greening._core.poller import IN, EpollPoller


class Machine:
    """A clock, and what the three calls of gil.py take on it, in seconds."""

    def __init__(self, trial: float, sleep: float = 0.0001) -> None:
        self.time = 100.0
        self.trial = trial
        self.away = sleep
        self.trials = self.sleeps = 0

    def monotonic(self) -> float:
        return self.time

    def select(self, *unused: object) -> None:
        self.trials += 1
        self.time += self.trial

    def time_sleep(self, seconds: float) -> None:
        self.sleeps += 1
        self.time += self.away


QUIET, WAKING = 0.0000005, 0.000010


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(QUIET)
    for name in ("monotonic", "select", "time_sleep"):
        monkeypatch.setattr(gil, name, getattr(machine, name))
    monkeypatch.setattr(gil, "_usual", QUIET)
    return machine


def test_the_gil_is_tried_no_more_often_than_needed(machine: Machine) -> None:
    share = gil.GilShare()
    for _ in range(100):
        share.give_way()
        machine.time += 0.000010
    assert 2 <= machine.trials <= 6
    assert machine.sleeps == 0


def test_a_thread_that_waits_for_the_gil_gets_it(machine: Machine) -> None:
    machine.trial = WAKING
    gil.GilShare().give_way()
    assert machine.sleeps == 1


@pytest.mark.parametrize(
    ("away", "kept"), [(0.0001, 0.00005), (0.002, 0.0004), (0.005, 0.001), (1.0, 0.001)], ids=lambda seconds: seconds
)
def test_the_gil_is_kept_for_a_fifth_of_the_time_away(machine: Machine, away: float, kept: float) -> None:
    machine.trial, machine.away = WAKING, away
    share = gil.GilShare()
    share.give_way()
    machine.time += kept - 0.00001
    share.give_way()
    assert machine.sleeps == 1
    machine.time += 0.00002
    share.give_way()
    assert machine.sleeps == 2


@pytest.mark.slow
@pytest.mark.parametrize("busy_with", ["sockets", "computing"])
def test_an_os_thread_works_beside_a_busy_hub(busy_with: str, run_program) -> None:
    took = float(run_program("gil_native_threads.py", busy_with).stdout)
    assert took < 1.5  # 0.15; with a hub that lets go of the GIL in vain 3 to 35


@pytest.mark.skipif(accelerator is None, reason="runs without the accelerator")
class TestCompiledWait:
    """What the compiled wait has to have in common with `select.epoll.poll`."""

    def test_it_reports_events_as_the_stdlib_does(self) -> None:
        poller = EpollPoller()
        reads, writes = os.pipe()
        poller.arm_once(reads, IN)
        assert accelerator.wait_epoll(poller.fileno(), 0) == []
        os.write(writes, b"x")
        assert accelerator.wait_epoll(poller.fileno(), None) == [(reads, IN)]
        poller.close()
        os.close(reads)
        os.close(writes)

    @pytest.mark.parametrize("seconds", [0.0004, 0.0215])
    def test_it_never_comes_back_too_early(self, seconds: float) -> None:
        poller = EpollPoller()
        began = time.monotonic()
        assert accelerator.wait_epoll(poller.fileno(), seconds) == []
        assert time.monotonic() - began >= seconds
        poller.close()

    def test_a_closed_set_is_an_error(self) -> None:
        poller = EpollPoller()
        poller.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            poller.wait(0)

    @pytest.mark.parametrize("arguments", [(), (1,), ("1", 0), (1, "0"), (1, 1j), (1 << 80, 0)])
    def test_odd_arguments_are_errors(self, arguments: tuple[object, ...]) -> None:
        with pytest.raises((TypeError, OverflowError)):
            accelerator.wait_epoll(*arguments)
