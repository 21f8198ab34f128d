"""GreenPool: no more than `size` at once, and never waiting for itself."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from greening._core.greenthread import GreenThread, spawn
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.pool.greenpool import GreenPool
from greening.sync.event import Event
from greening.testing import Fake, settle
from greening.timeout import Timeout
from tests.pool.work import Work

pytestmark = pytest.mark.usefixtures("fake")


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


def test_spawners_that_wait_for_a_place_get_it_in_order_of_arrival() -> None:
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
            raise GreenletExit from error  # an end that is not reported

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


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is reported as unhandled, in place of a report."""
    seen: list[Any] = []
    monkeypatch.setattr("threading.excepthook", lambda args: seen.append(args.exc_value))
    return seen


def test_a_failure_is_reported_and_is_raised_by_wait_and_its_place_is_free(reports: list[Any]) -> None:
    pool = GreenPool(1)
    thread = pool.spawn(divmod, 1, 0)
    with pytest.raises(ZeroDivisionError):
        thread.wait()
    pool.spawn_n(divmod, 1, 0)
    pool.waitall()
    assert [type(error) for error in reports] == [ZeroDivisionError] * 2
    assert (pool.free(), pool.running()) == (1, 0)


@pytest.mark.parametrize("size", [1, 2])
def test_spawn_n_reports_a_failure_whether_the_pool_is_full_or_not(size: int, reports: list[Any]) -> None:
    pool = GreenPool(size)

    def outer() -> str:
        assert pool.spawn_n(divmod, 1, 0) is None
        return "went on"

    assert pool.spawn(outer).wait() == "went on"
    pool.waitall()
    assert [type(error) for error in reports] == [ZeroDivisionError]


@pytest.mark.parametrize("size", [1, 2])
def test_spawn_n_reports_no_failure_if_it_is_told_so(
    size: int, reports: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GreenPool, "reports", False)
    pool = GreenPool(size)
    pool.spawn(pool.spawn_n, divmod, 1, 0)
    pool.waitall()
    assert reports == []


def test_an_end_that_was_asked_for_ends_the_worker_on_whose_spot_it_came() -> None:
    pool = GreenPool(1)

    def inner() -> None:
        raise GreenletExit

    def outer() -> None:
        pool.spawn_n(inner)
        pytest.fail("it went on")

    with pytest.raises(GreenletExit):
        pool.spawn(outer).wait()
    assert pool.free() == 1


def test_arguments_may_have_any_name_but_that_of_the_function() -> None:
    pool = GreenPool(1)
    assert pool.spawn(dict, self=1, func=2, args=3).wait() == {"self": 1, "func": 2, "args": 3}
    assert pool.spawn(function=dict, self=1).wait() == {"self": 1}
    got: list[dict[str, int]] = []
    pool.spawn_n(lambda **given: got.append(given), func=1)
    pool.spawn_n(function=lambda **given: got.append(given), x=2)
    pool.waitall()
    assert got == [{"func": 1}, {"x": 2}]
    with pytest.raises(TypeError, match="function"):
        pool.spawn(dict, function=1)  # type: ignore[misc]  # on purpose


@pytest.mark.parametrize("what", [None, "function", 5])
def test_what_cannot_be_called_takes_no_place(what: Any) -> None:
    pool = GreenPool(1)
    for spawn_it in (pool.spawn, pool.spawn_n):
        with pytest.raises(TypeError, match="callable"):
            spawn_it(what)
    assert (pool.free(), pool.running()) == (1, 0)


def test_what_runs_on_the_spot_may_spawn_again_to_any_depth() -> None:
    pool = GreenPool(1)

    def dig(level: int) -> int:
        return 0 if level == 0 else 1 + pool.spawn(dig, level - 1).wait()

    assert pool.spawn(dig, 20).wait() == 20
    assert (pool.free(), pool.running()) == (1, 0)


def test_the_thread_of_what_ran_on_the_spot_has_ended_in_every_respect() -> None:
    pool, linked = GreenPool(1), list[Any]()

    def outer() -> None:
        thread = pool.spawn(abs, -5)
        assert thread.dead
        thread.link(linked.append)
        thread.kill()
        assert linked == [thread]
        assert [thread.wait(), thread.wait()] == [5, 5]

    pool.spawn(outer).wait()


def test_a_worker_of_another_pool_waits_for_a_place_like_all() -> None:
    pool, other = GreenPool(1), GreenPool(1)
    order: list[str] = []
    holder = pool.spawn(lambda: (sleep(5), order.append("holder")))
    thread = other.spawn(lambda: pool.spawn(order.append, "guest").wait())
    settle()
    assert (order, pool.waiting()) == ([], 1)
    thread.wait()
    holder.wait()
    assert order == ["holder", "guest"]


def test_a_timeout_around_spawn_takes_no_place() -> None:
    pool, ran = GreenPool(1), list[int]()
    holder = pool.spawn(sleep, 5)
    with pytest.raises(Timeout):
        with Timeout(1):
            pool.spawn(ran.append, 1)
    assert pool.waiting() == 0
    holder.wait()
    settle()
    assert (pool.free(), ran) == (1, [])


def test_many_spawners_some_of_which_are_killed_or_time_out_get_their_places_in_order() -> None:
    pool, order = GreenPool(2), list[int]()
    for _ in range(2):
        pool.spawn(sleep, 5)

    def spawner(number: int) -> None:
        with Timeout(1 if number % 4 == 1 else None, False):
            pool.spawn(order.append, number)

    spawners = [spawn(spawner, number) for number in range(40)]
    settle()
    for thread in spawners[2::4]:
        thread.kill()
    sleep(2)
    assert pool.waiting() == 20
    sleep(10)
    assert order == [number for number in range(40) if number % 4 in (0, 3)]
    assert (pool.free(), pool.waiting()) == (2, 0)


def test_a_place_is_not_there_for_a_passer_by_while_spawners_wait() -> None:
    pool, order = GreenPool(1), list[str]()
    holder = pool.spawn(sleep, 1)
    first = spawn(pool.spawn, order.append, "first")
    settle()
    holder.link(lambda _: order.append("ended"))
    holder.wait()
    pool.spawn(order.append, "passer-by")
    pool.waitall()
    first.wait()
    assert order == ["ended", "first", "passer-by"]


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


def test_growing_by_several_places_wakes_as_many_in_order_of_arrival() -> None:
    pool, order = GreenPool(0), list[int]()
    for number in range(5):
        spawn(pool.spawn_n, order.append, number)
    settle()
    pool.resize(2)
    assert (order, pool.free(), pool.waiting()) == ([], 0, 3)
    settle()
    assert order == [0, 1, 2, 3, 4]
    assert pool.free() == 2


def test_shrinking_leaves_spawners_waiting_until_there_is_room() -> None:
    pool, work = GreenPool(3), Work()
    for number in range(3):
        pool.spawn(work, number)
    spawner = spawn(pool.spawn, work, 3)
    settle()
    pool.resize(2)
    next(iter(pool.coroutines_running)).kill()
    settle()
    assert (pool.free(), pool.waiting(), work.now) == (0, 1, 2)
    spawner.wait()
    pool.waitall()
    assert (pool.free(), work.most) == (2, 3)


def test_a_pool_that_was_shrunk_to_nothing_lets_no_more_in() -> None:
    pool = GreenPool(1)
    pool.resize(0)
    spawner = spawn(pool.spawn, abs, -1)
    sleep(100)
    assert (pool.free(), pool.waiting()) == (0, 1)
    spawner.kill()
    assert pool.waiting() == 0


@pytest.mark.parametrize(("size", "expected"), [(3.0, 3), (True, 1)])
def test_a_size_may_be_whatever_is_a_whole_number(size: Any, expected: int) -> None:
    assert GreenPool(size).size == expected
    assert GreenPool().size == 1000


# -- waitall -----------------------------------------------------------------------------------------------------------


def test_waitall_waits_for_those_that_had_to_wait_for_a_place_too(fake: Fake) -> None:
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


def test_waitall_waits_for_those_that_are_spawned_meanwhile_too(fake: Fake) -> None:
    pool, before = GreenPool(3), fake.clock.now()

    def one_more() -> None:
        sleep(1)
        pool.spawn(sleep, 5)

    pool.spawn(one_more)
    pool.waitall()
    assert fake.clock.now() == pytest.approx(before + 6)


def test_waitall_ends_when_the_last_one_is_killed_begun_or_not() -> None:
    pool = GreenPool(2)
    begun = pool.spawn(sleep, 100)
    waiter = spawn(pool.waitall)
    settle()
    not_begun = pool.spawn(sleep, 100)
    begun.kill()
    assert not waiter.dead
    not_begun.kill()
    assert waiter.wait() is None


def test_a_killed_waiter_of_waitall_leaves_and_the_others_are_told() -> None:
    pool = GreenPool(1)
    pool.spawn(sleep, 5)
    victim, other = spawn(pool.waitall), spawn(pool.waitall)
    settle()
    victim.kill()
    with Timeout(1, False):
        pool.waitall()
    assert pool.running() == 1
    assert other.wait() is None


def test_the_error_of_waitall_by_a_worker_names_the_remedy() -> None:
    pool = GreenPool(1)

    def worker() -> str:
        with pytest.raises(AssertionError) as caught:
            pool.waitall()
        return str(caught.value)

    assert "call it from outside" in pool.spawn(worker).wait()


def test_waitall_of_a_pool_by_a_worker_of_another_is_fine() -> None:
    pool, other = GreenPool(1), GreenPool(1)
    pool.spawn(sleep, 1)
    assert other.spawn(pool.waitall).wait() is None


def test_waitall_of_an_idle_pool_lets_others_run_when_the_slice_is_over(spent: Callable[[], None]) -> None:
    ran: list[int] = []
    spawn(ran.append, 1)
    spent()
    GreenPool().waitall()
    assert ran == [1]


def test_waitall_is_woken_by_the_end_of_the_last_one_only() -> None:
    pool, woken = GreenPool(2), list[int]()
    quick, slow = pool.spawn(sleep, 1), pool.spawn(sleep, 5)
    spawn(lambda: (pool.waitall(), woken.append(1)))
    quick.wait()
    settle()
    assert (len(pool._idle), woken) == (1, [])
    slow.wait()
    settle()
    assert (len(pool._idle), woken) == (0, [1])


# -- kill, with, map ---------------------------------------------------------------------------------------------------


def test_kill_ends_all_begun_or_not_and_waits_for_their_end() -> None:
    pool, ended = GreenPool(3), list[int]()

    def work(number: int) -> None:
        try:
            sleep(100)
        finally:
            sleep(1)
            ended.append(number)

    for number in range(2):
        pool.spawn(work, number)
    settle()
    not_begun = pool.spawn(work, 2)
    assert pool.kill() is True
    assert sorted(ended) == [0, 1]
    assert not_begun.dead
    assert (pool.running(), pool.free()) == (0, 3)
    assert pool.spawn(divmod, 7, 2).wait() == (3, 1)


def exit_of(thread: GreenThread[Any]) -> str:
    with pytest.raises(GreenletExit) as caught:
        thread.wait()
    return str(caught.value)


def test_those_that_a_pool_kills_say_who_killed_them_and_where() -> None:
    pool = GreenPool(3)
    begun = pool.spawn(sleep, 100)
    settle()
    not_begun = pool.spawn(sleep, 100)
    killer = spawn(pool.kill)
    killer.wait()
    assert exit_of(begun) == exit_of(not_begun) == f"killed by {killer.name}"
    thread = pool.spawn(sleep, 100)
    pool.kill()
    assert re.fullmatch(rf"killed by main greenlet, {re.escape(__file__)}:\d+ in test_those.*", exit_of(thread))


def test_those_that_the_end_of_a_pools_block_kills_say_so() -> None:
    with pytest.raises(KeyError), GreenPool(2) as pool:
        left = pool.spawn(sleep, 100)
        raise KeyError
    with pytest.raises(Timeout), Timeout(1), GreenPool(2) as pool:
        interrupted = pool.spawn(sleep, 100)
    assert exit_of(left) == "the block of its pool was left by KeyError"
    assert exit_of(interrupted) == "the block of its pool was interrupted by Timeout"


def test_kill_raises_the_exception_that_it_is_given() -> None:
    pool = GreenPool(2)
    thread = pool.spawn(sleep, 100)
    thread.quiet = True
    settle()
    pool.kill(KeyError, "mine")
    with pytest.raises(KeyError, match="mine"):
        thread.wait()
    with pytest.raises(TypeError, match="an exception or an exception class is needed, not 3"):
        pool.kill(3)


def test_kill_reaches_the_calls_of_maps_and_the_reader_of_their_input() -> None:
    pool, work = GreenPool(2), Work(100)
    results = pool.imap(work, range(50))
    not_begun = pool.imap(work, range(50))
    settle()
    pool.kill()
    assert len(work.calls) == 2
    assert (pool.running(), work.now) == (0, 0)
    for each in (results, not_begun):
        with pytest.raises(GreenletExit):
            while True:
                next(each)


def test_kill_gives_up_when_the_time_runs_out() -> None:
    pool, caught = GreenPool(1), list[str]()

    def stubborn() -> None:
        try:
            sleep(100)
        except GreenletExit:
            caught.append("caught")
            sleep(10)

    pool.spawn(stubborn)
    settle()
    assert pool.kill(timeout=1) is False
    assert caught == ["caught"]
    assert pool.waitall(timeout=1) is False
    assert pool.waitall(timeout=100) is True


def test_a_spawner_that_waits_when_all_are_killed_gets_no_further_either() -> None:
    pool, ran = GreenPool(1), list[int]()
    pool.spawn(sleep, 100)
    spawner = spawn(pool.spawn, ran.append, 1)
    settle()
    pool.kill()
    spawner.wait()
    pool.kill()
    assert pool.running() == 0


def test_a_worker_may_kill_its_pool_and_is_the_last() -> None:
    pool, ended = GreenPool(2), list[str]()

    def other() -> None:
        try:
            sleep(100)
        finally:
            ended.append("other")

    def worker() -> None:
        sleep(1)
        try:
            pool.kill()
        finally:
            ended.append("worker")

    pool.spawn(other)
    thread = pool.spawn(worker)
    with pytest.raises(GreenletExit):
        thread.wait()
    assert ended == ["other", "worker"]


def test_with_waits_at_the_end_of_the_block() -> None:
    work = Work(3)
    with GreenPool(2) as pool:
        for number in range(4):
            pool.spawn(work, number)
    assert (work.now, len(work.calls)) == (0, 4)


def test_with_kills_them_when_an_exception_leaves_the_block() -> None:
    work = Work(100)
    with pytest.raises(KeyError), GreenPool(2) as pool:
        pool.spawn(work)
        results = pool.imap_unordered(work, range(9))
        settle()
        raise KeyError
    assert (work.now, pool.running()) == (0, 0)
    assert "input=all read" in repr(results)


def test_with_kills_them_when_the_wait_at_its_end_is_interrupted() -> None:
    ended: list[str] = []

    def slow() -> None:
        try:
            sleep(100)
        finally:
            sleep(5)
            ended.append("slow")

    with pytest.raises(Timeout), Timeout(1), GreenPool(2) as pool:
        pool.spawn(slow)
    assert ended == ["slow"]


def test_map_gives_a_list_in_the_order_of_the_input() -> None:
    def after(seconds: int, other: int) -> int:
        sleep(seconds)
        return seconds + other

    assert GreenPool(3).map(after, [3, 1, 2], [10, 20, 30]) == [13, 21, 32]


@pytest.mark.parametrize("how", ["a failure", "a timeout"])
def test_map_leaves_nothing_at_work_when_it_ends_early(how: str) -> None:
    pool, work = GreenPool(2), Work(50)

    def call(item: int) -> object:
        if item == 0 and how == "a failure":
            raise KeyError("mine")
        return work(item)

    with pytest.raises((KeyError, Timeout)), Timeout(60):
        pool.map(call, range(20))
    assert (work.now, pool.running()) == (0, 0)
    assert len(work.calls) < 5


def test_map_needs_the_function_first() -> None:
    with pytest.raises(TypeError, match="the function comes first, then its arguments"):
        GreenPool(2).map([1, 2], abs)  # type: ignore[arg-type]  # on purpose


def test_its_repr_says_how_full_it_is() -> None:
    pool = GreenPool(1)
    pool.spawn(sleep, 1)
    spawner = spawn(pool.spawn, sleep, 1)
    settle()
    assert repr(pool).endswith(" size=1 running=1 waiting=1>")
    spawner.wait()
    pool.waitall()


# -- fork --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", ["pass", "pool.kill()", "assert pool.map(abs, [-1, -2]) == [1, 2]"])
def test_in_the_child_of_a_fork_a_pool_is_empty(run_program: Callable[..., Any], use: str) -> None:
    program = f"""
import os, greening
with greening.GreenPool(2) as pool:
    for _ in range(2):
        pool.spawn(greening.sleep, 0.01)
    greening.sleep(0)
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    else:
        {use}
if not child:
    assert (pool.running(), pool.waitall(timeout=0)) == (0, True)
    os._exit(7)
"""
    assert run_program(program).stdout == "7\n"


def test_a_worker_that_forks_keeps_its_place_in_the_child(run_program: Callable[..., Any]) -> None:
    program = """
import os, greening
pool = greening.GreenPool(1)
def work():
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert (pool.free(), pool.map(abs, [-1])) == (0, [1])
    os._exit(7)
print(pool.spawn(work).wait())
"""
    assert run_program(program).stdout == "7\n"
