"""Semaphores between processes. Another process is played by a real semaphore that is opened by the same name."""

import _multiprocessing  # type: ignore[import-not-found]  # not in typeshed
import os
from collections.abc import Iterator
from typing import Any

import pytest

import greening.patches._multiprocessing  # it gives SemLock the C class
from greening._core.current import get_hub
from greening._core.greenthread import spawn
from greening._core.waiting import sleep, yield_now
from greening._originals import get_ident
from greening.testing import wait_until_parked
from greening.threads import semlock
from greening.threads.native import wait_gone
from greening.threads.semlock import RECURSIVE_MUTEX, SEMAPHORE, SemLock, adopt
from greening.timeout import Timeout

REAL: Any = greening.patches._multiprocessing._Real
names: list[str] = []


@pytest.fixture(autouse=True)
def _no_native_thread_is_left() -> Iterator[None]:
    yield
    with Timeout(5):
        while get_hub().external_waits:  # a native thread that was told to leave says so when it has
            sleep(0.001)
    wait_gone(semlock._pool.dismiss_idle())
    assert not semlock._pool._alive and not semlock._sat_for


@pytest.fixture(autouse=True)
def _no_semaphore_is_left() -> Iterator[None]:
    yield
    while names:
        _multiprocessing.sem_unlink(names.pop())


def new_name() -> str:
    names.append(f"/greening-{os.getpid()}-{len(names)}")
    return names[-1]


def make(value: int = 1, kind: int = SEMAPHORE, maxvalue: int = 1) -> SemLock:
    return SemLock(kind, value, maxvalue, new_name(), False)


def elsewhere(lock: SemLock) -> Any:
    """The same semaphore as another process has it."""
    return REAL._rebuild(0, SEMAPHORE, lock.maxvalue, lock.name)


def green(func: Any, *args: Any) -> Any:
    return spawn(func, *args).wait(5)


def error_of(func: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        func()
    return str(caught.value)


# Permits


def test_permits_are_taken_and_given_back() -> None:
    lock = make(2, maxvalue=2)
    assert lock._get_value() == 2 and not lock._is_zero()
    assert lock.acquire() and lock.acquire(True, 1)
    assert lock._is_zero() and lock._count() == 2
    assert lock.acquire(False) is False
    assert lock.acquire(True, 0) is False
    assert lock.acquire(timeout=-1) is False
    lock.release(), lock.release()
    assert lock._get_value() == 2 and lock._count() == 0


def test_it_has_the_face_of_the_c_class() -> None:
    lock = make(0, maxvalue=3)
    real = elsewhere(lock)
    assert (lock.handle, lock.maxvalue, lock.kind) == (real.handle, real.maxvalue, real.kind)
    assert lock.name is not None and lock.name.startswith("/greening-")
    assert type(lock).__module__ == type(real).__module__
    twin = SemLock._rebuild(lock.handle, RECURSIVE_MUTEX, 3, lock.name)
    assert (twin.handle, twin.kind, twin.name) == (lock.handle, RECURSIVE_MUTEX, lock.name)


def test_more_permits_than_there_are_cannot_be_given_back() -> None:
    lock = make(1)
    with pytest.raises(ValueError):
        lock.release()
    assert lock._count() == 0
    with lock:
        assert lock._is_mine()
    assert not lock._is_mine()


@pytest.mark.parametrize("timeout", ["1", [], object()])
def test_a_timeout_is_a_number(timeout: Any) -> None:
    lock = make(0)
    with pytest.raises(TypeError):
        lock.acquire(True, timeout)


def test_a_re_entrant_one_belongs_to_a_green_thread() -> None:
    lock = make(kind=RECURSIVE_MUTEX)
    assert lock.acquire() and lock.acquire()
    assert lock._count() == 2 and lock._is_mine()
    assert green(lock.acquire, False) is False
    assert green(lock._is_mine) is False
    assert green(error_of, lock.release) == "attempt to release recursive lock not owned by thread"
    lock.release()
    assert lock._is_zero()
    lock.release()
    assert not lock._is_zero()
    with pytest.raises(AssertionError, match="not owned by thread"):
        lock.release()


def test_a_child_process_has_none_of_its_parents_permits() -> None:
    lock = make()
    lock.acquire()
    lock._after_fork()
    assert lock._count() == 0 and not lock._is_mine()
    assert lock._is_zero()


# Waiting


def test_a_main_greenlet_that_is_alone_waits_in_the_c_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(SemLock, "block", lambda self, real, seconds: calls.append((get_ident(), seconds)) or True)
    monkeypatch.setattr(semlock, "is_alone", lambda hub: True)
    lock = make(0)
    assert lock.acquire(True, 7) is True
    assert lock.acquire() is True
    assert calls == [(get_ident(), 7.0), (get_ident(), None)]


def test_others_run_while_a_green_thread_waits_and_a_release_here_wakes_it() -> None:
    lock = make()
    lock.acquire()
    waiter = spawn(lock.acquire)
    wait_until_parked(waiter)
    lock.release()
    assert waiter.wait(5) is True
    assert lock._is_zero(), "the permit was handed over"


def test_a_release_in_another_process_wakes_a_waiter() -> None:
    lock = make(0)
    waiter = spawn(lock.acquire)
    wait_until_parked(waiter)
    elsewhere(lock).release()
    assert waiter.wait(5) is True


def test_waiters_are_served_in_order_of_arrival() -> None:
    lock = make(0)
    order: list[int] = []

    def wait(number: int) -> None:
        with lock:
            order.append(number)
            yield_now()

    waiters = [spawn(wait, number) for number in range(5)]
    for waiter in waiters:
        wait_until_parked(waiter)
    elsewhere(lock).release()
    for waiter in waiters:
        waiter.wait(5)
    assert order == list(range(5))
    assert lock.acquire(False), "the permit that came is left"


def test_a_wait_is_over_after_its_timeout() -> None:
    lock = make(0)
    assert green(lock.acquire, True, 0.002) is False
    elsewhere(lock).release()
    assert lock.acquire(True, 1) is True


def test_other_processes_compete_once_in_so_many_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semlock, "_MOST_HANDED_ON", 1)
    lock = make(0, maxvalue=3)
    waiters = [spawn(lock.acquire) for _ in range(3)]
    for waiter in waiters:
        wait_until_parked(waiter)
    handed_on = []
    lock._count_here = 3  # as many as this process gives back
    for _ in range(3):
        lock.release()
        handed_on.append(lock._handed_on)
    assert handed_on[:2] == [1, 0]
    for waiter in waiters:
        assert waiter.wait(5) is True


def test_a_killed_waiter_leaves_at_once_and_its_permit_is_not_lost() -> None:
    lock = make(0)
    waiter = spawn(lock.acquire)
    wait_until_parked(waiter)
    waiter.kill()
    assert waiter.dead
    elsewhere(lock).release()
    assert lock.acquire(False) is True, "even if the native thread had taken it meanwhile"


def test_a_permit_that_was_handed_to_a_killed_waiter_is_passed_on() -> None:
    lock = make(0)
    waiters = [spawn(lock.acquire) for _ in range(2)]
    for waiter in waiters:
        wait_until_parked(waiter)
    lock._count_here = 1
    lock.release()  # the first has it, and has not run
    waiters[0].kill()
    assert waiters[1].wait(5) is True


def test_without_a_native_thread_the_waiter_waits_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    blocked: list[Any] = []
    monkeypatch.setattr(SemLock, "block", lambda self, real, seconds: blocked.append(seconds) or False)
    monkeypatch.setattr(semlock._pool, "launch", lambda hub, func: False)
    lock = make(0)
    assert green(lock.acquire, True, 3) is False
    assert blocked == [3.0]
    assert not lock._waiters
    semlock._sat_for.discard(lock)


# Late patching


def test_an_adopted_one_knows_the_permits_and_the_owner_of_the_real_one() -> None:
    real = REAL(RECURSIVE_MUTEX, 1, 1, new_name(), False)
    real.acquire()
    real.acquire()
    lock = adopt(real)
    assert (lock.handle, lock.kind, lock.name, lock._count()) == (real.handle, RECURSIVE_MUTEX, real.name, 2)
    assert lock._is_mine()
    assert green(lock.acquire, False) is False
    lock.release(), lock.release()
    assert green(lock.acquire, False) is True


def test_an_adopted_one_that_is_free_has_no_owner() -> None:
    real = REAL(SEMAPHORE, 1, 1, new_name(), False)
    lock = adopt(real)
    assert lock._count() == 0 and not lock._is_mine()
    assert lock.acquire(False)


# Fork


def test_a_child_of_fork_has_no_native_thread_in_the_c_call() -> None:
    lock = make(0)
    semlock._sat_for.add(lock)
    lock._sat_for = True
    semlock._after_fork_in_child()
    assert not lock._sat_for and not semlock._sat_for
