"""Semaphore: permits in order of arrival, none lost, none made."""

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.semaphore import BoundedSemaphore, Semaphore
from greening.testing import Fake, settle
from greening.timeout import Timeout

pytestmark = pytest.mark.usefixtures("fake")

BOTH = pytest.mark.parametrize("kind", [Semaphore, BoundedSemaphore])


@BOTH
def test_permits_are_taken_at_once_until_none_is_left(kind: type[Semaphore]) -> None:
    semaphore = kind(2)
    assert semaphore.acquire() is True
    assert semaphore.acquire(blocking=False) is True
    assert semaphore.acquire(blocking=False) is False
    assert semaphore.locked()


@BOTH
def test_one_permit_is_the_default(kind: type[Semaphore]) -> None:
    semaphore = kind()
    assert semaphore.acquire(False)
    assert not semaphore.acquire(False)


@BOTH
def test_waiters_are_served_in_order_of_arrival(kind: type[Semaphore]) -> None:
    semaphore = kind(1)
    order: list[int] = []

    def worker(number: int) -> None:
        with semaphore:
            order.append(number)
            sleep(0)

    for number in range(6):
        spawn(worker, number)
    settle()
    assert order == list(range(6))
    assert semaphore.balance == 1


@BOTH
def test_release_never_switches_and_returns_true(kind: type[Semaphore]) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    order: list[str] = []

    def waiter() -> None:
        semaphore.acquire()
        order.append("waiter")

    spawn(waiter)
    settle()
    assert semaphore.release() is True
    order.append("releaser")
    settle()
    assert order == ["releaser", "waiter"]


@BOTH
def test_a_permit_that_is_handed_over_cannot_be_taken_by_a_passer_by(kind: type[Semaphore]) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    waiter = spawn(semaphore.acquire)
    settle()
    semaphore.release()
    assert semaphore.acquire(blocking=False) is False, "it belongs to the waiter already"
    assert waiter.wait() is True


def test_balance_counts_waiters_as_negative() -> None:
    semaphore = Semaphore(2)
    assert semaphore.balance == 2
    semaphore.acquire()
    semaphore.acquire()
    waiters = [spawn(semaphore.acquire) for _ in range(3)]
    settle()
    assert (semaphore.balance, semaphore.counter) == (-3, 0)
    for _ in waiters:
        semaphore.release()
    settle()
    assert semaphore.balance == 0


@BOTH
def test_acquire_gives_up_after_its_timeout_and_leaves_the_queue(kind: type[Semaphore], fake: Fake) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    before = fake.clock.now()
    assert semaphore.acquire(timeout=3) is False
    assert fake.clock.now() == pytest.approx(before + 3)
    assert semaphore.balance == 0
    semaphore.release()
    assert semaphore.balance == 1


@BOTH
def test_a_timeout_of_minus_one_is_no_limit_and_of_zero_is_no_wait(kind: type[Semaphore], fake: Fake) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    before = fake.clock.now()
    assert semaphore.acquire(timeout=0) is False
    assert fake.clock.now() == before
    waiter = spawn(semaphore.acquire, True, -1)
    sleep(1000)
    assert not waiter.dead
    semaphore.release()
    assert waiter.wait() is True


@BOTH
def test_odd_arguments_are_refused_and_change_nothing(kind: type[Semaphore]) -> None:
    semaphore = kind(1)
    with pytest.raises(ValueError, match="timeout"):
        semaphore.acquire(False, 1)
    with pytest.raises(ValueError, match="timeout"):
        semaphore.acquire(timeout=-2)
    assert semaphore.balance == 1
    with pytest.raises(ValueError, match="-1"):
        kind(-1)
    with pytest.raises(TypeError):
        kind("many")  # type: ignore[arg-type]  # on purpose


def test_a_semaphore_may_begin_with_no_permit() -> None:
    semaphore = Semaphore(0)
    spawn(semaphore.release)
    assert semaphore.acquire(timeout=1)


def test_a_plain_semaphore_may_grow_by_releases() -> None:
    semaphore = Semaphore(1)
    semaphore.release()
    assert semaphore.counter == 2
    assert not semaphore.bounded()


def test_a_bounded_semaphore_refuses_more_releases_than_acquires() -> None:
    semaphore = BoundedSemaphore(2)
    assert semaphore.bounded()
    semaphore.acquire()
    semaphore.release()
    with pytest.raises(ValueError, match="too many times"):
        semaphore.release()
    assert semaphore.counter == 2


@BOTH
def test_the_context_manager_gives_the_permit_back_when_the_body_fails(kind: type[Semaphore]) -> None:
    semaphore = kind(1)
    with pytest.raises(KeyError):
        with semaphore as value:
            assert value is None
            assert semaphore.locked()
            raise KeyError
    assert semaphore.balance == 1


@BOTH
def test_a_killed_waiter_leaves_the_queue(kind: type[Semaphore]) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    victim, other = spawn(semaphore.acquire), spawn(semaphore.acquire)
    settle()
    victim.kill()
    semaphore.release()
    assert other.wait() is True
    assert semaphore.balance == 0


@BOTH
def test_a_waiter_killed_after_it_was_chosen_passes_the_permit_on(kind: type[Semaphore]) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    victim, other = spawn(semaphore.acquire), spawn(semaphore.acquire)
    settle()
    semaphore.release()  # the victim is chosen, and has not run
    victim.kill()
    with pytest.raises(GreenletExit):
        victim.wait()
    assert other.wait() is True


@BOTH
def test_a_permit_of_a_waiter_killed_after_it_was_chosen_is_free_when_nobody_else_waits(kind: type[Semaphore]) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    victim = spawn(semaphore.acquire)
    settle()
    semaphore.release()
    victim.kill()
    assert semaphore.balance == 1


@BOTH
def test_a_timeout_strikes_the_waiter_and_the_permit_stays(kind: type[Semaphore]) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    with pytest.raises(Timeout):
        with Timeout(2):
            semaphore.acquire()
    semaphore.release()
    assert semaphore.balance == 1


@BOTH
def test_permits_are_neither_lost_nor_made_whoever_is_killed(kind: type[Semaphore]) -> None:
    semaphore = kind(3)
    inside = most = 0

    def worker() -> None:
        nonlocal inside, most
        with semaphore:
            inside += 1
            most = max(most, inside)
            try:
                sleep(0.01)
            finally:
                inside -= 1

    threads = [spawn(worker) for _ in range(40)]
    for number, thread in enumerate(threads):
        if number % 3 == 0:
            sleep(0.003)
            thread.kill()
    for thread in threads:
        try:
            thread.wait()
        except GreenletExit:
            pass
    assert most == 3
    assert semaphore.balance == 3


def test_the_repr_says_what_one_needs_to_know() -> None:
    semaphore = Semaphore(1)
    semaphore.acquire()
    waiter = spawn(semaphore.acquire)
    settle()
    assert "permits=0 waiters=1" in repr(semaphore)
    semaphore.release()
    waiter.wait()
