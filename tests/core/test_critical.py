"""Critical steps: one at a time between OS threads, and the garbage collector rests."""

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._core.critical import (
    Guard,
    guard,
    is_uninterruptible,
    pause_gc,
    resume_gc,
    resume_gc_for_good,
    uninterruptible,
)


@pytest.fixture(autouse=True)
def _enabled() -> Iterator[None]:
    assert gc.isenabled()
    yield
    resume_gc_for_good()
    gc.enable()


def test_the_collector_rests_in_a_critical_step() -> None:
    with guard:
        assert not gc.isenabled()
        with guard:
            assert guard.depth == 2
        assert not gc.isenabled()
    assert gc.isenabled()
    assert guard.depth == 0


def test_a_step_that_fails_is_left() -> None:
    with pytest.raises(LookupError):
        with guard:
            raise LookupError
    assert gc.isenabled()
    assert not guard.is_owned()


def test_a_collector_that_was_switched_off_stays_so() -> None:
    gc.disable()
    with guard:
        pass
    pause_gc()
    resume_gc()
    assert not gc.isenabled()


def test_the_collector_rests_until_the_last_has_woken_it() -> None:
    pause_gc()
    pause_gc()
    with guard:
        pass
    resume_gc()
    assert not gc.isenabled()
    resume_gc()
    assert gc.isenabled()


def test_it_is_woken_for_good_whatever_had_it_rest() -> None:
    pause_gc()
    pause_gc()
    resume_gc_for_good()
    assert gc.isenabled()
    with guard:
        assert not gc.isenabled()
    assert gc.isenabled()


def test_to_wake_it_for_good_switches_on_nothing_that_was_off() -> None:
    gc.disable()
    pause_gc()
    resume_gc_for_good()
    assert not gc.isenabled()


def test_one_os_thread_at_a_time_is_in_a_critical_step() -> None:
    order: list[str] = []
    begun = threading.Event()

    def body() -> None:
        assert not guard.is_owned()
        begun.set()
        with guard:
            order.append("the other")

    thread = threading.Thread(target=body)
    with guard:
        thread.start()
        begun.wait(10)
        assert guard.is_owned()
        order.append("the first")
    thread.join(10)
    assert order == ["the first", "the other"]


def test_a_step_is_given_away_and_taken_back(in_os_thread: Callable[..., Any]) -> None:
    def body() -> int:
        assert guard.give_away() == 0, "not of this OS thread"
        with guard:
            return guard.depth

    with guard, guard:
        depth = guard.give_away()
        assert gc.isenabled()
        assert in_os_thread(body) == 1
        guard.take_back(depth)
        assert guard.depth == depth == 2
        assert not gc.isenabled()
    assert guard.give_away() == 0


def test_in_a_child_of_fork_nothing_is_in_a_critical_step(in_os_thread: Callable[..., Any]) -> None:
    of_test = Guard()
    in_os_thread(of_test.__enter__)
    of_test.after_fork()
    resume_gc_for_good()
    with of_test:
        assert of_test.depth == 1
    assert not of_test.is_owned()


# Where a signal handler may not run at once


@uninterruptible
class Steps:
    number = 1

    def method(self) -> bool:
        return is_uninterruptible(sys._getframe())

    @classmethod
    def of_the_class(cls) -> bool:
        return is_uninterruptible(sys._getframe())

    @staticmethod
    def static() -> bool:
        return is_uninterruptible(sys._getframe())


@uninterruptible
def step() -> bool:
    return is_uninterruptible(sys._getframe())


def other() -> bool:
    return is_uninterruptible(sys._getframe())


def test_a_function_and_the_methods_of_a_class_say_that_no_handler_may_run_in_them() -> None:
    assert step()
    assert Steps().method()
    assert Steps.of_the_class()
    assert Steps.static()
    assert not other()
    assert not is_uninterruptible(None)


def test_no_handler_may_run_in_a_critical_step(in_os_thread: Callable[..., Any]) -> None:
    with guard:
        assert other()
        assert is_uninterruptible(None)
        assert not in_os_thread(other)
