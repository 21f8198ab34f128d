"""Lock and RLock: the interface of `threading`'s, first come, first served."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from greenlet import greenlet

from greening._core.greenthread import spawn
from greening._core.parking_lot import ParkingLot
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.lock import Lock, RLock
from greening.testing import Fake, settle
from greening.timeout import Timeout

pytestmark = pytest.mark.usefixtures("fake")

BOTH = pytest.mark.parametrize("make", [Lock, RLock])
Make = Callable[[], Lock | RLock]


def held_by_another(lock: Lock | RLock) -> Callable[[], None]:
    """Have a green thread hold the lock; return what makes it let go. It has let go after the next `settle`."""
    let_go = Lock()
    let_go.acquire()

    def holder() -> None:
        with lock:
            let_go.acquire()

    spawn(holder)
    settle()
    return let_go.release


@BOTH
def test_it_is_taken_and_given_back(make: Make) -> None:
    lock = make()
    assert not lock.locked()
    assert lock.acquire() is True
    assert lock.locked()
    lock.release()
    assert not lock.locked()
    with lock:
        assert lock.locked()
    assert not lock.locked()


@BOTH
def test_a_lock_that_is_free_cannot_be_released(make: Make) -> None:
    lock = make()
    with pytest.raises(RuntimeError):
        lock.release()
    assert not lock.locked()


@BOTH
def test_waiters_are_served_in_order_of_arrival(make: Make) -> None:
    lock = make()
    order: list[int] = []
    let_go = held_by_another(lock)

    def worker(number: int) -> None:
        with lock:
            order.append(number)
            sleep(0)

    for number in range(6):
        spawn(worker, number)
    settle()
    assert order == []
    let_go()
    settle()
    assert order == list(range(6))
    assert not lock.locked()


@BOTH
def test_a_lock_that_is_handed_over_is_never_open_in_between(make: Make) -> None:
    lock = make()
    lock.acquire()
    got: list[bool] = []

    def waiter() -> None:
        got.append(lock.acquire())
        lock.release()

    spawn(waiter)
    settle()
    lock.release()
    assert lock.locked()
    assert lock.acquire(False) is False, "it belongs to the waiter already"
    settle()
    assert got == [True]
    assert not lock.locked()


@BOTH
def test_release_and_a_try_never_switch(make: Make) -> None:
    lock = make()
    ran: list[int] = []
    spawn(ran.append, 1)
    lock.acquire(False)
    lock.release()
    assert ran == []
    settle()


@BOTH
def test_acquire_gives_up_after_its_timeout(make: Make, fake: Fake) -> None:
    lock = make()
    let_go = held_by_another(lock)
    before = fake.clock.now()
    assert lock.acquire(timeout=2) is False
    assert fake.clock.now() == pytest.approx(before + 2)
    assert lock.acquire(True, 0) is False
    let_go()
    settle()
    assert not lock.locked(), "a waiter that gave up is not in the queue any more"


@BOTH
def test_odd_timeouts_are_refused_as_the_stdlib_refuses_them(make: Make) -> None:
    lock = make()
    with pytest.raises(ValueError, match="non-blocking"):
        lock.acquire(False, 1)
    with pytest.raises(ValueError, match="non-negative"):
        lock.acquire(True, -2)
    with pytest.raises(OverflowError):
        lock.acquire(True, 1e100)
    assert not lock.locked()


@BOTH
def test_a_killed_waiter_leaves_the_queue(make: Make) -> None:
    lock = make()
    let_go = held_by_another(lock)
    victim = spawn(lock.acquire)
    settle()
    victim.kill()
    let_go()
    settle()
    assert not lock.locked()


@BOTH
def test_a_waiter_killed_after_it_was_chosen_passes_the_lock_on(make: Make) -> None:
    lock = make()
    lock.acquire()

    def use() -> str:
        with lock:
            return "had it"

    victim, other = spawn(use), spawn(use)
    settle()
    lock.release()  # the victim is chosen, and has not run
    victim.kill()
    with pytest.raises(GreenletExit):
        victim.wait()
    assert other.wait() == "had it"
    assert not lock.locked()


@BOTH
def test_a_timeout_around_acquire_strikes_the_waiter_only(make: Make) -> None:
    lock = make()
    let_go = held_by_another(lock)
    with pytest.raises(Timeout):
        with Timeout(1):
            lock.acquire()
    let_go()
    settle()
    assert not lock.locked()


@BOTH
def test_the_context_manager_gives_it_back_when_the_body_fails(make: Make) -> None:
    lock = make()
    with pytest.raises(KeyError):
        with lock:
            raise KeyError
    assert not lock.locked()


def test_a_lock_may_be_released_by_another_thread_than_took_it() -> None:
    lock = Lock()
    lock.acquire()
    spawn(lock.release)
    assert lock.acquire(timeout=1)


def test_a_lock_is_not_reentrant() -> None:
    lock = Lock()
    lock.acquire()
    assert lock.acquire(timeout=1) is False
    lock.release()


def test_an_rlock_is_taken_again_by_its_owner_and_free_after_the_last_release() -> None:
    lock = RLock()
    with lock:
        with lock:
            assert lock.acquire(False) is True
            lock.release()
        assert lock.locked()
        assert spawn(lock.acquire, False).wait() is False
    assert not lock.locked()


def test_an_rlock_is_released_by_its_owner_only() -> None:
    lock = RLock()

    def intruder() -> None:
        with pytest.raises(RuntimeError, match="un-acquired"):
            lock.release()

    with lock:
        spawn(intruder).wait()
        assert lock.locked()


def test_the_owner_of_an_rlock_is_the_green_thread_not_the_os_thread() -> None:
    lock = RLock()
    let_go = held_by_another(lock)
    assert lock.acquire(False) is False
    let_go()
    settle()
    assert lock.acquire(False) is True
    lock.release()


def test_a_waiter_in_the_middle_of_the_queue_may_be_killed_and_the_order_stays() -> None:
    lock = Lock()
    lock.acquire()
    order: list[int] = []

    def worker(number: int) -> None:
        with lock:
            order.append(number)

    threads = [spawn(worker, number) for number in range(5)]
    settle()
    threads[2].kill()
    lock.release()
    settle()
    assert order == [0, 1, 3, 4]


# -- The old names and the text ----------------------------------------------------------------------------------------


def test_a_lock_has_the_old_names_of_the_stdlib() -> None:
    lock = Lock()
    assert lock.acquire_lock() is True
    assert lock.locked_lock() is True
    assert lock.acquire_lock(False) is False
    lock.release_lock()
    assert lock.locked_lock() is False
    with pytest.raises(RuntimeError):
        lock.release_lock()


def test_the_repr_says_whether_it_is_locked() -> None:
    lock, rlock = Lock(), RLock()
    assert "unlocked" in repr(lock) and "unlocked" in repr(rlock)
    with lock, rlock, rlock:
        assert "<locked" in repr(lock)
        assert "<locked" in repr(rlock) and "count=2" in repr(rlock)


@BOTH
def test_entering_returns_true_as_the_stdlibs_does(make: Make) -> None:
    with make() as entered:
        assert entered is True


# -- Arguments ---------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("timeout", "error"),
    [("1", TypeError), (None, TypeError), ([], TypeError), (float("nan"), ValueError), (-2, ValueError)],
)
@pytest.mark.parametrize("taken", [False, True])
def test_what_is_no_number_of_seconds_is_refused_and_changes_nothing(
    make: Make, timeout: Any, error: type[Exception], taken: bool
) -> None:
    lock = make()
    let_go = held_by_another(lock) if taken else None
    with pytest.raises(error):
        lock.acquire(timeout=timeout)
    assert lock.locked() is taken
    if let_go is not None:
        let_go()
        settle()
    assert not lock.locked()


@BOTH
@pytest.mark.parametrize("args", [(), (True,), (True, -1), (True, 0), (True, 5), (True, 0.5), (False,), (False, -1)])
def test_a_free_lock_is_taken_at_once_whatever_the_limit(make: Make, fake: Fake, args: tuple[Any, ...]) -> None:
    lock, before = make(), fake.clock.now()
    assert lock.acquire(*args) is True
    assert lock.locked()
    assert fake.clock.now() == before
    lock.release()


@BOTH
def test_the_errors_are_those_of_the_stdlib(make: Make) -> None:
    theirs = threading.RLock() if make is RLock else threading.Lock()
    for args in ((False, 1), (False, 0), (True, -2), (True, 1e100), (True, -1e100), (True, "1"), (True, float("nan"))):
        kinds = []
        for lock in (theirs, make()):
            with pytest.raises((ValueError, TypeError, OverflowError)) as caught:
                lock.acquire(*args)  # type: ignore[arg-type]  # wrong ones on purpose
            kinds.append(caught.type)
        assert kinds[0] is kinds[1], args


# -- Waiting -----------------------------------------------------------------------------------------------------------


@BOTH
def test_a_limit_of_minus_one_waits_as_long_as_it_takes(make: Make) -> None:
    lock = make()
    let_go = held_by_another(lock)
    waiter = spawn(lock.acquire, True, -1)
    sleep(1e6)
    assert not waiter.dead
    let_go()
    assert waiter.wait() is True


@BOTH
def test_a_waiter_that_is_served_when_its_time_is_up_has_the_lock(make: Make, fake: Fake) -> None:
    lock = make()
    lock.acquire()
    waiter = spawn(lock.acquire, timeout=5)
    settle()
    fake.clock.advance(5)
    lock.release()
    assert waiter.wait() is True
    assert lock.locked()


@BOTH
def test_a_waiter_whose_time_was_up_first_is_passed_over(make: Make, fake: Fake) -> None:
    lock = make()
    lock.acquire()
    late = spawn(lock.acquire, timeout=5)
    other = spawn(lock.acquire)
    settle()
    sleep(5)
    lock.release()
    assert (late.wait(), other.wait()) == (False, True)


@BOTH
def test_a_timeout_that_strikes_a_waiter_that_was_served_passes_the_lock_on(make: Make, fake: Fake) -> None:
    lock = make()
    lock.acquire()

    def waiter() -> str:
        with Timeout(5, False), lock:
            return "had it"
        return "timeout"

    struck, other = spawn(waiter), spawn(lock.acquire)
    settle()
    fake.clock.advance(5)
    lock.release()
    fake.hub.switches_left = 0  # by way of the hub, whose timers come before the waiter that was served
    assert struck.wait() == "timeout"
    assert other.wait() is True


@BOTH
def test_many_waiters_some_of_which_give_up_or_are_killed_are_served_in_order(make: Make) -> None:
    lock, order = make(), list[int]()
    let_go = held_by_another(lock)

    def worker(number: int) -> None:
        if lock.acquire(timeout=1 if number % 4 == 1 else -1):
            order.append(number)
            sleep(0)
            lock.release()

    threads = [spawn(worker, number) for number in range(40)]
    settle()
    for thread in threads[2::4]:
        thread.kill()
    sleep(2)
    let_go()
    settle()
    assert order == [number for number in range(40) if number % 4 in (0, 3)]
    assert not lock.locked()


@BOTH
def test_a_loop_of_tries_lets_others_run_when_its_slice_is_over(
    make: Make, fake: Fake, set_slice: Callable[[int, float], None]
) -> None:
    lock, ran = make(), list[int]()
    for number, take in enumerate((lambda: lock.acquire(False), lock.__enter__)):
        spawn(ran.append, number)
        fake.clock.advance(10)
        set_slice(1, 0.0)
        assert take() is True
        assert ran == list(range(number + 1))
        lock.release()


# -- RLock -------------------------------------------------------------------------------------------------------------


def test_an_rlock_of_another_thread_is_handed_over_at_its_last_release_only() -> None:
    lock = RLock()
    lock.acquire()
    with lock:
        waiter = spawn(lock.acquire)
        settle()
    settle()
    assert not waiter.dead
    lock.release()
    assert waiter.wait() is True


def test_the_next_owner_of_an_rlock_may_take_it_again_at_once() -> None:
    lock = RLock()
    lock.acquire()

    def next_owner() -> bool:
        with lock, lock:
            return lock.acquire(False)

    thread = spawn(next_owner)
    settle()
    lock.release()
    with pytest.raises(RuntimeError, match="un-acquired"):
        lock.release()
    assert thread.wait() is True


@BOTH
def test_a_child_of_fork_finds_it_free_after_the_reset_of_the_stdlib(make: Make) -> None:
    lock = make()
    lock.acquire()
    lock._at_fork_reinit()
    assert not lock.locked()
    assert lock.acquire(False) is True
    lock.release()


# -- Two OS threads ----------------------------------------------------------------------------------------------------


class _Watched(ParkingLot):
    """Calls `meanwhile` when a task has entered, as another OS thread could do something at that moment."""

    __slots__ = ("meanwhile",)

    def enter(self, task: Any = None) -> Any:
        entered = super().enter(task)
        self.meanwhile()
        return entered


def test_a_lock_that_becomes_free_while_a_waiter_enters_is_taken_by_it() -> None:
    lock = Lock()
    lock._waiters = lot = _Watched()
    lot.meanwhile = lock._real.release  # the half of `release` that comes before the look for waiters
    lock.acquire()
    assert lock.acquire(timeout=5) is True
    assert len(lot) == 0
    lock.release()
    assert not lock.locked()


def test_a_lock_that_is_handed_to_a_waiter_while_it_enters_is_taken_by_it_once() -> None:
    lock = Lock()
    lock._waiters = lot = _Watched()
    lot.meanwhile = lambda: lock.release() if len(lot) else None
    lock.acquire()
    assert lock.acquire(timeout=5) is True
    lock.release()
    assert not lock.locked()


def test_an_rlock_that_becomes_free_while_a_waiter_enters_is_taken_by_it() -> None:
    lock = RLock()
    lock._waiters = lot = _Watched()
    lock._owner, lock._count = greenlet(int), 1  # of another OS thread

    def meanwhile() -> None:
        lock._owner, lock._count = None, 0

    lot.meanwhile = meanwhile
    assert lock.acquire(timeout=5) is True
    assert len(lot) == 0
    lock.release()
    assert not lock.locked()
