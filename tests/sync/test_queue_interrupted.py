"""Queues: when a waiter is killed, or its time is up, no item is lost and none comes twice."""

import queue as stdlib

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.queue import LifoQueue, PriorityQueue
from greening.testing import Fake, settle
from greening.timeout import Timeout
from tests.sync.queues import ALL, FIFO, Kind, drain, error_of

pytestmark = pytest.mark.usefixtures("fake")

# -- Kills -------------------------------------------------------------------------------------------------------------


@ALL
def test_the_item_of_a_getter_killed_after_it_was_served_goes_to_the_next(kind: Kind) -> None:
    queue = kind()
    victim, other = spawn(queue.get), spawn(queue.get)
    settle()
    queue.put(1)
    victim.kill()
    assert other.wait() == 1
    assert queue.qsize() == 0


@ALL
def test_the_item_of_a_getter_killed_after_it_was_served_returns_to_the_head(kind: Kind) -> None:
    queue = kind()
    victim = spawn(queue.get)
    settle()
    queue.put(1)
    victim.kill()
    assert drain(queue) == [1]
    victim = spawn(queue.get)
    settle()
    queue.put(5)
    queue.put(9 if kind is not LifoQueue else 3)
    victim.kill()
    assert queue.get() == 5, "as if it had never been taken"
    assert queue.qsize() == 1


@ALL
def test_a_killed_putter_takes_its_item_along_unless_it_is_in(kind: Kind) -> None:
    queue = kind(1)
    queue.put(1)
    victim, other = spawn(queue.put, 2), spawn(queue.put, 3)
    settle()
    victim.kill()
    assert queue.get() == 1
    other.wait()
    assert drain(queue) == [3]


@ALL
def test_the_item_of_a_putter_killed_after_it_got_its_place_is_in(kind: Kind) -> None:
    queue = kind(1)
    queue.put(1)
    victim = spawn(queue.put, 2)
    settle()
    assert queue.get() == 1  # its item is in, it has not run
    victim.kill()
    assert drain(queue) == [2]


@ALL
def test_a_timeout_around_get_strikes_the_getter_only(kind: Kind) -> None:
    queue = kind()
    with pytest.raises(Timeout):
        with Timeout(1):
            queue.get()
    queue.put(1)
    assert drain(queue) == [1]


@ALL
@pytest.mark.parametrize("maxsize", [None, 0, 1, 3])
def test_no_item_is_lost_or_doubled_whichever_thread_is_killed(kind: Kind, maxsize: int | None) -> None:
    queue = kind(maxsize)
    got: list[int] = []
    put: list[int] = []
    cut: list[int] = []  # their put was interrupted: in or not, but not twice

    def producer(first: int) -> None:
        for number in range(first, first + 10):
            try:
                queue.put(number)
            except GreenletExit:
                cut.append(number)
                raise
            put.append(number)
            sleep(0)

    def consumer() -> None:
        while True:
            got.append(queue.get())

    threads = [spawn(producer, number * 100) for number in range(8)]
    consumers = [spawn(consumer) for _ in range(4)]
    for step in range(30):
        sleep(0)
        if step % 5 == 1:
            consumers.pop(0).kill()
            consumers.append(spawn(consumer))
        if step % 11 == 2:
            threads.pop(0).kill()
    settle()
    for thread in consumers:
        thread.kill()
    assert sorted(got) == sorted({*got})
    assert {*put} <= {*got} <= {*put, *cut}
    assert (queue.qsize(), queue.getting(), queue.putting()) == (0, 0, 0)


def test_an_item_that_cannot_be_compared_is_the_error_of_the_putter_that_waited_with_it() -> None:
    queue = PriorityQueue[object](2)
    queue.put(1)
    queue.put(2)
    putter = spawn(error_of, queue.put, "not a number")
    settle()
    assert queue.get() == 1
    assert isinstance(putter.wait(), TypeError)


# -- Limits that meet a wake-up ----------------------------------------------------------------------------------------


@ALL
def test_a_getter_that_is_served_when_its_time_is_up_has_the_item(kind: Kind, fake: Fake) -> None:
    queue = kind()
    getter = spawn(queue.get, timeout=5)
    settle()
    fake.clock.advance(5)
    queue.put(1)
    assert getter.wait() == 1
    assert queue.qsize() == 0


@ALL
def test_a_getter_whose_time_was_up_first_is_passed_over(kind: Kind) -> None:
    queue = kind()
    late, other = spawn(error_of, queue.get, True, 5), spawn(queue.get)
    sleep(5)
    queue.put(1)
    assert isinstance(late.wait(), stdlib.Empty)
    assert other.wait() == 1


@ALL
def test_a_timeout_that_strikes_a_getter_that_was_served_passes_the_item_on(kind: Kind, fake: Fake) -> None:
    queue = kind()

    def getter() -> object:
        with Timeout(5, False):
            return queue.get()
        return "timeout"

    struck, other = spawn(getter), spawn(queue.get)
    settle()
    fake.clock.advance(5)
    queue.put(1)
    fake.hub.switches_left = 0  # by way of the hub, whose timers come before the getter that was served
    assert struck.wait() == "timeout"
    assert other.wait() == 1


@ALL
def test_a_putter_whose_item_is_taken_when_its_time_is_up_has_put_it(kind: Kind, fake: Fake) -> None:
    queue = kind(1)
    queue.put(1)
    putter = spawn(error_of, queue.put, 2, True, 5)
    settle()
    fake.clock.advance(5)
    assert queue.get() == 1
    assert putter.wait() is None
    assert drain(queue) == [2]


@ALL
def test_a_putter_whose_time_was_up_first_keeps_its_item(kind: Kind) -> None:
    queue = kind(1)
    queue.put(1)
    late, other = spawn(error_of, queue.put, 2, True, 5), spawn(queue.put, 3)
    sleep(5)
    assert queue.get() == 1
    other.wait()
    assert isinstance(late.wait(), stdlib.Full)
    assert drain(queue) == [3]


@ALL
def test_a_timeout_that_strikes_a_putter_whose_item_was_taken_does_not_take_it_back(kind: Kind, fake: Fake) -> None:
    queue = kind(1)
    queue.put(1)

    def putter() -> str:
        with Timeout(5, False):
            queue.put(2)
            return "put"
        return "timeout"

    struck = spawn(putter)
    settle()
    fake.clock.advance(5)
    assert queue.get() == 1
    fake.hub.switches_left = 0  # by way of the hub, whose timers come before the putter that was served
    assert struck.wait() == "timeout"
    assert drain(queue) == [2]


@ALL
def test_many_getters_some_of_which_give_up_or_are_killed_are_served_in_order(kind: Kind) -> None:
    queue, served = kind(), list[tuple[int, int]]()

    def getter(number: int) -> None:
        try:
            served.append((number, queue.get(timeout=1 if number % 4 == 1 else None)))
        except stdlib.Empty:
            pass

    threads = [spawn(getter, number) for number in range(40)]
    settle()
    for thread in threads[2::4]:
        thread.kill()
    sleep(2)
    assert queue.getting() == 20
    for item in range(20):
        queue.put(item)
    settle()
    assert served == list(zip((number for number in range(40) if number % 4 in (0, 3)), range(20), strict=True))


@FIFO
def test_many_putters_some_of_which_give_up_or_are_killed_are_served_in_order(kind: Kind) -> None:
    queue = kind(0)
    threads = [spawn(error_of, queue.put, number, True, 1 if number % 4 == 1 else None) for number in range(40)]
    settle()
    for thread in threads[2::4]:
        thread.kill()
    sleep(2)
    assert queue.putting() == 20
    assert [queue.get() for _ in range(20)] == [number for number in range(40) if number % 4 in (0, 3)]
