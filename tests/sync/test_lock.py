"""Lock and RLock: the interface of `threading`'s, first come, first served."""

from collections.abc import Callable

import pytest

from greening._core.greenthread import spawn
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
def test_what_nobody_has_cannot_be_released(make: Make) -> None:
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
    assert not lock.locked(), "whoever gave up is not in the queue any more"


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


def test_one_in_the_middle_of_the_queue_may_be_killed_and_the_order_stays() -> None:
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
