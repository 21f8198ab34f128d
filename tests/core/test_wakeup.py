"""The bell of a hub: an inbox, and a descriptor that is written to while the hub sleeps."""

import os
import select
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._core import wakeup as module
from greening._core.poller import FLOOR
from greening._core.wakeup import Wakeup


@pytest.fixture(params=["eventfd", "pipe", "low numbers"])
def wakeup(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wakeup]:
    if request.param == "pipe":
        monkeypatch.setattr(module, "os_eventfd", None)
    elif request.param == "low numbers":
        monkeypatch.setattr(module, "high_duplicate", lambda fd: None)
    wakeup = Wakeup()
    yield wakeup
    wakeup.close()


def is_rung(wakeup: Wakeup) -> bool:
    return bool(select.select([wakeup.fileno()], (), (), 0)[0])


def test_a_post_rings_only_while_the_hub_sleeps(wakeup: Wakeup) -> None:
    wakeup.post("a")
    assert not is_rung(wakeup)
    wakeup.sleeping = True
    wakeup.post("b")
    assert is_rung(wakeup)
    assert list(wakeup.inbox) == ["a", "b"]


def test_a_bell_that_was_heard_is_silent_until_it_is_rung_again(wakeup: Wakeup) -> None:
    for _ in range(2):
        wakeup.notify()
        wakeup.notify()
        assert is_rung(wakeup)
        wakeup.drain()
        assert not is_rung(wakeup)
    wakeup.drain()  # silent already


def test_a_bell_that_cannot_ring_any_louder_has_rung(wakeup: Wakeup) -> None:
    """The counter of an eventfd and the buffer of a pipe are full at some time."""
    writes = wakeup._writes
    try:
        while True:
            os.write(writes, (2**64 - 2).to_bytes(8, "little") * (1 if writes == wakeup.fileno() else 4096))
    except BlockingIOError:
        pass
    wakeup.notify()
    assert is_rung(wakeup)


def test_after_its_end_a_bell_is_not_rung(wakeup: Wakeup) -> None:
    wakeup.close()
    reads, writes = os.pipe()  # they may have its numbers
    wakeup.sleeping = True
    wakeup.post("late")
    wakeup.drain()
    wakeup.close()
    os.write(writes, b"untouched")
    assert os.read(reads, 100) == b"untouched"
    os.close(reads)
    os.close(writes)


def test_in_a_child_of_fork_a_bell_can_be_closed_that_was_being_rung(
    wakeup: Wakeup, in_os_thread: Callable[..., Any]
) -> None:
    in_os_thread(wakeup._lock.acquire)
    wakeup.after_fork()
    wakeup.close()
    assert wakeup.fileno() == -1


def test_the_number_is_one_that_programs_do_not_count_on() -> None:
    wakeup = Wakeup()
    assert wakeup.fileno() >= FLOOR or module.os_eventfd is None
    wakeup.close()
