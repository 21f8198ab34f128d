"""Queues: every item in exactly one hand, every waiter in order of arrival."""

import queue as stdlib
import sys
from collections.abc import Callable

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.queue import LifoQueue, LightQueue, PriorityQueue, Queue
from greening.testing import Fake, settle
from greening.timeout import Timeout

pytestmark = pytest.mark.usefixtures("fake")

Kind = Callable[..., LightQueue[int]]
ALL = pytest.mark.parametrize("kind", [LightQueue, Queue, PriorityQueue, LifoQueue])
FIFO = pytest.mark.parametrize("kind", [LightQueue, Queue])


def drain(queue: LightQueue[int]) -> list[int]:
    return [queue.get_nowait() for _ in range(queue.qsize())]


def error_of(call: Callable[..., object], *args: object) -> Exception | None:
    try:
        call(*args)
    except Exception as error:  # the result
        return error
    return None


# -- Order -------------------------------------------------------------------------------------------------------------


@FIFO
def test_items_come_out_in_the_order_in_which_they_went_in(kind: Kind) -> None:
    queue = kind()
    for number in range(5):
        queue.put(number)
    assert [queue.get() for _ in range(5)] == list(range(5))


def test_a_priority_queue_gives_the_smallest_first_and_a_lifo_queue_the_last() -> None:
    smallest, last = PriorityQueue[int](), LifoQueue[int]()
    for number in (3, 1, 2):
        smallest.put(number)
        last.put(number)
    assert drain(smallest) == [1, 2, 3]
    assert drain(last) == [2, 1, 3]


@ALL
def test_getters_are_served_in_order_of_arrival(kind: Kind) -> None:
    queue = kind()
    got: list[tuple[int, int]] = []

    def getter(number: int) -> None:
        got.append((number, queue.get()))

    for number in range(5):
        spawn(getter, number)
    settle()
    assert queue.getting() == 5
    for number in range(5):
        queue.put(number * 10)
    settle()
    assert got == [(number, number * 10) for number in range(5)]


@FIFO
def test_putters_are_served_in_order_of_arrival(kind: Kind) -> None:
    queue = kind(1)
    for number in range(5):
        spawn(queue.put, number)
    settle()
    assert queue.putting() == 4
    assert [queue.get() for _ in range(5)] == list(range(5))


@ALL
def test_a_waiting_getter_has_the_item_before_a_passer_by_can_take_it(kind: Kind) -> None:
    queue = kind()
    getter = spawn(queue.get)
    settle()
    queue.put(1)
    with pytest.raises(stdlib.Empty):
        queue.get_nowait()
    assert getter.wait() == 1


@ALL
def test_put_with_room_and_get_of_an_item_never_switch(kind: Kind) -> None:
    queue = kind(2)
    ran: list[int] = []
    spawn(ran.append, 1)
    queue.put(1)
    queue.get()
    assert ran == []
    settle()


# -- Places ------------------------------------------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize("maxsize", [None, -1])
def test_a_queue_without_a_size_is_never_full(kind: Kind, maxsize: int | None) -> None:
    queue = kind(maxsize)
    for number in range(1000):
        queue.put_nowait(number)
    assert not queue.full()
    assert queue.qsize() == len(queue) == 1000


@ALL
def test_full_and_empty_are_the_exceptions_of_the_stdlib(kind: Kind) -> None:
    queue = kind(1)
    assert queue.empty()
    with pytest.raises(stdlib.Empty):
        queue.get(block=False)
    queue.put(1)
    assert queue.full()
    with pytest.raises(stdlib.Full):
        queue.put(2, block=False)
    assert drain(queue) == [1]


@ALL
def test_timeouts_end_in_full_and_empty_and_leave_nothing_behind(kind: Kind, fake: Fake) -> None:
    queue = kind(1)
    before = fake.clock.now()
    with pytest.raises(stdlib.Empty):
        queue.get(timeout=2)
    queue.put(1)
    with pytest.raises(stdlib.Full):
        queue.put(2, timeout=3)
    assert fake.clock.now() == pytest.approx(before + 5)
    assert (queue.getting(), queue.putting()) == (0, 0)
    assert drain(queue) == [1]
    with pytest.raises(stdlib.Empty):
        queue.get(timeout=0)


@ALL
def test_odd_arguments_are_refused_and_change_nothing(kind: Kind) -> None:
    queue = kind(1)
    with pytest.raises(ValueError, match="non-negative"):
        queue.get(timeout=-1)
    with pytest.raises(ValueError, match="non-negative"):
        queue.put(1, timeout=-1)
    with pytest.raises(TypeError):
        queue.put(1, timeout="soon")
    with pytest.raises(TypeError):
        kind("big")
    assert (queue.qsize(), queue.getting(), queue.putting()) == (0, 0, 0)


@FIFO
def test_growing_lets_putters_in_and_shrinking_keeps_what_is_there(kind: Kind) -> None:
    queue = kind(1)
    for number in range(4):
        spawn(queue.put, number)
    settle()
    queue.resize(3)
    settle()
    assert (queue.qsize(), queue.putting()) == (3, 1)
    queue.resize(1)
    assert queue.qsize() == 3
    assert queue.get() == 0
    settle()
    assert queue.putting() == 1, "there are still more items than places"
    queue.resize(None)
    settle()
    assert drain(queue) == [1, 2, 3]


# -- The channel -------------------------------------------------------------------------------------------------------


@FIFO
def test_a_queue_of_size_zero_is_both_empty_and_full(kind: Kind) -> None:
    channel = kind(0)
    assert channel.empty()
    assert channel.full()
    with pytest.raises(stdlib.Full):
        channel.put_nowait(1)
    with pytest.raises(stdlib.Empty):
        channel.get_nowait()


@FIFO
def test_put_on_a_channel_returns_when_a_getter_has_taken_the_item(kind: Kind) -> None:
    channel = kind(0)
    order: list[str] = []

    def putter() -> None:
        channel.put(7)
        order.append("put returned")

    spawn(putter)
    settle()
    assert order == []
    assert channel.get() == 7
    settle()
    assert order == ["put returned"]


@FIFO
def test_put_nowait_on_a_channel_works_when_a_getter_waits(kind: Kind) -> None:
    channel = kind(0)
    getter = spawn(channel.get)
    settle()
    channel.put_nowait(7)
    assert getter.wait() == 7


@FIFO
def test_get_nowait_on_a_channel_works_when_a_putter_waits(kind: Kind) -> None:
    channel = kind(0)
    putter = spawn(channel.put, 7)
    settle()
    assert channel.get_nowait() == 7
    putter.wait()


# -- Nothing is lost, nothing comes twice ------------------------------------------------------------------------------


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
def test_no_item_is_lost_or_doubled_whoever_is_killed(kind: Kind, maxsize: int | None) -> None:
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


# -- task_done and join ------------------------------------------------------------------------------------------------


def test_join_returns_when_every_item_has_been_dealt_with() -> None:
    queue = Queue[int]()
    for number in range(3):
        queue.put(number)
    joiners = [spawn(queue.join), spawn(queue.join)]
    for _ in range(3):
        settle()
        assert not any(joiner.dead for joiner in joiners)
        queue.get()
        queue.task_done()
    assert [joiner.wait() for joiner in joiners] == [True, True]


def test_join_of_a_queue_that_was_never_used_returns_at_once() -> None:
    assert Queue[int]().join() is True


def test_join_with_a_limit_says_whether_everything_was_done(fake: Fake) -> None:
    queue = Queue[int]()
    queue.put(1)
    before = fake.clock.now()
    assert queue.join(2) is False
    assert fake.clock.now() == pytest.approx(before + 2)
    queue.get()
    queue.task_done()
    assert queue.join(2) is True


def test_task_done_more_often_than_put_is_an_error() -> None:
    queue = Queue[int]()
    with pytest.raises(ValueError, match="too many times"):
        queue.task_done()
    queue.put(1)
    queue.task_done()
    with pytest.raises(ValueError, match="too many times"):
        queue.task_done()


def test_an_item_that_a_putter_waits_with_counts_until_it_is_refused() -> None:
    queue = Queue[int](1)
    queue.put(1)
    victim = spawn(queue.put, 2)
    settle()
    assert queue.unfinished_tasks == 2
    victim.kill()
    assert queue.unfinished_tasks == 1
    with pytest.raises(stdlib.Full):
        queue.put(3, timeout=1)
    assert queue.unfinished_tasks == 1


def test_an_item_that_returns_from_a_killed_getter_is_still_one_task() -> None:
    queue = Queue[int]()
    victim = spawn(queue.get)
    settle()
    queue.put(1)
    victim.kill()
    assert queue.unfinished_tasks == 1
    queue.get()
    queue.task_done()
    assert queue.join(0) is True


# -- Shutting down and iterating ---------------------------------------------------------------------------------------


def is_shut_down(error: Exception | None) -> bool:
    """The stdlib has a name for it since 3.13."""
    return isinstance(error, getattr(stdlib, "ShutDown", Exception)) and not isinstance(
        error, stdlib.Empty | stdlib.Full
    )


@ALL
def test_shutdown_refuses_items_and_lets_those_be_taken_that_are_there(kind: Kind) -> None:
    queue = kind(2)
    queue.put(1)
    queue.put(2)
    queue.shutdown()
    assert is_shut_down(error_of(queue.put, 3))
    assert sorted(drain(queue)) == [1, 2]
    assert is_shut_down(error_of(queue.get))


@ALL
def test_shutdown_wakes_those_who_wait_in_vain(kind: Kind) -> None:
    full, empty = kind(1), kind()
    full.put(1)
    losers = [spawn(error_of, full.put, 2), spawn(error_of, full.put, 3)]
    losers += [spawn(error_of, empty.get), spawn(error_of, empty.get)]
    settle()
    full.shutdown()
    empty.shutdown()
    settle()
    assert all(is_shut_down(loser.wait()) for loser in losers)
    assert drain(full) == [1]


def test_shutdown_at_once_drops_the_items_and_their_tasks() -> None:
    queue = Queue[int]()
    queue.put(1)
    queue.put(2)
    joiner = spawn(queue.join)
    settle()
    queue.shutdown(immediate=True)
    assert queue.qsize() == 0
    assert joiner.wait() is True


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the stdlib has ShutDown since 3.13")
def test_shutdown_is_the_exception_of_the_stdlib() -> None:
    queue = Queue[int]()
    queue.shutdown()
    with pytest.raises(stdlib.ShutDown):
        queue.put(1)


def test_iterating_takes_items_until_stop_iteration_is_put() -> None:
    queue = Queue[object]()
    for item in (1, None, 2, StopIteration):
        queue.put(item)
    assert list(queue) == [1, None, 2]


@ALL
def test_an_empty_queue_is_true_and_its_repr_says_what_it_holds(kind: Kind) -> None:
    queue = kind(3)
    assert queue
    queue.put(1)
    assert "maxsize=3 items=1 getting=0 putting=0" in repr(queue)
