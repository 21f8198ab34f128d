"""Locks that look like `_thread`'s, and green locks in the place of real ones."""

import copy
import pickle
import sys
from collections.abc import Callable
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import yield_now
from greening._originals import RLock as RealRLock
from greening._originals import allocate_lock, start_new_thread
from greening.testing import settle, wait_until_parked
from greening.threads.locks import AdoptedLock, AdoptedRLock, BargingLock, RLock, lock

pytestmark = pytest.mark.usefixtures("fake")

PLAIN = pytest.mark.parametrize("make", [lock, BargingLock, lambda: AdoptedLock(allocate_lock())])
REENTRANT = pytest.mark.parametrize("make", [RLock, lambda: AdoptedRLock(RealRLock())])
Make = Callable[[], Any]


# All of them


@PLAIN
def test_a_lock_passes_for_the_one_of_thread(make: Make) -> None:
    made = make()
    assert (type(made).__module__, type(made).__name__) == ("_thread", "lock")
    assert repr(made).startswith("<unlocked _thread.lock object at ")


@REENTRANT
def test_a_re_entrant_lock_passes_for_the_one_of_thread(make: Make) -> None:
    made = make()
    assert (type(made).__module__, type(made).__name__) == ("_thread", "RLock")


@pytest.mark.parametrize("make", [lock, RLock, BargingLock])
@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy])
def test_a_lock_can_be_neither_pickled_nor_copied(make: Make, duplicate: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="cannot pickle '_thread"):
        duplicate(make())


def test_a_lock_takes_no_subclasses_from_other_modules() -> None:
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("mine", (lock,), {"__module__": "mine"})


@PLAIN
def test_a_waiter_gets_the_lock_when_it_is_released(make: Make) -> None:
    made = make()
    assert made.acquire()
    waiter = spawn(made.acquire)
    wait_until_parked(waiter)
    made.release()
    assert waiter.wait() is True
    assert made.locked()
    made.release_lock()
    assert not made.locked()


@PLAIN
def test_a_lock_that_stays_taken_is_given_up(make: Make) -> None:
    made = make()
    with made:
        assert made.acquire(False) is False
        assert made.acquire(True, 0) is False
        assert made.acquire(timeout=0.002) is False
    assert not made.locked()


@PLAIN
def test_releasing_an_open_lock_is_an_error(make: Make) -> None:
    made = make()
    with pytest.raises(RuntimeError):
        made.release()


# BargingLock


def test_a_release_opens_a_barging_lock_although_tasks_wait() -> None:
    barging, fair = BargingLock(), lock()
    for made in (barging, fair):
        made.acquire()
    waiters = [spawn(made.acquire) for made in (barging, fair)]
    settle()
    barging.release()
    fair.release()
    assert not barging.locked()
    assert fair.locked(), "it is handed to the waiter"
    settle()
    assert [waiter.wait() for waiter in waiters] == [True, True]


def test_a_barging_lock_belongs_to_the_first_that_comes() -> None:
    barging = BargingLock()
    barging.acquire()
    waiter = spawn(barging.acquire)
    wait_until_parked(waiter)
    barging.release()
    assert barging.acquire(False), "the waiter was woken, and has not run"
    settle()
    assert not waiter.dead
    barging.release()
    assert waiter.wait() is True


# AdoptedLock


def test_an_adopted_lock_and_the_real_one_exclude_each_other() -> None:
    real = allocate_lock()
    made = AdoptedLock(real)
    assert made.original is real
    with made:
        assert real.acquire(False) is False
    with real:
        assert made.locked()
        assert made.acquire(False) is False


def test_a_waiter_notices_that_the_real_lock_was_released() -> None:
    real = allocate_lock()
    real.acquire()
    made = AdoptedLock(real)
    waiter = spawn(made.acquire)
    wait_until_parked(waiter)
    real.release()  # which tells nothing to the hub
    assert waiter.wait(5) is True


def test_an_adopted_lock_is_open_in_a_child_of_fork() -> None:
    real = allocate_lock()
    made = AdoptedLock(real)
    made.acquire()
    made._at_fork_reinit()
    assert not real.locked()
    assert made.acquire(False)


# RLock


def test_a_re_entrant_lock_ignores_arguments_before_python_3_15() -> None:
    if sys.version_info < (3, 15):
        assert not RLock(1, two=2).in_use()
    else:
        with pytest.raises(TypeError):
            RLock(1)


@REENTRANT
def test_the_owner_takes_a_re_entrant_lock_again_and_others_wait(make: Make) -> None:
    made = make()
    assert made.acquire() and made.acquire()
    assert made.locked() and made.in_use() and made._is_owned()
    assert made._recursion_count() == 2
    waiter = spawn(made.acquire, timeout=0.001)
    assert waiter.wait(5) is False
    made.release()
    assert made.in_use()
    made.release()
    assert not made.locked() and not made.in_use() and not made._is_owned()
    with pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
        made.release()


@REENTRANT
def test_a_condition_gets_its_re_entrant_lock_back_as_deep_as_it_was(make: Make) -> None:
    made = make()
    made.acquire(), made.acquire()
    state = made._release_save()
    assert not made.locked()
    made._acquire_restore(state)
    assert made._recursion_count() == 2
    made.release(), made.release()
    assert not made.locked()


# AdoptedRLock


def test_a_green_thread_waits_while_its_os_thread_holds_the_real_lock() -> None:
    real = RealRLock()
    made = AdoptedRLock(real)
    real.acquire()  # the real one would let every green thread of this OS thread in
    assert spawn(made.acquire, False).wait() is False
    waiter = spawn(lambda: (made.acquire(), made.release()))
    wait_until_parked(waiter)
    real.release()
    assert waiter.wait(5) == (True, None)


def test_a_green_owner_holds_the_real_lock_as_often() -> None:
    real = RealRLock()
    made = AdoptedRLock(real)

    def own() -> list[bool]:
        with made, made:
            seen = [real._is_owned()]
            yield_now()
            made.release()
            seen.append(real._is_owned())
            made.acquire()
        return [*seen, real._is_owned()]

    assert spawn(own).wait() == [True, True, False]
    assert not made.locked()


def test_a_real_lock_that_another_os_thread_holds_is_locked() -> None:
    real = RealRLock()
    made = AdoptedRLock(real)
    taken, go = allocate_lock(), allocate_lock()
    taken.acquire(), go.acquire()
    start_new_thread(lambda: (real.acquire(), taken.release(), go.acquire(), real.release(), taken.release()), ())
    taken.acquire()
    assert made.locked() and not made._is_owned()
    assert made.acquire(False) is False
    go.release()
    taken.acquire()
    assert not made.locked()


def test_what_the_main_greenlet_held_before_stays_with_the_real_lock() -> None:
    real = RealRLock()
    real.acquire()
    made = AdoptedRLock(real)
    assert made._is_owned() and made.locked() and not made.in_use()
    assert made.acquire()
    assert made._recursion_count() == 2
    made.release()
    made.release()
    assert not real._is_owned()
    assert made.acquire() and made.in_use()
    made.release()


def test_a_condition_that_waited_with_the_real_lock_returns_to_it() -> None:
    real = RealRLock()
    made = AdoptedRLock(real)
    real.acquire(), real.acquire()
    state = made._release_save()
    assert not real._is_owned()
    made._acquire_restore(state)
    assert real._is_owned() and not made.in_use()
    real.release(), real.release()
    assert not made.locked()


def test_a_killed_waiter_of_an_adopted_lock_leaves_no_trace() -> None:
    real = RealRLock()
    made = AdoptedRLock(real)
    real.acquire()
    waiter = spawn(made.acquire)
    wait_until_parked(waiter)
    waiter.kill()
    real.release()
    assert not made.in_use()
    assert spawn(lambda: made.acquire(False) and made.release() is None).wait() is True


def test_an_adopted_re_entrant_lock_is_open_in_a_child_of_fork() -> None:
    real = RealRLock()
    made = AdoptedRLock(real)
    made.acquire()
    made._at_fork_reinit()
    assert not made.locked() and not made.in_use()
