"""A job that a worker waits for: the worker lends it its place, so that no pool waits for itself."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.errors import Deadlock, GreenletExit
from greening.pool.greenpile import GreenPile
from greening.pool.greenpool import GreenPool
from greening.pool.job import Job
from greening.sync.event import Event
from greening.testing import settle
from greening.timeout import Timeout
from tests.pool.work import Work, error_of

pytestmark = pytest.mark.usefixtures("fake")

SIZES = pytest.mark.parametrize("size", [1, 2, 3, 10])


@SIZES
def test_a_map_inside_a_worker_of_the_same_pool(size: int) -> None:
    pool, work = GreenPool(size), Work(0.01)

    def page(_: int) -> int:
        return sum(pool.imap(work, [1, 2, 3]))

    assert list(pool.imap(page, range(4))) == [6, 6, 6, 6]
    assert work.most <= size
    assert (pool.running(), pool.free(), pool.waiting()) == (0, size, 0)


@SIZES
def test_a_starmap_inside_a_spawned_worker_of_the_same_pool(size: int) -> None:
    pool = GreenPool(size)
    threads = [pool.spawn(lambda: list(pool.starmap(pow, [(2, 3), (3, 2)]))) for _ in range(4)]
    assert [thread.wait() for thread in threads] == [[8, 9]] * 4


@SIZES
@pytest.mark.parametrize("depth", [3, 60])
def test_maps_within_maps_within_maps(size: int, depth: int) -> None:
    pool = GreenPool(size)

    def dig(level: int) -> int:
        sleep(0)
        return 0 if level == 0 else 1 + sum(pool.imap(dig, [level - 1]))

    assert list(pool.imap(dig, [depth, depth])) == [depth, depth]
    assert (pool.running(), pool.free(), pool.waiting()) == (0, size, 0)


@SIZES
def test_a_tree_of_maps(size: int) -> None:
    pool, work = GreenPool(size), Work(0.01)

    def leaves(level: int) -> int:
        return work(1) if level == 0 else sum(pool.imap(leaves, [level - 1] * 3))

    assert leaves(4) == 81
    assert work.most <= size


@SIZES
def test_a_map_whose_input_is_a_map_of_the_same_pool_inside_a_worker(size: int) -> None:
    pool = GreenPool(size)

    def increment(number: int) -> int:
        sleep(0.01)
        return number + 1

    def worker() -> list[int]:
        return list(pool.imap(increment, pool.imap(increment, pool.imap(increment, range(5)))))

    threads = [pool.spawn(worker) for _ in range(3)]
    assert [thread.wait() for thread in threads] == [[3, 4, 5, 6, 7]] * 3
    pool.waitall()


@SIZES
def test_an_input_that_spawns_in_the_same_pool_inside_a_worker(size: int) -> None:
    pool = GreenPool(size)

    def numbers() -> Iterator[int]:
        for number in range(5):
            yield pool.spawn(abs, -number).wait()

    assert pool.spawn(lambda: list(pool.imap(abs, numbers()))).wait() == [0, 1, 2, 3, 4]


@SIZES
def test_a_map_that_was_made_outside_and_is_read_by_a_worker(size: int) -> None:
    pool = GreenPool(size)
    results = pool.imap(Work(0.01), range(10))
    assert pool.spawn(list, results).wait() == list(range(10))


@SIZES
def test_a_map_inside_a_worker_is_as_lazy_as_any(size: int) -> None:
    pool, read = GreenPool(size), list[int]()

    def numbers() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    def worker() -> int:
        results = pool.imap(abs, numbers())
        for number in range(20):
            assert next(results) == number
            settle()
            assert len(read) <= number + 1 + size
        return sum(1 for _ in results)

    assert pool.spawn(worker).wait() == 80


def test_errors_surface_at_their_position_inside_a_worker_too() -> None:
    pool = GreenPool(1)

    def worker() -> list[object]:
        results = pool.imap(lambda number: 6 // number, [1, 0, 3])
        return [next(results), error_of(lambda: next(results)), next(results)]

    first, second, third = pool.spawn(worker).wait()
    assert (first, third) == (6, 2)
    assert isinstance(second, ZeroDivisionError)


def test_an_interrupted_worker_loses_no_result_of_the_job_it_has_lent_its_place_to() -> None:
    pool, work = GreenPool(1), Work(5)

    def worker() -> list[int]:
        results = pool.imap(work, [1, 2])
        for _ in range(3):
            with Timeout(1, False):
                next(results)
        return list(results)

    assert pool.spawn(worker).wait() == [1, 2]
    assert work.calls == [1, 2], "each was called once"


def test_a_worker_killed_while_its_job_runs_leaves_the_pool_whole() -> None:
    pool, work = GreenPool(1), Work(5)
    results = pool.imap(work, [1, 2, 3])
    assert next(results) == 1
    victim = pool.spawn(list, results)
    sleep(1)
    victim.kill()
    assert list(results) == [2, 3]
    assert work.calls == [1, 2, 3]
    pool.waitall()
    assert (pool.running(), pool.free(), pool.waiting()) == (0, 1, 0)


def test_maps_of_several_pools_inside_one_another() -> None:
    outer, inner = GreenPool(1), GreenPool(1)

    def page(_: int) -> int:
        return sum(inner.imap(abs, [-1, -2, -3]))

    assert list(outer.imap(page, range(4))) == [6, 6, 6, 6]
    assert outer.spawn(lambda: list(inner.imap(abs, outer.imap(abs, [-1, -2])))).wait() == [1, 2]


@SIZES
def test_a_pool_cannot_wait_for_itself_by_way_of_another_pool(size: int) -> None:
    one, other, work = GreenPool(size), GreenPool(size), Work(0.01)

    def dig(level: int) -> int:
        sleep(0)
        if level == 0:
            return work(1)
        return sum((one, other)[level % 2].imap(dig, [level - 1] * 2))

    threads = [one.spawn(dig, 5) for _ in range(2)]
    assert [thread.wait() for thread in threads] == [32, 32]
    assert (one.running(), one.free(), other.running(), other.free()) == (0, size, 0, size)


def test_a_worker_that_waits_later_than_the_job_of_the_other_pool_lends_its_place() -> None:
    one, other = GreenPool(1), GreenPool(1)

    def back(number: int) -> list[int]:
        return list(one.imap(abs, [-number]))

    def worker() -> list[list[int]]:
        results = other.imap(back, [1, 2])
        sleep(1)  # the job of `other` waits for a place in `one` meanwhile
        return list(results)

    assert one.spawn(worker).wait() == [[1], [2]]
    assert one.spawn(worker).wait() == [[1], [2]]


def test_a_worker_lends_no_place_for_a_job_that_was_given_one_a_moment_ago() -> None:
    pool, first, second = GreenPool(2), Event(), Event()
    results = pool.imap(Work(1), [1])  # its reader waits for a place, behind these two

    def reader() -> list[int]:
        second.wait()
        return list(results)

    holder, worker = pool.spawn(first.wait), pool.spawn(reader)
    settle()
    assert (pool.running(), pool.waiting()) == (2, 1)
    first.send()
    second.send()  # the worker runs when the reader of the input has been given the place, and has not run
    assert worker.wait() == [1]
    holder.wait()
    pool.waitall()
    assert (pool.running(), pool.free()) == (0, 2)


def test_a_result_that_a_map_and_its_maker_both_wait_for_comes_once() -> None:
    pool = GreenPool(1)

    def worker() -> list[int]:
        numbers = pool.imap(Work(1), [1, 2, 3, 4])
        doubled = pool.imap(lambda number: number * 2, numbers)
        mine = [next(numbers)]
        return sorted([*mine, *(number // 2 for number in doubled)])

    assert pool.spawn(worker).wait() == [1, 2, 3, 4]
    pool.waitall()
    assert pool.free() == 1


def test_jobs_that_wait_for_one_another_are_a_deadlock_that_is_seen() -> None:
    pool = GreenPool(2)
    piles = [GreenPile(pool), GreenPile(pool)]
    piles[0].spawn(lambda: next(piles[1]))
    piles[1].spawn(lambda: next(piles[0]))
    with pytest.raises(Deadlock):
        next(piles[0])
    for thread in list(pool.coroutines_running):
        thread.kill()


def test_a_job_in_a_lent_place_is_a_worker_and_waitall_waits_for_it() -> None:
    pool, work = GreenPool(1), Work(5)
    maps: list[Any] = []
    victim = pool.spawn(lambda: (maps.append(pool.imap(work, [1])), next(maps[0])))
    settle()
    assert (work.now, pool.running(), len(pool.coroutines_running)) == (1, 1, 2)
    victim.kill()
    waiter = spawn(pool.waitall)
    settle()
    assert (work.now, waiter.dead) == (1, False)
    waiter.wait()
    assert (work.now, pool.running(), pool.free()) == (0, 0, 1)
    assert list(maps[0]) == [1]


def test_a_job_in_a_lent_place_that_is_killed_before_it_began_has_that_for_its_outcome() -> None:
    pool, order = GreenPool(1), list[str]()

    def worker() -> str:
        error = error_of(lambda: next(pool.imap(order.append, ["called"])))
        return type(error).__name__

    thread = pool.spawn(worker)
    while len(pool.coroutines_running) < 2:
        sleep(0)
    next(lent for lent in pool.coroutines_running if lent is not thread).kill()
    assert thread.wait() == "GreenletExit"
    assert order == []


# -- A job alone -------------------------------------------------------------------------------------------------------


def test_a_job_that_was_run_has_its_outcome_as_often_as_it_is_asked() -> None:
    job = Job(GreenPool(1), divmod, (7, 2))
    assert not job.done
    job.run()
    assert job.done and not job.abandoned
    assert job.wait() is None
    assert [job.outcome(), job.outcome()] == [(3, 1), (3, 1)]


def test_a_job_that_failed_raises_the_same_error_as_often_as_it_is_asked() -> None:
    job = Job(GreenPool(1), divmod, (1, 0))
    job.run()
    errors = [error_of(job.outcome) for _ in range(2)]
    assert isinstance(errors[0], ZeroDivisionError)
    assert errors[0] is errors[1]


def test_an_end_that_was_asked_for_is_kept_and_goes_on_to_what_runs_the_job() -> None:
    def leave() -> None:
        raise GreenletExit

    job = Job(GreenPool(1), leave)
    with pytest.raises(GreenletExit):
        job.run()
    assert job.done
    with pytest.raises(GreenletExit):
        job.outcome()


def test_a_job_whose_start_is_interrupted_is_abandoned_and_its_waiters_are_told() -> None:
    pool = GreenPool(0)
    job = Job(pool, abs, (-1,))
    starter, waiter = spawn(job.start), spawn(job.wait)
    settle()
    starter.kill()
    assert waiter.wait() is None
    assert job.abandoned and job.done
    assert (pool.running(), pool.waiting()) == (0, 0)


def test_a_waiter_of_a_job_that_is_interrupted_leaves_no_trace() -> None:
    pool = GreenPool(1)
    job = Job(pool, Work(5), (1,))
    job.start()
    with Timeout(1, False):
        job.wait()
    assert job._waiters == []
    job.wait()
    assert job.outcome() == 1


def test_a_job_that_is_killed_before_it_began_has_that_for_its_outcome() -> None:
    pool = GreenPool(1)
    job = Job(pool, abs, (-1,))
    job.start()
    for thread in list(pool.coroutines_running):
        thread.kill(LookupError("never"))
    assert job.done
    with pytest.raises(LookupError, match="never"):
        job.outcome()


# -- Pools that wait for each other ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["imap", "imap_unordered"])
@pytest.mark.parametrize("sizes", [(1, 1), (1, 2), (2, 2)])
def test_workers_of_two_pools_may_map_over_each_others_pool(kind: str, sizes: tuple[int, int]) -> None:
    one, other = map(GreenPool, sizes)

    def outer(mine: GreenPool, its: GreenPool) -> list[int]:
        def inner(number: int) -> int:
            sleep(1)
            return sum(getattr(its, kind)(lambda each: sleep(1) or each, [number, number]))

        return sorted(getattr(mine, kind)(inner, [1, 2, 3]))

    threads = [spawn(outer, one, other), spawn(outer, other, one)]
    assert [thread.wait() for thread in threads] == [[2, 4, 6]] * 2
    assert (one.free(), other.free()) == sizes


@pytest.mark.parametrize("sizes", [(1, 1), (1, 2), (2, 1), (3, 2)])
def test_workers_of_two_pools_may_fill_piles_over_each_others_pool(sizes: tuple[int, int]) -> None:
    one, other = map(GreenPool, sizes)

    def work(mine: GreenPool, its: GreenPool, depth: int) -> int:
        sleep(1)
        if depth == 0:
            return 1
        pile = GreenPile(its)
        for _ in range(3):
            pile.spawn(work, its, mine, depth - 1)
        return sum(pile)

    pile = GreenPile(one)
    for _ in range(4):
        pile.spawn(work, one, other, 3)
    assert list(pile) == [27] * 4
    sleep(1)
    assert (one.free(), other.free(), one.waiting(), other.waiting()) == (*sizes, 0, 0)


class Chance:
    """Maps within maps, over pools of any size, as a seed has it."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.pools = [GreenPool(self.chance.randint(1, 3)) for _ in range(self.chance.randint(1, 3))]
        self.now = dict.fromkeys(self.pools, 0)

    def work(self, depth: int, mine: GreenPool | None = None) -> int:
        if depth == 3 or self.chance.random() < 0.3:
            self.compute(mine)
            return 1
        pool = self.chance.choice(self.pools)
        kind = self.chance.choice(["imap", "imap_unordered", "map"])
        calls = range(self.chance.randint(1, 4))
        return sum(getattr(pool, kind)(lambda _: self.work(depth + 1, pool), calls))

    def compute(self, mine: GreenPool | None) -> None:
        if mine is not None:
            self.now[mine] += 1
            assert self.now[mine] <= mine.size
        sleep(self.chance.choice([0, 0, 1, 2]))
        if mine is not None:
            self.now[mine] -= 1


@pytest.mark.parametrize("seed", range(40))
def test_maps_within_maps_neither_wait_for_ever_nor_use_more_places_than_there_are(seed: int) -> None:
    life = Chance(seed)
    for thread in [spawn(life.work, 0) for _ in range(life.chance.randint(1, 3))]:
        assert thread.wait() > 0
    for pool in life.pools:
        pool.waitall()
        assert (pool.running(), pool.free()) == (0, pool.size)
