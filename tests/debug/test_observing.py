"""A process watched for a while: what `python -m greening top` shows."""

import json
import sys
from types import FrameType
from typing import Any

import pytest

import greening
from greening._originals import monotonic, time_sleep
from greening.debug import observing
from greening.debug.numbers import Stats
from greening.debug.observing import INTERVAL, NOTHING, Watcher, answer, as_plain, from_plain, observe
from greening.testing import Fake, FakePoller, settle

BUSY = """
import threading, time
import greening
from greening.debug.observing import observe
from greening.threads.native import TPOOL

stop = threading.Event()

def compute():
    while not stop.is_set():
        sum(range(100_000))  # no switch

def quick():
    while not stop.is_set():
        greening.sleep(0)

greening.sleep(0)  # there is a hub
"""


@pytest.mark.slow
def test_the_line_that_blocks_is_told_with_its_time(run_program: Any) -> None:
    run_program(
        BUSY
        + "import _thread\n"
        + "found = []\n"
        + "def watch():\n    found.append(observe(0.5))\n    stop.set()\n"
        + "_thread.start_new_thread(watch, ())\n"
        + "greening.spawn(compute).wait()\n"
        + "(watch,) = found[0].watches\n"
        + "spot = max(watch.spots.values(), key=lambda spot: spot.held)\n"
        + "assert spot.place.startswith('program_0.py:1') and 'compute' in spot.place, watch\n"
        + "assert spot.held > 0.1 and watch.held > 0.1 and watch.busy > 0.1 and watch.cpu > 0, watch\n"
        + "assert watch.delay > 0.1, watch  # the posted call was not made\n"
    )


@pytest.mark.slow
def test_a_call_in_c_that_keeps_the_gil_is_told(run_program: Any) -> None:
    """Each lasts for some looks, and there is a switch in between."""
    run_program(
        BUSY
        + "import _thread, re\n"
        + "slow = re.compile('^(a+)+$')\n"
        + "found = []\n"
        + "def watch():\n    found.append(observe(0.5))\n    stop.set()\n"
        + "def match():\n"
        + "    while not stop.is_set():\n"
        + "        slow.match('a' * 20 + 'b')\n"
        + "        greening.sleep(0)\n"
        + "_thread.start_new_thread(watch, ())\n"
        + "greening.spawn(match).wait()\n"
        + "(watch,) = found[0].watches\n"
        + "spot = max(watch.spots.values(), key=lambda spot: spot.held)\n"
        + "assert 'in match' in spot.place and spot.held > 0.02, watch\n"
    )


@pytest.mark.slow
def test_a_queue_of_short_turns_is_told_by_its_length_and_its_switches(run_program: Any) -> None:
    run_program(
        BUSY
        + "import _thread\n"
        + "found = []\n"
        + "def watch():\n    found.append(observe(0.5))\n    stop.set()\n"
        + "_thread.start_new_thread(watch, ())\n"
        + "threads = [greening.spawn(quick) for _ in range(10)]\n"
        + "for thread in threads: thread.wait()\n"
        + "(watch,), seen = found[0].watches, found[0]\n"
        + "assert watch.ready_most >= 5 and watch.looks >= 2, watch\n"
        + "assert seen.after.hubs[0].switches - seen.before.hubs[0].switches > 100\n"
    )


def test_what_blocks_is_a_turn_that_lasts_from_one_look_to_the_next(fake: Fake[FakePoller]) -> None:
    watcher = Watcher(fake.hub, "MainThread")
    frames: dict[int, FrameType] = {}
    settle()  # there were switches
    watcher.look(1.0, INTERVAL, frames)
    assert watcher.watch.held == 0.0
    watcher.look(1.0 + INTERVAL, INTERVAL, frames)
    assert watcher.watch.held == pytest.approx(INTERVAL)
    settle()
    watcher.look(2.0, 10 * INTERVAL, frames)  # this look had to wait for the GIL
    assert watcher.watch.held == pytest.approx(9 * INTERVAL)
    (spot,) = watcher.watch.spots.values()
    assert spot.held == watcher.watch.held
    assert watcher.watch.busy == spot.seconds == pytest.approx(12 * INTERVAL)


def test_the_delay_is_how_late_a_posted_call_is_made(fake: Fake[FakePoller]) -> None:
    watcher = Watcher(fake.hub, "MainThread")
    now = monotonic()
    watcher.look(now, INTERVAL, {})
    watcher.look(now + 7, INTERVAL, {})
    assert watcher.watch.delay == pytest.approx(7), "it has not been made yet"
    settle()
    watcher.look(now + 8, INTERVAL, {})
    watcher.look(now + 9, INTERVAL, {})
    assert watcher.watch.delay == pytest.approx(7), "another one has been posted, a second ago"
    settle()


def test_what_the_numbers_take_at_the_end_is_no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    def numbers(*, containers: bool) -> Stats:
        time_sleep(0.1)
        greening.sleep(0)  # the hub makes the call that was posted before
        return NOTHING

    monkeypatch.setattr(observing, "stats", numbers)
    greening.sleep(0)  # there is a hub
    seen = observe(2.5 * INTERVAL, NOTHING)
    assert seen.watches and max(watch.delay for watch in seen.watches) < 0.1


def test_the_switch_interval_is_as_before() -> None:
    before = sys.getswitchinterval()
    during: list[float] = []
    observe(0.0001, sleep=lambda seconds: during.append(sys.getswitchinterval()))
    assert sys.getswitchinterval() == before
    assert during and during[0] < before


def test_json_and_back_is_the_same() -> None:
    seen = observe(0.001)
    assert from_plain(json.loads(json.dumps(as_plain(seen)))) == seen


def test_an_answer_names_the_program() -> None:
    found = answer({"seconds": 0.001})
    again = answer({"seconds": 0.001, "again": True})
    assert from_plain(again["observation"]).before == NOTHING
    assert from_plain(found["observation"]).before.pid == from_plain(again["observation"]).after.pid
    assert found["command"] == sys.argv
    assert from_plain(found["observation"]).after.pid > 0
