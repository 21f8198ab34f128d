"""Queues: every item in exactly one hand, every waiter in order of arrival."""

import gc
import queue as stdlib
import sys
from collections.abc import Callable
from typing import Any, cast
from weakref import ref

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.queue import LifoQueue, LightQueue, PriorityQueue, Queue
from greening.testing import Fake, settle
from tests.sync.queues import ALL, FIFO, Kind, drain, error_of

pytestmark = pytest.mark.usefixtures("fake")

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


def test_a_priority_queue_orders_the_items_of_putters_that_waited_too() -> None:
    queue = PriorityQueue[int](1)
    queue.put(5)
    for item in (4, 1, 3):
        spawn(queue.put, item)
    settle()
    queue.resize(4)
    assert drain(queue) == [1, 3, 4, 5]


def test_an_item_that_cannot_be_compared_is_the_error_of_the_put_that_brought_it_and_is_no_task() -> None:
    queue = PriorityQueue[object]()
    queue.put(1)
    with pytest.raises(TypeError):
        queue.put("not a number")
    assert drain(queue) == [1]
    queue.task_done()
    assert queue.join(0) is True


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_a_comparison_that_fails_half_way_leaves_the_other_items_in_order(count: int) -> None:
    class Fussy(int):
        """Smaller than everything, until it has been compared `patience` times."""

        patience = 0

        def __lt__(self, other: object) -> bool:
            self.patience -= 1
            if self.patience < 0:
                raise ArithmeticError
            return True

    for patience in range((count + 1).bit_length() - 1):  # all on the way to the top
        queue = PriorityQueue[int]()
        for item in range(count):
            queue.put(item)
        wrong = Fussy(-1)
        wrong.patience = patience
        assert isinstance(error_of(queue.put, wrong), ArithmeticError)
        assert drain(queue) == list(range(count))


def test_an_item_that_cannot_be_compared_leaves_its_place_to_the_next_putter() -> None:
    queue = PriorityQueue[object](2)
    queue.put(1)
    queue.put(2)
    wrong, right = spawn(error_of, queue.put, "not a number"), spawn(queue.put, 3)
    settle()
    assert queue.get() == 1
    right.wait()
    assert isinstance(wrong.wait(), TypeError)
    assert (queue.get(), queue.get()) == (2, 3)
    for _ in range(3):
        queue.task_done()
    assert queue.join(0) is True


# -- Arguments and sizes -----------------------------------------------------------------------------------------------


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
    assert queue.empty() and not queue.full()
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


@ALL
@pytest.mark.parametrize(
    ("timeout", "error"), [("1", TypeError), ([], TypeError), (float("nan"), ValueError), (-0.5, ValueError)]
)
def test_what_is_no_number_of_seconds_is_refused_always(kind: Kind, timeout: Any, error: type[Exception]) -> None:
    queue = kind(1)
    for _ in range(2):  # while there is a place or an item, and while there is none
        with pytest.raises(error):
            queue.get(timeout=timeout)
        with pytest.raises(error):
            queue.put(1, timeout=timeout)
        queue.resize(0)
    assert (queue.qsize(), queue.getting(), queue.putting()) == (0, 0, 0)


@pytest.mark.parametrize(("timeout", "error"), [("1", TypeError), (float("nan"), ValueError)])
def test_what_is_no_number_of_seconds_is_refused_by_join(timeout: Any, error: type[Exception]) -> None:
    queue = Queue[int]()
    queue.put(1)
    with pytest.raises(error):
        queue.join(timeout)
    queue.get()
    queue.task_done()
    assert queue.join() is True


@ALL
def test_a_limit_of_zero_is_an_attempt_that_never_switches(kind: Kind, fake: Fake) -> None:
    queue, before, ran = kind(1), fake.clock.now(), list[int]()
    spawn(ran.append, 1)
    queue.put(1, timeout=0)
    with pytest.raises(stdlib.Full):
        queue.put(2, timeout=0)
    assert queue.get(timeout=0) == 1
    with pytest.raises(stdlib.Empty):
        queue.get(timeout=0)
    assert ran == []
    assert fake.clock.now() == before
    settle()


@ALL
def test_put_and_get_let_others_run_when_the_slice_is_over_and_only_then(kind: Kind, spent: Callable[[], None]) -> None:
    queue, ran = kind(1), list[int]()
    for number, call in enumerate((lambda: queue.put_nowait(1), queue.get_nowait)):
        spawn(ran.append, number)
        spent()
        call()
        assert ran == list(range(number + 1))
    spawn(ran.append, 2)
    queue.put(1)
    queue.get()
    assert ran == [0, 1]
    settle()


def test_join_lets_others_run_when_the_slice_is_over(spent: Callable[[], None]) -> None:
    ran: list[int] = []
    spawn(ran.append, 1)
    spent()
    assert Queue[int]().join() is True
    assert ran == [1]


@ALL
def test_without_blocking_the_limit_does_not_count(kind: Kind, fake: Fake) -> None:
    queue, before = kind(1), fake.clock.now()
    with pytest.raises(stdlib.Empty):
        queue.get(False, 5)
    queue.put(1, False, 5)
    with pytest.raises(stdlib.Full):
        queue.put(2, False, 5)
    assert fake.clock.now() == before
    assert drain(queue) == [1]


@ALL
@pytest.mark.parametrize("size", ["3", 1.5, [], object()])
def test_a_size_that_is_no_integer_is_refused_with_the_choice_there_is(kind: Kind, size: Any) -> None:
    with pytest.raises(TypeError, match="an integer or None"):
        kind(size)
    queue = kind(2)
    with pytest.raises(TypeError, match="an integer or None"):
        queue.resize(size)
    assert queue.maxsize == 2


@ALL
def test_resizing_to_less_than_nothing_makes_it_unbounded(kind: Kind) -> None:
    queue = kind(1)
    queue.put(1)
    putter = spawn(queue.put, 2)
    settle()
    queue.resize(-1)
    putter.wait()
    assert queue.maxsize is None
    assert sorted(drain(queue)) == [1, 2]


@ALL
def test_a_queue_that_was_shrunk_to_a_channel_hands_out_what_is_there_first(kind: Kind) -> None:
    queue = kind(3)
    for number in (1, 2):
        queue.put(number)
    queue.resize(0)
    putter = spawn(queue.put, 3)
    settle()
    assert not putter.dead
    assert sorted(queue.get() for _ in range(3)) == [1, 2, 3]
    putter.wait()
    queue.resize(1)
    queue.put(4)
    assert queue.get() == 4


@ALL
def test_a_channel_that_grows_takes_the_items_of_its_putters(kind: Kind) -> None:
    queue = kind(0)
    putters = [spawn(queue.put, number) for number in range(3)]
    settle()
    queue.resize(2)
    settle()
    assert (queue.qsize(), queue.putting()) == (2, 1)
    queue.get()
    for putter in putters:
        putter.wait()
    assert queue.qsize() == 2


@ALL
def test_an_item_may_be_anything_that_can_be_ordered_even_none_or_false(kind: Kind) -> None:
    for item in (None, False, (), stdlib.Empty):
        queue = kind()
        queue.put(item)
        assert queue.get() is item


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


@FIFO
def test_a_channel_gives_its_items_in_the_order_of_its_putters_and_to_its_getters_in_theirs(kind: Kind) -> None:
    channel, got = kind(0), list[tuple[int, int]]()

    def getter(number: int) -> None:
        got.append((number, channel.get()))

    for number in range(3):
        spawn(getter, number)
    settle()
    for item in range(10, 16):
        spawn(channel.put, item)
    settle()
    assert got == [(0, 10), (1, 11), (2, 12)]
    assert (channel.putting(), channel.qsize()) == (3, 0)
    assert [channel.get() for _ in range(3)] == [13, 14, 15]


@FIFO
def test_the_item_of_a_getter_of_a_channel_that_was_killed_when_it_had_it_goes_on(kind: Kind) -> None:
    channel = kind(0)
    victim, other = spawn(channel.get), spawn(channel.get)
    settle()
    channel.put(1, timeout=0)
    victim.kill()
    assert other.wait() == 1


@FIFO
def test_a_put_to_a_waiting_getter_of_a_channel_returns_after_the_getter_has_run(kind: Kind) -> None:
    channel, order = kind(0), list[str]()
    spawn(lambda: order.append(f"got {channel.get()}"))
    settle()
    channel.put(1)
    order.append("put 1")
    assert order == ["got 1", "put 1"]
    assert channel.putting() == 0


@FIFO
def test_a_putter_whose_item_has_a_getter_does_not_count_as_waiting(kind: Kind) -> None:
    channel, seen = kind(0), list[int]()
    spawn(channel.get)
    settle()
    spawn(channel.put, 1)
    spawn(lambda: seen.append(channel.putting()))  # has its turn between the putter and the getter
    settle()
    assert seen == [0]


@FIFO
def test_a_put_whose_getter_is_killed_before_it_runs_waits_for_another(kind: Kind) -> None:
    channel, item = kind(0), object()
    victim = spawn(channel.get)
    settle()
    putter = spawn(channel.put, item)
    spawn(victim.kill)
    settle()
    assert (channel.putting(), channel.qsize(), putter.dead) == (1, 0, False)
    assert channel.get() is item
    putter.wait()
    assert channel.putting() == 0


def test_a_task_that_passes_through_a_channel_is_one_task() -> None:
    channel = Queue[int](0)
    putter = spawn(channel.put, 1)
    settle()
    assert channel.get() == 1
    putter.wait()
    assert channel.join(1) is False
    channel.task_done()
    assert channel.join() is True


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


def test_an_item_is_a_task_even_if_its_putter_was_killed_when_it_was_in() -> None:
    queue = Queue[int](1)
    queue.put(1)
    victim = spawn(queue.put, 2)
    settle()
    queue.get()  # the item of the victim is in, and the victim has not run
    victim.kill()
    assert queue.unfinished_tasks == 2


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


def test_a_killed_joiner_leaves_and_the_others_are_told() -> None:
    queue = Queue[int]()
    queue.put(1)
    victim, other = spawn(queue.join), spawn(queue.join)
    settle()
    victim.kill()
    queue.get()
    queue.task_done()
    assert other.wait() is True


def test_an_item_put_while_the_joiners_are_being_told_does_not_hold_them_back() -> None:
    queue = Queue[int]()
    queue.put(1)
    joiner = spawn(queue.join)
    settle()
    queue.get()
    queue.task_done()
    queue.put(2)
    assert joiner.wait() is True
    assert queue.join(0) is False


def test_a_queue_may_be_subclassed_by_how_it_keeps_its_items() -> None:
    class Distinct(Queue[int]):
        def _init(self, maxsize: int | None) -> None:
            self.queue, self.places = set(), maxsize

        def _put(self, item: int) -> None:
            self.queue.add(item)

        def _get(self) -> int:
            return int(self.queue.pop())

    queue = Distinct(2)
    for item in (1, 1, 2):
        queue.put(item, timeout=0)
    assert queue.full()
    assert queue.places == 2
    assert sorted(drain(queue)) == [1, 2]


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
def test_shutdown_wakes_the_waiters_that_wait_in_vain(kind: Kind) -> None:
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


@ALL
def test_a_second_shutdown_may_drop_what_the_first_left(kind: Kind) -> None:
    queue = kind()
    queue.put(1)
    queue.shutdown()
    queue.shutdown()
    assert queue.qsize() == 1
    queue.shutdown(immediate=True)
    assert queue.qsize() == 0
    assert is_shut_down(error_of(queue.get_nowait))
    assert is_shut_down(error_of(queue.put_nowait, 1))
    assert is_shut_down(error_of(queue.get, True, 5))


@ALL
def test_a_getter_killed_when_it_was_told_of_the_shutdown_puts_nothing_back(kind: Kind) -> None:
    queue = kind()
    victim = spawn(queue.get)
    settle()
    queue.shutdown()
    victim.kill()
    with pytest.raises(GreenletExit):
        victim.wait()
    assert queue.qsize() == 0


@ALL
def test_a_putter_killed_when_it_was_told_of_the_shutdown_keeps_its_item(kind: Kind) -> None:
    queue = kind(1)
    queue.put(1)
    victim = spawn(queue.put, 2)
    settle()
    queue.shutdown()
    victim.kill()
    with pytest.raises(GreenletExit):
        victim.wait()
    assert drain(queue) == [1]


def test_items_that_were_dealt_with_before_they_were_got_may_be_dropped() -> None:
    queue = Queue[int]()
    queue.put(1)
    queue.task_done()
    queue.shutdown(immediate=True)
    assert (queue.qsize(), queue.unfinished_tasks) == (0, 0)


@ALL
@pytest.mark.parametrize("how", ["timeout", "kill", "shutdown"])
def test_an_item_that_did_not_get_in_is_not_kept(kind: Kind, how: str) -> None:
    class Item:
        pass

    item = Item()
    watch, queue = ref(item), cast("LightQueue[Any]", kind(0))
    putter = spawn(error_of, queue.put, item, True, 1)
    del item
    settle()
    if how == "kill":
        putter.kill()
    elif how == "shutdown":
        queue.shutdown()
    sleep(2)
    assert putter.dead
    del putter
    gc.collect()
    assert watch() is None


def test_a_join_ends_with_the_items_that_are_dealt_with_after_a_shutdown() -> None:
    queue = Queue[int](1)
    queue.put(1)
    putter, joiner = spawn(error_of, queue.put, 2), spawn(queue.join)
    settle()
    queue.shutdown()
    assert is_shut_down(putter.wait())
    assert not joiner.dead
    queue.get()
    queue.task_done()
    assert joiner.wait() is True


def test_items_that_are_dropped_may_have_finalisers_that_use_the_queue() -> None:
    queue, said = LightQueue[object](), list[bool]()

    class Item:
        def __del__(self) -> None:
            said.append(is_shut_down(error_of(queue.put, 1)))

    queue.put(Item())
    queue.shutdown(immediate=True)
    assert said == [True]


def test_iterating_ends_with_a_shutdown_by_its_error() -> None:
    queue = Queue[int]()
    queue.put(1)
    queue.shutdown()
    assert next(queue) == 1
    assert iter(queue) is queue
    assert is_shut_down(error_of(next, queue))
