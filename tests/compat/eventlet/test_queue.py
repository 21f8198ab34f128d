"""eventlet.queue: `Waiter`, and that the queues are greening's own."""

import queue
from typing import Any

import pytest

from greening import sync
from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.compat.eventlet import hubs
from greening.compat.eventlet.queue import Empty, Full, LifoQueue, LightQueue, PriorityQueue, Queue, Waiter
from greening.testing import settle
from greening.timeout import Timeout

pytestmark = pytest.mark.usefixtures("fake")


def waiting(waiter: Waiter) -> Any:
    thread = spawn(waiter.wait)
    thread.quiet = True
    settle()
    return thread


def test_the_one_that_waits_gets_what_switch_is_given() -> None:
    waiter = Waiter()
    assert not waiter.waiting
    thread = waiting(waiter)
    assert waiter
    assert waiter.greenlet is thread
    assert " waiting greenlet=" in repr(waiter)
    hubs.get_hub().schedule_call_global(0, waiter.switch, "value")
    assert thread.wait() == "value"
    assert not waiter
    assert waiter.greenlet is None


def test_what_is_thrown_is_raised_in_the_one_that_waits() -> None:
    waiter = Waiter()
    thread = waiting(waiter)
    waiter.throw(KeyError, "k")
    with pytest.raises(KeyError, match="k"):
        thread.wait()
    assert not waiter.waiting


def test_what_comes_while_nobody_waits_is_lost() -> None:
    waiter = Waiter()
    waiter.switch("lost")
    waiter.throw(KeyError)
    with Timeout(1, False):
        waiter.wait()
        pytest.fail("somebody woke it")
    assert not waiter.waiting


def test_one_waits_at_a_time() -> None:
    waiter = Waiter()
    thread = waiting(waiter)
    with pytest.raises(AssertionError, match="one at a time"):
        waiter.wait()
    waiter.switch()
    assert thread.wait() is None


def test_the_queues_are_greenings_and_their_errors_the_standard_librarys() -> None:
    assert (Queue, LightQueue) == (sync.queue.Queue, sync.queue.LightQueue)
    assert (Empty, Full) == (queue.Empty, queue.Full)


@pytest.mark.parametrize("kind", [LightQueue, Queue, PriorityQueue, LifoQueue])
def test_an_item_belongs_to_the_first_getter_and_a_place_to_the_first_putter(kind: type[LightQueue[int]]) -> None:
    items, got = kind(1), list[int]()
    getters = [spawn(lambda: got.append(items.get())) for _ in range(2)]
    settle()
    items.put(1)
    assert (items.qsize(), items.getting()) == (0, 1)
    with pytest.raises(Empty):
        items.get_nowait()
    items.put(2)
    for getter in getters:
        getter.wait()
    assert got == [1, 2]

    items.put(3)
    putter = spawn(items.put, 4)
    settle()
    assert items.get() == 3
    assert (items.qsize(), items.putting()) == (1, 0)
    putter.wait()
    for wait in (items.get, lambda timeout: items.put(5, timeout=timeout)):
        with pytest.raises(ValueError, match="non-negative"):
            wait(timeout=-1)


def test_in_a_callback_of_the_hub_what_a_channel_wakes_has_run_within_the_turn() -> None:
    hub, channel, results = hubs.get_hub(), Queue(0), list[Any]()
    putter = spawn(channel.put, 5)
    settle()
    hub.schedule_call_global(0, lambda: results.append(channel.get_nowait()))
    sleep(0)
    assert (results, putter.dead, channel.unfinished_tasks) == ([5], True, 1)
    getter = spawn(channel.get)
    settle()
    hub.schedule_call_global(0, lambda: results.append(channel.put_nowait(10)))
    assert not getter.dead
    sleep(0)
    assert (results, getter.dead, getter.wait()) == ([5, None], True, 10)


def test_a_getter_of_a_channel_has_run_when_put_nowait_returns() -> None:
    channel = Queue(0)
    getter = spawn(channel.get)
    settle()
    channel.put_nowait(1)
    assert getter.dead
    with pytest.raises(Full):
        channel.put_nowait(2)
    assert getter.wait() == 1
