"""`hub_blocking_detection`: code that lets nobody else run is interrupted."""

import re
import signal
import time
from collections.abc import Iterator

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening._originals import monotonic, time_sleep
from greening.compat.eventlet import debug, hubs
from greening.compat.eventlet.watchdog import WATCHDOG
from greening.sync.event import Event


@pytest.fixture
def watched() -> Iterator[None]:
    before = signal.getsignal(signal.SIGALRM)
    debug.hub_blocking_detection(True, resolution=0.02)
    yield
    debug.hub_blocking_detection(False)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.mark.usefixtures("watched")
def test_a_system_call_that_blocks_is_interrupted() -> None:
    thread = spawn(time_sleep, 30)
    thread.quiet = True
    with pytest.raises(RuntimeError, match=rf"Blocking detector ALARMED at .*: {re.escape(thread.name)} has let"):
        thread.wait()


@pytest.mark.usefixtures("watched")
def test_a_computation_is_interrupted_by_its_line() -> None:
    def compute() -> None:
        while True:
            pass

    thread = spawn(compute)
    thread.quiet = True
    with pytest.raises(RuntimeError, match=rf"{__file__}, line \d+: {re.escape(thread.name)} has let nobody else run"):
        thread.wait()


@pytest.mark.usefixtures("watched")
def test_those_that_let_others_run_are_left_alone() -> None:
    def polite() -> str:
        end = monotonic() + 0.08
        while monotonic() < end:
            sleep(0)
        sleep(0.08)
        return "done"

    assert spawn(polite).wait() == "done"
    waiting = Event()
    spawn(lambda: (sleep(0.08), waiting.send("sent")))
    assert waiting.wait() == "sent"


def test_it_is_off_at_first_and_again_when_it_was_switched_off() -> None:
    debug.hub_blocking_detection(False)
    debug.hub_blocking_detection(True, resolution=0.01)
    assert (hubs.get_hub().debug_blocking, hubs.get_hub().debug_blocking_resolution) == (True, 0.01)
    debug.hub_blocking_detection(False)
    time.sleep(0.03)
    assert hubs.get_hub().debug_blocking is False


@pytest.mark.parametrize("resolution", [0, -1, float("nan")])
def test_a_resolution_that_makes_no_sense_is_refused(resolution: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        WATCHDOG.start(resolution)
