"""imap_unordered: each result as soon as it is there, and none is lost."""

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.pool.greenpool import GreenPool
from greening.testing import settle
from greening.timeout import Timeout
from tests.pool.work import Work

pytestmark = pytest.mark.usefixtures("fake")


def after(seconds: float) -> float:
    sleep(seconds)
    if seconds == 13:
        raise KeyError("unlucky")
    return seconds


def test_results_come_in_the_order_in_which_the_calls_end() -> None:
    assert list(GreenPool(3).imap_unordered(after, [9, 2, 1])) == [1, 2, 9]


def test_a_slow_call_holds_up_no_other_and_no_more_than_size_are_at_work() -> None:
    pool, work = GreenPool(2), Work(1)

    def call(item: int) -> object:
        return sleep(50) if item == 0 else work(item)

    results = list(pool.imap_unordered(call, range(10)))
    assert results == [*range(1, 10), None]
    assert work.most == 1


def test_the_input_is_read_no_more_than_size_ahead_of_the_consumer() -> None:
    read: list[int] = []

    def numbers():
        for number in range(100):
            read.append(number)
            yield number

    results = GreenPool(3).imap_unordered(lambda number: number, numbers())
    settle()
    assert len(read) == 3
    assert next(results) == 0
    settle()
    assert len(read) == 4
    results.kill()


def test_an_exception_surfaces_in_its_turn_and_iteration_goes_on() -> None:
    results = GreenPool(3).imap_unordered(after, [20, 13, 1])
    assert next(results) == 1
    with pytest.raises(KeyError, match="unlucky"):
        next(results)
    assert list(results) == [20]


def test_an_error_of_the_input_comes_after_the_results_before_it() -> None:
    def numbers():
        yield 1
        raise OSError("no more input")

    results = GreenPool(3).imap_unordered(after, numbers())
    with pytest.raises(OSError, match="no more input"):  # it is there before the call has ended
        next(results)
    assert list(results) == [1]


def test_a_consumer_that_is_interrupted_loses_no_result() -> None:
    results = GreenPool(2).imap_unordered(after, [1, 2, 3])
    with Timeout(0.5, False):
        next(results)
        pytest.fail("nothing is there yet")
    assert list(results) == [1, 2, 3]


def test_two_consumers_share_the_results() -> None:
    results = GreenPool(4).imap_unordered(after, range(1, 9))
    first, second = spawn(list, results), spawn(list, results)
    assert sorted(first.wait() + second.wait()) == list(range(1, 9))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_worker_of_the_same_pool_may_iterate(size: int) -> None:
    pool = GreenPool(size)

    def page(number: int) -> float:
        return sum(pool.imap_unordered(after, [3, 1, 2])) + number

    assert sorted(pool.imap_unordered(page, range(4))) == [6, 7, 8, 9]
    assert pool.running() == 0


def test_two_pools_may_wait_for_each_other_by_way_of_their_workers() -> None:
    one, other = GreenPool(1), GreenPool(1)

    def inner(number: int) -> float:
        return sum(one.imap_unordered(after, [number, number]))

    def outer(number: int) -> float:
        return sum(other.imap_unordered(inner, [number]))

    assert sorted(one.imap_unordered(outer, [1, 2])) == [2, 4]


def test_a_call_that_was_killed_surfaces_as_such() -> None:
    pool = GreenPool(2)
    results = pool.imap_unordered(after, [50, 60, 1])
    settle()
    next(iter(pool.coroutines_running)).kill()
    with pytest.raises(GreenletExit):
        next(results)
    assert len(list(results)) == 2


def test_what_cannot_be_called_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match=r"not \[1, 2\]: the function comes first, then its arguments"):
        GreenPool(2).imap_unordered([1, 2], after)  # type: ignore[arg-type]  # on purpose


def test_a_killed_map_reads_no_further_and_leaves_nothing_at_work() -> None:
    pool, work = GreenPool(2), Work(5)
    results = pool.imap_unordered(work, range(100))
    settle()
    results.kill()
    assert (pool.running(), work.now, work.calls) == (0, 0, [0, 1])
    assert "input=all read" in repr(results)
