"""GreenMap: results in the order of the input, no further ahead than the pool is large."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from greening._core.greenthread import kill, spawn
from greening._core.task import NEW, PARKED
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.pool.greenpool import GreenPool
from greening.sync.event import Event
from greening.testing import Fake, settle
from greening.timeout import Timeout
from tests.pool.work import Work, error_of

pytestmark = pytest.mark.usefixtures("fake")


def test_results_come_in_the_order_of_the_input_whatever_ends_first(fake: Fake) -> None:
    before = fake.clock.now()

    def work(seconds: int) -> int:
        sleep(seconds)
        return seconds

    assert list(GreenPool(5).imap(work, [4, 1, 3, 2])) == [4, 1, 3, 2]
    assert fake.clock.now() == pytest.approx(before + 4), "at the same time"


def test_imap_takes_several_inputs_and_ends_with_the_shortest() -> None:
    pool = GreenPool(2)
    assert list(pool.imap(pow, [2, 3, 4], [5, 2])) == [32, 9]
    assert list(pool.starmap(pow, [(2, 5), (3, 2)])) == [32, 9]
    assert list(pool.imap(abs, [])) == []


def test_no_function_gives_the_arguments() -> None:
    pool = GreenPool(2)
    assert list(pool.imap(None, [1, 2], "ab")) == [(1, "a"), (2, "b")]
    assert list(pool.starmap(None, [(1, 2), (3,)])) == [(1, 2), (3,)]


def test_a_map_begins_at_once_and_reads_no_more_than_the_pools_size_ahead() -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    results = GreenPool(3).imap(abs, numbers())
    assert read == []
    settle()
    assert read == [0, 1, 2]
    assert next(results) == 0
    settle()
    assert read == [0, 1, 2, 3]
    assert list(results) == list(range(1, 100))


@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_map_keeps_to_the_size_of_the_pool(size: int) -> None:
    pool, work = GreenPool(size), Work()
    assert list(pool.imap(work, range(20))) == list(range(20))
    assert work.most == size


def test_an_error_surfaces_at_its_position_and_iteration_goes_on() -> None:
    results = GreenPool(2).imap(lambda number: 6 // number, [1, 0, 3])
    assert next(results) == 6
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert next(results) == 2
    with pytest.raises(StopIteration):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_an_error_of_the_input_surfaces_at_its_position_and_is_the_end() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise KeyError("input")

    results = GreenPool(2).imap(abs, numbers())
    assert next(results) == 1
    with pytest.raises(KeyError, match="input"):
        next(results)
    assert list(results) == []


def test_arguments_that_cannot_be_unpacked_are_an_error_at_their_position() -> None:
    results = GreenPool(2).starmap(abs, [(1,), 2, (3,)])
    assert next(results) == 1
    with pytest.raises(TypeError):
        next(results)
    assert next(results) == 3


def test_a_consumer_that_is_interrupted_loses_no_result() -> None:
    results = GreenPool(2).imap(Work(5), range(4))
    for _ in range(3):
        with pytest.raises(Timeout):
            with Timeout(1):
                next(results)
    assert list(results) == [0, 1, 2, 3]


def test_a_consumer_killed_when_its_result_is_there_leaves_it_to_the_next() -> None:
    pool, gate = GreenPool(1), Event()
    results = pool.imap(lambda number: (gate.wait(), number)[1], [1, 2])
    victim = spawn(next, results)
    settle()
    for thread in pool.coroutines_running:
        thread.link(lambda _: victim.interrupt(GreenletExit()))  # when it has been woken, and has not run
    gate.send()
    with pytest.raises(GreenletExit):
        victim.wait()
    assert list(results) == [1, 2]


def test_two_consumers_share_the_results_and_none_comes_twice() -> None:
    results = GreenPool(4).imap(Work(), range(20))
    got: list[int] = []

    def consume() -> None:
        got.extend(results)

    consumers = [spawn(consume) for _ in range(3)]
    for consumer in consumers:
        consumer.wait()
    assert sorted(got) == list(range(20))


def test_the_end_of_a_killed_worker_is_the_result_at_its_position() -> None:
    pool = GreenPool(2)
    results = pool.imap(sleep, [1000, 1])
    settle()
    next(thread for thread in pool.coroutines_running if thread.state == PARKED).kill()
    outcomes = [error_of(lambda: next(results)) for _ in range(2)]
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["GreenletExit", "NoneType"]


def test_the_result_of_a_worker_killed_before_it_began_is_its_end() -> None:
    pool = GreenPool(1)
    results = pool.imap(abs, [-1, -2])
    sleep(0)  # the reader of the input runs
    (thread,) = pool.coroutines_running
    assert thread.state == NEW
    thread.kill()
    assert isinstance(error_of(lambda: next(results)), GreenletExit)
    assert list(results) == [2]


# -- The iterator ------------------------------------------------------------------------------------------------------


def test_a_map_is_its_own_iterator_and_has_next_by_eventlets_name() -> None:
    results = GreenPool(2).imap(abs, [-1, -2])
    assert iter(results) is results
    assert [results.next(), results.next()] == [1, 2]
    with pytest.raises(StopIteration):
        results.next()


def test_nothing_runs_before_the_maker_lets_it() -> None:
    ran: list[int] = []
    results = GreenPool(2).imap(ran.append, [1, 2])
    assert ran == []
    assert list(results) == [None, None]
    assert ran == [1, 2]


def test_the_input_may_have_no_end() -> None:
    results = GreenPool(2).imap(abs, count(1))
    assert [next(results) for _ in range(5)] == [1, 2, 3, 4, 5]
    settle()
    kill(results._producer)


def test_the_input_may_wait_and_is_not_read_by_two_at_once() -> None:
    inside = 0

    def slow_input() -> Iterator[int]:
        nonlocal inside
        for number in range(5):
            inside += 1
            assert inside == 1
            sleep(1)
            inside -= 1
            yield number

    results = GreenPool(3).imap(abs, slow_input())
    consumers = [spawn(list, results) for _ in range(2)]
    assert sorted(number for consumer in consumers for number in consumer.wait()) == [0, 1, 2, 3, 4]


def test_results_that_are_there_are_read_without_waiting() -> None:
    results, ran = GreenPool(3).imap(abs, [-1, -2, -3]), list[int]()
    settle()
    spawn(ran.append, 1)
    assert [next(results), next(results), next(results)] == [1, 2, 3]
    assert ran == []
    settle()


@pytest.mark.parametrize("size", [1, 2])
def test_two_maps_of_one_pool_share_its_places(size: int) -> None:
    pool, work = GreenPool(size), Work()
    one, other = pool.imap(work, range(6)), pool.imap(work, range(6))
    consumer = spawn(list, other)
    assert list(one) == consumer.wait() == list(range(6))
    assert work.most == size
    pool.waitall()
    assert pool.free() == size


def test_a_map_of_a_pool_without_places_waits_until_there_is_one() -> None:
    pool = GreenPool(0)
    results = pool.imap(abs, [-1, -2])
    consumer = spawn(list, results)
    sleep(100)
    assert (consumer.dead, pool.waiting()) == (False, 1)
    pool.resize(1)
    assert consumer.wait() == [1, 2]


# -- Errors ------------------------------------------------------------------------------------------------------------


def test_what_cannot_be_iterated_over_is_an_error_of_the_call() -> None:
    pool = GreenPool(2)
    with pytest.raises(TypeError, match="iter"):
        pool.imap(abs, 5)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match="iter"):
        pool.starmap(abs, None)  # type: ignore[arg-type]  # on purpose
    assert list(pool.imap(abs)) == []


@pytest.mark.parametrize("name", ["imap", "starmap"])
def test_what_cannot_be_called_is_refused_at_once(name: str) -> None:
    with pytest.raises(TypeError, match="not 'function': the function comes first, then its arguments"):
        getattr(GreenPool(2), name)("function", [1, 2])


def test_all_errors_surface_each_at_its_position_and_none_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[Any] = []
    monkeypatch.setattr("threading.excepthook", reports.append)

    def fail(number: int) -> None:
        raise KeyError(number)

    results = GreenPool(2).imap(fail, range(5))
    errors = [error_of(lambda: next(results)) for _ in range(6)]
    assert [error.args for error in errors[:5] if isinstance(error, KeyError)] == [(n,) for n in range(5)]
    assert isinstance(errors[5], StopIteration)
    assert reports == []


def test_the_end_that_a_function_asks_for_is_the_result_at_its_position() -> None:
    def leave(number: int) -> int:
        if number == 1:
            raise GreenletExit
        return number

    results = GreenPool(2).imap(leave, range(3))
    assert next(results) == 0
    with pytest.raises(GreenletExit):
        next(results)
    assert list(results) == [2]


def test_a_timeout_of_the_functions_own_is_the_result_at_its_position_and_is_not_reported() -> None:
    def slow(seconds: float) -> float:
        with Timeout(2):
            sleep(seconds)
        return seconds

    results = GreenPool(3).imap(slow, [1, 5, 1])
    assert next(results) == 1
    with pytest.raises(Timeout):
        next(results)
    assert list(results) == [1]


def test_the_frame_in_which_a_function_failed_is_in_the_traceback() -> None:
    def the_culprit(number: int) -> None:
        raise KeyError(number)

    results = GreenPool(2).imap(the_culprit, [1])
    with pytest.raises(KeyError) as caught:
        next(results)
    assert "the_culprit" in [entry.name for entry in caught.traceback]


def test_a_switch_to_the_consumer_or_the_reader_costs_no_result() -> None:
    work = Event()
    pool = GreenPool(1)

    def job(number: int) -> int:
        work.wait()
        return number

    results = pool.imap(job, range(4))
    consumer = spawn(list, results)
    settle()
    for thread in (consumer, results._producer):
        thread.switch()
        settle()
    assert not consumer.dead
    work.send()
    assert consumer.wait() == [0, 1, 2, 3]


def test_a_map_whose_reader_is_killed_ends_with_that_and_does_not_hang() -> None:
    pool = GreenPool(1)
    results = pool.imap(lambda number: number, range(9))
    settle()
    results.kill()
    assert next(results) == 0
    with pytest.raises(GreenletExit):
        next(results)
    assert list(results) == []


def test_its_repr_says_how_far_it_is() -> None:
    results = GreenPool(2).imap(lambda number: number, [1, 2])
    assert " input=reading not_taken=0 " in repr(results)
    assert list(results) == [1, 2]
    assert " input=all read not_taken=0 " in repr(results)
