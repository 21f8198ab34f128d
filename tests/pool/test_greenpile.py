"""GreenPile: results in the order of spawning, again and again."""

from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.pool.greenpile import GreenPile
from greening.pool.greenpool import GreenPool
from greening.sync.event import Event
from greening.testing import Fake, settle
from greening.timeout import Timeout

pytestmark = pytest.mark.usefixtures("fake")

SIZES = pytest.mark.parametrize("size", [1, 2, 3, 10])


def after(seconds: float, value: int) -> int:
    sleep(seconds)
    return value


def test_results_come_in_the_order_of_spawning_whatever_ends_first(fake: Fake) -> None:
    before = fake.clock.now()
    pile = GreenPile(5)
    for seconds in (3, 1, 2):
        pile.spawn(after, seconds, value=seconds)
    assert list(pile) == [3, 1, 2]
    assert fake.clock.now() == pytest.approx(before + 3)


def test_a_pile_of_nothing_has_no_results() -> None:
    assert list(GreenPile(1)) == []


def test_a_pile_can_be_filled_again() -> None:
    pile = GreenPile(2)
    for turn in range(3):
        for number in range(4):
            pile.spawn(after, 1, turn * 10 + number)
        assert list(pile) == [turn * 10 + number for number in range(4)]


def test_a_pile_can_be_filled_while_it_is_read() -> None:
    pile = GreenPile(2)
    pile.spawn(after, 1, 3)
    got = []
    for number in pile:
        got.append(number)
        if number:
            pile.spawn(after, 1, number - 1)
    assert got == [3, 2, 1, 0]


def test_next_is_a_method_too() -> None:
    pile = GreenPile()
    pile.spawn(abs, -1)
    assert pile.next() == 1
    with pytest.raises(StopIteration):
        pile.next()


def test_an_error_surfaces_at_its_position_and_iteration_goes_on() -> None:
    pile = GreenPile(2)
    for number in (1, 0, 3):
        pile.spawn(divmod, 6, number)
    assert next(pile) == (6, 0)
    with pytest.raises(ZeroDivisionError):
        next(pile)
    assert next(pile) == (2, 0)


def test_spawn_waits_while_the_pool_is_full() -> None:
    pile = GreenPile(2)
    done: list[int] = []
    for number in range(6):
        pile.spawn(lambda n: done.append(after(1, n)), number)
        assert pile.pool.running() <= 2
    assert len(done) >= 4
    list(pile)


def test_a_pool_may_be_shared() -> None:
    pool = GreenPool(2)
    first, second = GreenPile(pool), GreenPile(pool)
    assert first.pool is second.pool is pool
    for number in range(4):
        first.spawn(after, 1, number)
        second.spawn(after, 1, -number)
        assert pool.running() <= 2
    assert list(first) == [0, 1, 2, 3]
    assert list(second) == [0, -1, -2, -3]


def test_a_consumer_that_is_interrupted_loses_no_result() -> None:
    pile = GreenPile(2)
    pile.spawn(after, 5, 1)
    pile.spawn(after, 6, 2)
    for _ in range(3):
        with Timeout(1, False):
            next(pile)
    assert list(pile) == [1, 2]


def test_a_spawn_that_was_interrupted_while_it_waited_is_not_in_the_pile() -> None:
    pile = GreenPile(1)
    pile.spawn(after, 5, 1)
    with Timeout(1, False):
        pile.spawn(after, 1, 2)
    pile.spawn(after, 1, 3)
    assert list(pile) == [1, 3]


def test_a_consumer_that_waits_for_a_spawn_that_is_interrupted_goes_on_to_the_next() -> None:
    pile = GreenPile(1)
    holder = pile.pool.spawn(sleep, 10)
    spawner = spawn(pile.spawn, after, 1, 1)
    settle()
    consumer = spawn(list, pile)
    settle()
    spawner.kill()
    assert consumer.wait() == []
    holder.kill()


def test_the_end_of_a_killed_worker_is_the_result_at_its_position() -> None:
    pile = GreenPile(2)
    pile.spawn(after, 5, 1)
    pile.spawn(after, 5, 2)
    for thread in list(pile.pool.coroutines_running):
        thread.kill()
    for _ in range(2):
        with pytest.raises(GreenletExit):
            next(pile)
    assert list(pile) == []


@SIZES
def test_a_pile_inside_a_worker_of_its_pool(size: int) -> None:
    pool = GreenPool(size)

    def worker() -> int:
        pile = GreenPile(pool)
        for number in (1, 2, 3):
            pile.spawn(after, 0.01, number)
        return sum(pile)

    assert list(pool.imap(lambda _: worker(), range(4))) == [6, 6, 6, 6]
    assert (pool.running(), pool.free(), pool.waiting()) == (0, size, 0)


@SIZES
def test_piles_within_piles(size: int) -> None:
    pool = GreenPool(size)

    def dig(level: int) -> int:
        pile = GreenPile(pool)
        for _ in range(2 if level else 0):
            pile.spawn(dig, level - 1)
        return 1 + sum(pile)

    assert pool.spawn(dig, 5).wait() == 2**6 - 1


@SIZES
def test_a_pile_that_is_filled_outside_and_read_by_a_worker(size: int) -> None:
    pool = GreenPool(size)
    pile = GreenPile(pool)

    def read() -> list[int]:
        return [next(pile) for _ in range(5)]

    pile.spawn(after, 0.01, 0)
    reader = pool.spawn(read)
    for number in range(1, 5):
        pile.spawn(after, 0.01, number)
    assert reader.wait() == [0, 1, 2, 3, 4]


# -- More of the same contract -----------------------------------------------------------------------------------------


def test_nothing_runs_before_the_maker_lets_it_and_then_in_the_order_of_spawning() -> None:
    pile, order = GreenPile(5), list[int]()
    for number in range(4):
        pile.spawn(order.append, number)
    assert order == []
    assert list(pile) == [None] * 4
    assert order == [0, 1, 2, 3]


def test_a_pile_is_its_own_iterator_and_has_a_pool_of_a_thousand() -> None:
    pile = GreenPile()
    assert iter(pile) is pile
    assert pile.pool.size == 1000


@pytest.mark.parametrize(("size", "error"), [("many", TypeError), (None, TypeError), (-1, ValueError)])
def test_a_size_that_is_none_is_refused(size: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="pool size"):
        GreenPile(size)


def test_a_pile_can_be_filled_again_after_an_error_and_after_its_end() -> None:
    pile = GreenPile(2)
    for _ in range(3):
        pile.spawn(divmod, 1, 0)
        with pytest.raises(ZeroDivisionError):
            next(pile)
        with pytest.raises(StopIteration):
            next(pile)


def test_an_error_is_not_reported_and_has_the_frame_in_which_it_was_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[Any] = []
    monkeypatch.setattr("threading.excepthook", reports.append)

    def the_culprit() -> None:
        raise KeyError

    pile = GreenPile(2)
    pile.spawn(the_culprit)
    with pytest.raises(KeyError) as caught:
        next(pile)
    assert "the_culprit" in [entry.name for entry in caught.traceback]
    assert reports == []


def test_arguments_may_have_any_name_but_that_of_the_function() -> None:
    pile = GreenPile(2)
    pile.spawn(dict, function=1, self=2)
    pile.spawn(func=dict, x=1)
    assert list(pile) == [{"function": 1, "self": 2}, {"x": 1}]
    with pytest.raises(TypeError, match="func"):
        pile.spawn(dict, func=1)  # type: ignore[misc]  # on purpose


def test_what_cannot_be_called_is_refused_at_once_and_leaves_no_job() -> None:
    pile = GreenPile(2)
    with pytest.raises(TypeError, match="a callable is needed, not 5"):
        pile.spawn(5)  # type: ignore[arg-type]  # on purpose
    pile.spawn(abs, -1)
    assert list(pile) == [1]


def test_results_that_are_there_are_read_without_waiting() -> None:
    pile, ran = GreenPile(3), list[int]()
    for number in range(3):
        pile.spawn(abs, number)
    settle()
    spawn(ran.append, 1)
    assert list(pile) == [0, 1, 2]
    assert ran == []
    settle()


def test_a_worker_of_a_full_pool_runs_what_it_piles_up_on_the_spot_and_its_error_waits_in_the_pile() -> None:
    pool, order = GreenPool(1), list[str]()

    def worker() -> list[object]:
        pile = GreenPile(pool)
        pile.spawn(order.append, "inner")
        order.append("spawned")
        pile.spawn(divmod, 1, 0)
        got: list[object] = [next(pile)]
        with pytest.raises(ZeroDivisionError):
            next(pile)
        return got

    assert pool.spawn(worker).wait() == [None]
    assert order == ["inner", "spawned"]


def test_a_spawn_that_is_killed_when_it_was_given_a_place_is_not_in_the_pile() -> None:
    pile, gate = GreenPile(1), Event()
    holder = pile.pool.spawn(gate.wait)
    victim = spawn(pile.spawn, abs, -1)
    settle()
    holder.link(lambda _: victim.interrupt(GreenletExit()))  # it has been given the place, and has not run
    gate.send()
    with pytest.raises(GreenletExit):
        victim.wait()
    assert list(pile) == []
    assert pile.pool.free() == 1


def test_two_consumers_share_the_results_and_none_comes_twice() -> None:
    pile = GreenPile(4)
    for number in range(10):
        pile.spawn(after, 1, number)
    consumers = [spawn(list, pile) for _ in range(3)]
    assert sorted(number for consumer in consumers for number in consumer.wait()) == list(range(10))


def test_a_timeout_of_the_functions_own_is_the_result_at_its_position_and_is_not_reported() -> None:
    pile = GreenPile(2)
    pile.spawn(slowly)
    pile.spawn(abs, -1)
    with pytest.raises(Timeout):
        next(pile)
    assert list(pile) == [1]


def slowly() -> None:
    with Timeout(1):
        sleep(5)


def test_a_timeout_of_the_worker_ends_what_it_piles_up_on_the_spot() -> None:
    pool, order = GreenPool(1), list[str]()

    def worker() -> str:
        pile = GreenPile(pool)
        with Timeout(1, False):
            pile.spawn(sleep, 5)
            order.append("spawned")
        with pytest.raises(Timeout):
            next(pile)
        return "went on"

    assert pool.spawn(worker).wait() == "went on"
    assert order == []


@pytest.mark.parametrize("size", [1, 3])
def test_a_pool_that_starts_green_threads_in_its_own_way_starts_those_of_the_pile(size: int) -> None:
    started: list[Any] = []

    class Noting(GreenPool):
        def spawn(self, /, function: Any, *args: Any, **kwargs: Any) -> Any:
            started.append((args, kwargs))
            return super().spawn(function, *args, **kwargs)

    pile = GreenPile(Noting(size))
    pile.spawn(divmod, 7, 2)
    pile.spawn(dict, a=1)
    assert list(pile) == [(3, 1), {"a": 1}]
    assert started == [((7, 2), {}), ((), {"a": 1})]
    assert pile.pool.running() == 0


def test_an_error_and_a_kill_in_such_a_pool_are_results_at_their_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.excepthook", lambda args: None)
    threads: list[Any] = []

    class Keeping(GreenPool):
        def spawn(self, /, function: Any, *args: Any, **kwargs: Any) -> Any:
            threads.append(super().spawn(function, *args, **kwargs))
            return threads[-1]

    pile = GreenPile(Keeping(3))
    pile.spawn(divmod, 1, 0)
    pile.spawn(sleep, 10)
    pile.spawn(int)
    threads[1].kill()
    with pytest.raises(ZeroDivisionError):
        next(pile)
    with pytest.raises(GreenletExit):
        next(pile)
    assert list(pile) == [0]


def test_its_repr_says_how_many_results_nobody_has_taken() -> None:
    pile = GreenPile(2)
    pile.spawn(divmod, 7, 2)
    assert " not_taken=1 pool=<GreenPool " in repr(pile)
    assert list(pile) == [(3, 1)]
    assert " not_taken=0 " in repr(pile)
