"""Waiting for several green threads: nothing is lost, whatever interrupts the wait."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

from greening._core.current import current
from greening._core.greenthread import GreenThread, spawn
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.pool.collect import as_completed, end_all, joinall, wait
from greening.sync.event import Event
from greening.testing import Fake
from greening.timeout import Timeout


def after(seconds: float, result: object = None) -> GreenThread[object]:
    def work() -> object:
        sleep(seconds)
        if isinstance(result, BaseException):
            raise result
        return result

    thread = spawn(work)
    thread.quiet = True
    return thread


# -- as_completed ------------------------------------------------------------------------------------------------------


def test_as_completed_gives_them_in_the_order_in_which_they_end(fake: Fake) -> None:
    threads = [after(3, "c"), after(1, "a"), after(2, "b")]
    assert [thread.wait() for thread in as_completed(threads)] == ["a", "b", "c"]


def test_those_that_have_ended_come_first_and_one_named_twice_comes_once(fake: Fake) -> None:
    late, early = after(2), after(1)
    early.wait()
    assert list(as_completed([late, early, late, early])) == [early, late]


def test_a_consumer_that_is_interrupted_goes_on_and_loses_nothing(fake: Fake) -> None:
    results = as_completed([after(1, "a"), after(3, "b")])
    assert next(results).wait() == "a"
    with Timeout(0.5, False):
        next(results)
        pytest.fail("it should have been interrupted")
    assert next(results).wait() == "b"
    assert list(results) == []


def test_a_killed_consumer_leaves_the_results_to_the_next_one(fake: Fake) -> None:
    threads = [after(1, "a"), after(2, "b")]
    seen: list[object] = []

    def consume() -> None:
        for thread in as_completed(threads):
            seen.append(thread.wait())

    consumer = spawn(consume)
    sleep(1.5)
    consumer.kill()
    assert seen == ["a"]
    assert [thread.wait() for thread in as_completed(threads)] == ["a", "b"]


def test_the_time_is_that_of_all_of_them_together(fake: Fake) -> None:
    slow = after(3)
    results = as_completed([after(1), slow, after(4)], timeout=2)
    next(results)
    with pytest.raises(TimeoutError, match="2 of 3 green threads have not ended within 2 seconds"):
        next(results)
    assert len(wait([slow])) == 1
    assert next(results) is slow
    results.let_go()  # type: ignore[attr-defined]  # the iterator's own
    sleep(1)


def test_no_link_stays_behind_in_a_thread_that_runs_on(fake: Fake) -> None:
    slow = after(10)
    for _ in range(3):
        assert wait([slow, after(1)], first=True) != [slow]
    results = as_completed([slow])
    del results
    assert not slow._links
    slow.kill()


@pytest.mark.parametrize("call", [as_completed, wait, joinall])
def test_what_is_no_green_thread_is_named(call: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError, match=r"green threads are needed, as spawn\(\) gives them, not 3"):
        call([3])


# -- wait and joinall --------------------------------------------------------------------------------------------------


def test_wait_gives_those_that_have_ended_in_that_order_and_raises_nothing(fake: Fake) -> None:
    slow, failing, quick = after(3), after(2, KeyError("mine")), after(1)
    assert wait([slow, failing, quick]) == [quick, failing, slow]
    assert wait([]) == []


def test_wait_ends_when_the_time_runs_out_or_when_enough_have_ended(fake: Fake) -> None:
    threads = [after(1), after(2), after(3), after(4)]
    assert wait(threads, timeout=0) == []
    assert wait(threads, first=True) == threads[:1]
    assert wait(threads, first=2) == threads[:2]
    assert wait(threads, timeout=1.5) == threads[:3]
    assert wait(threads, first=False) == threads
    with pytest.raises(ValueError, match="not negative, as -1 is"):
        wait(threads, first=-1)


def test_joinall_has_the_arguments_of_gevent(fake: Fake) -> None:
    threads = [after(1), after(2), after(3)]
    assert joinall(threads, count=1) == threads[:1]
    assert joinall(threads, timeout=2.5, raise_error=True) == threads
    with pytest.raises(ValueError, match="not negative"):
        joinall(threads, count=-1)


def test_joinall_raises_the_first_failure_as_soon_as_it_comes(fake: Fake) -> None:
    slow, failing = after(9), after(1, KeyError("mine"))
    killed = spawn(sleep, 5)
    killed.kill()
    with pytest.raises(KeyError, match="mine"):
        joinall([killed, slow, failing], raise_error=True)
    assert not slow.dead
    assert failing in joinall([slow, failing])


def test_green_threads_of_another_os_thread_are_waited_for() -> None:
    made: list[GreenThread[str]] = []
    begun = Event()

    def other() -> None:
        made.append(spawn(lambda: sleep(0.001) or "done"))
        begun.send()
        made[0].wait()

    thread = Thread(target=other)
    thread.start()
    begun.wait()
    assert [each.wait() for each in as_completed(made)] == ["done"]
    thread.join()


# -- end_all -----------------------------------------------------------------------------------------------------------


def test_end_all_waits_for_one_that_takes_its_time_and_for_what_comes_meanwhile(fake: Fake) -> None:
    running: set[GreenThread[Any]] = set()
    ended: list[str] = []

    def start(function: Callable[[], None]) -> None:
        thread = spawn(function)
        running.add(thread)
        thread.link(running.discard)

    def late() -> None:
        try:
            sleep(100)
        finally:
            ended.append("late")

    def slow() -> None:
        try:
            sleep(100)
        finally:
            start(late)
            sleep(1)
            ended.append("slow")

    start(slow)
    sleep(0)
    end_all(lambda: running, GreenletExit)
    assert ended == ["slow", "late"]
    assert not running


def test_a_kill_of_the_one_that_ends_them_comes_when_it_is_over(fake: Fake) -> None:
    ended: list[str] = []

    def slow() -> None:
        try:
            sleep(100)
        finally:
            sleep(5)
            ended.append("slow")

    def owner() -> None:
        thread = spawn(slow)
        sleep(0)
        end_all(lambda: set() if thread.dead else {thread}, GreenletExit)
        ended.append("owner")
        sleep(1)
        ended.append("never")

    caller = spawn(owner)
    sleep(1)
    caller.kill()
    with pytest.raises(GreenletExit):
        caller.wait()
    assert ended == ["slow", "owner"]


def test_ctrl_c_raises_the_error_once_more_and_comes_out_at_the_end(fake: Fake) -> None:
    caught: list[str] = []

    def stubborn() -> None:
        for _ in range(2):
            try:
                sleep(100)
            except GreenletExit:
                caught.append("caught")

    thread = spawn(stubborn)
    sleep(0)
    main = current()
    interrupter = spawn(lambda: main.interrupt(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        end_all(lambda: set() if thread.dead else {thread}, GreenletExit)
    assert caught == ["caught", "caught"]
    assert thread.dead
    assert interrupter.dead
