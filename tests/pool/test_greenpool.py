"""GreenPool: no more than `size` at once, and never waiting for itself."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._core.greenthread import GreenThread, spawn
from greening._core.task import NEW, PARKED
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.pool.greenpool import GreenPool
from greening.sync.event import Event
from greening.testing import Fake, settle
from greening.timeout import Timeout

pytestmark = pytest.mark.usefixtures("fake")


class Work:
    """Counts how many of its calls are at work at the same time."""

    def __init__(self, seconds: float = 1) -> None:
        self.seconds = seconds
        self.now = self.most = 0
        self.calls: list[Any] = []

    def __call__(self, item: Any = None) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        self.calls.append(item)
        try:
            sleep(self.seconds)
        finally:
            self.now -= 1
        return item


# -- spawn -------------------------------------------------------------------------------------------------------------


def test_spawn_returns_a_green_thread_with_the_result() -> None:
    pool = GreenPool(2)
    thread = pool.spawn(divmod, 7, 2)
    assert isinstance(thread, GreenThread)
    assert thread.wait() == (3, 1)


def test_nothing_runs_before_the_caller_lets_it_and_then_in_the_order_of_spawning() -> None:
    pool, order = GreenPool(10), list[int]()
    for number in range(5):
        pool.spawn_n(order.append, number)
    assert order == []
    pool.waitall()
    assert order == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("size", [1, 3])
def test_no_more_than_size_run_at_once_and_spawn_waits_for_a_place(size: int) -> None:
    pool, work = GreenPool(size), Work()
    for number in range(10):
        pool.spawn(work, number)
        assert pool.running() <= size
    pool.waitall()
    assert work.most == size
    assert work.calls == list(range(10))
    assert (pool.running(), pool.free(), pool.waiting()) == (0, size, 0)


def test_those_who_wait_for_a_place_get_it_in_order_of_arrival() -> None:
    pool, order = GreenPool(1), list[int]()
    first = pool.spawn(sleep, 1)
    spawners = [spawn(pool.spawn_n, order.append, number) for number in range(4)]
    settle()
    assert pool.waiting() == 4
    first.wait()
    for spawner in spawners:
        spawner.wait()
    pool.waitall()
    assert order == [0, 1, 2, 3]


def test_running_free_and_waiting_say_how_full_it_is() -> None:
    pool = GreenPool(2)
    assert (pool.running(), pool.free(), pool.waiting()) == (0, 2, 0)
    pool.spawn(sleep, 1)
    assert (pool.running(), pool.free()) == (1, 1)
    pool.spawn(sleep, 1)
    spawner = spawn(pool.spawn, sleep, 1)
    settle()
    assert (pool.running(), pool.free(), pool.waiting()) == (2, 0, 1)
    pool.waitall()
    spawner.wait()
    pool.waitall()


def test_a_failure_of_one_is_its_own_and_its_place_is_free_again() -> None:
    pool = GreenPool(1)

    def fail() -> None:
        try:
            raise KeyError("mine")
        except KeyError as error:
            raise GreenletExit from error  # an end that nobody is told of

    for _ in range(3):
        with pytest.raises(GreenletExit):
            pool.spawn(fail).wait()
    assert pool.free() == 1


def test_a_killed_one_leaves_its_place_started_or_not() -> None:
    pool = GreenPool(2)
    started = pool.spawn(sleep, 100)
    settle()
    unstarted = pool.spawn(sleep, 100)
    started.kill()
    unstarted.kill()
    assert (pool.running(), pool.free()) == (0, 2)


def test_a_spawner_that_is_killed_while_it_waits_takes_no_place() -> None:
    pool = GreenPool(1)
    holder = pool.spawn(sleep, 1)
    victim = spawn(pool.spawn, sleep, 1)
    settle()
    victim.kill()
    holder.wait()
    assert (pool.free(), pool.waiting()) == (1, 0)


def test_a_spawner_killed_after_it_was_given_a_place_passes_it_on() -> None:
    pool, gate = GreenPool(1), Event()
    ran: list[str] = []
    holder = pool.spawn(gate.wait)
    victim, other = spawn(pool.spawn, ran.append, "victim"), spawn(pool.spawn, ran.append, "other")
    settle()
    holder.link(lambda _: victim.interrupt(GreenletExit()))
    gate.send()
    other.wait()
    pool.waitall()
    assert ran == ["other"]
    assert (pool.free(), pool.waiting()) == (1, 0)


def test_a_worker_that_spawns_when_the_pool_is_full_runs_the_function_on_the_spot() -> None:
    pool, order = GreenPool(1), list[str]()

    def inner() -> str:
        order.append("inner")
        return "result"

    def outer() -> str:
        thread = pool.spawn(inner)
        order.append("spawned")
        assert thread.dead
        return thread.wait()

    assert pool.spawn(outer).wait() == "result"
    assert order == ["inner", "spawned"]


def test_a_worker_that_spawns_when_there_is_room_runs_nothing_on_the_spot() -> None:
    pool, order = GreenPool(2), list[str]()

    def outer() -> None:
        pool.spawn_n(order.append, "inner")
        order.append("spawned")

    pool.spawn(outer)
    pool.waitall()
    assert order == ["spawned", "inner"]


def test_what_fails_on_the_spot_fails_in_the_worker() -> None:
    pool = GreenPool(1)

    def outer() -> str:
        with pytest.raises(ZeroDivisionError):
            pool.spawn(divmod, 1, 0)
        return "went on"

    assert pool.spawn(outer).wait() == "went on"


# -- size --------------------------------------------------------------------------------------------------------------


def test_growing_wakes_spawners_that_wait() -> None:
    pool, work = GreenPool(1), Work()
    spawners = [spawn(pool.spawn, work, number) for number in range(4)]
    settle()
    assert (work.now, pool.waiting()) == (1, 3)
    pool.resize(3)
    settle()
    assert (work.now, pool.waiting()) == (3, 1)
    for spawner in spawners:
        spawner.wait()
    pool.waitall()
    assert work.most == 3


def test_shrinking_lets_the_surplus_finish_and_free_is_negative_meanwhile() -> None:
    pool, work = GreenPool(3), Work()
    for number in range(3):
        pool.spawn(work, number)
    pool.resize(1)
    assert pool.free() == -2
    for number in range(3):
        pool.spawn(work, number)
        settle()
        assert pool.running() == 1
    pool.waitall()
    assert pool.free() == 1


def test_a_pool_of_size_zero_waits_until_it_is_resized() -> None:
    pool = GreenPool(0)
    spawner = spawn(pool.spawn, sleep)
    sleep(100)
    assert pool.waiting() == 1
    pool.resize(1)
    spawner.wait()
    pool.waitall()


@pytest.mark.parametrize(("size", "error"), [(-1, ValueError), ("many", TypeError), (None, TypeError)])
def test_a_size_that_is_none_is_refused(size: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="pool size"):
        GreenPool(size)
    pool = GreenPool(2)
    with pytest.raises(error, match="pool size"):
        pool.resize(size)
    assert pool.free() == 2


# -- waitall -----------------------------------------------------------------------------------------------------------


def test_waitall_waits_for_those_who_wait_for_a_place_as_well(fake: Fake) -> None:
    pool = GreenPool(2)
    before = fake.clock.now()
    for _ in range(4):
        pool.spawn(sleep, 3)
    pool.waitall()
    assert fake.clock.now() == pytest.approx(before + 6)
    pool.waitall()
    GreenPool().waitall()


def test_many_may_wait_for_all() -> None:
    pool = GreenPool(2)
    pool.spawn(sleep, 1)
    waiters = [spawn(pool.waitall) for _ in range(3)]
    for waiter in waiters:
        waiter.wait()


def test_waitall_by_a_worker_is_an_error_since_it_would_wait_for_itself() -> None:
    pool = GreenPool(2)

    def worker() -> None:
        with pytest.raises(AssertionError, match="deadlock"):
            pool.waitall()

    pool.spawn(worker).wait()


def test_waitall_by_a_job_that_a_worker_waits_for_is_the_same_error() -> None:
    pool = GreenPool(1)

    def part(_: int) -> str:
        with pytest.raises(AssertionError, match="deadlock"):
            pool.waitall()
        return "refused"

    assert pool.spawn(lambda: list(pool.imap(part, [1]))).wait() == ["refused"]


# -- imap and starmap --------------------------------------------------------------------------------------------------


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


def error_of(call: Callable[[], object]) -> BaseException | None:
    try:
        call()
    except BaseException as error:  # the result
        return error
    return None


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


def test_a_worker_killed_before_it_began_has_a_result_too() -> None:
    pool = GreenPool(1)
    results = pool.imap(abs, [-1, -2])
    while not pool.coroutines_running:
        sleep(0)
    for thread in list(pool.coroutines_running):
        if thread.state == NEW:
            thread.kill()
    outcomes = [error_of(lambda: next(results)) for _ in range(2)]
    assert all(outcome is None or isinstance(outcome, GreenletExit) for outcome in outcomes)


# -- A pool cannot wait for itself -------------------------------------------------------------------------------------

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
