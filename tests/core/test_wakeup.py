"""The wake-up of a hub: an inbox, and a descriptor that is written to while the hub sleeps."""

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


def is_notified(wakeup: Wakeup) -> bool:
    return bool(select.select([wakeup.fileno()], (), (), 0)[0])


def test_a_post_notifies_only_while_the_hub_sleeps(wakeup: Wakeup) -> None:
    wakeup.post("a")
    assert not is_notified(wakeup)
    wakeup.sleeping = True
    wakeup.post("b")
    assert is_notified(wakeup)
    assert list(wakeup.inbox) == ["a", "b"]


def test_after_drain_it_is_quiet_until_the_next_notify(wakeup: Wakeup) -> None:
    for _ in range(2):
        wakeup.notify()
        wakeup.notify()
        assert is_notified(wakeup)
        wakeup.drain()
        assert not is_notified(wakeup)
    wakeup.drain()  # quiet already


def test_a_full_counter_means_notified(wakeup: Wakeup) -> None:
    """The counter of an eventfd and the buffer of a pipe are full at some time."""
    writes = wakeup._writes
    try:
        while True:
            os.write(writes, (2**64 - 2).to_bytes(8, "little") * (1 if writes == wakeup.fileno() else 4096))
    except BlockingIOError:
        pass
    wakeup.notify()
    assert is_notified(wakeup)


def test_after_close_nothing_is_notified(wakeup: Wakeup) -> None:
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


def test_a_child_of_fork_can_close_it_although_another_thread_was_in_notify(
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
