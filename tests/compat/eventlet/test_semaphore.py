"""`CappedSemaphore`: permits with an upper limit."""

import pytest

from greening._core.greenthread import spawn
from greening.compat.eventlet.semaphore import BoundedSemaphore, CappedSemaphore, Semaphore
from greening.testing import settle

pytestmark = pytest.mark.usefixtures("fake")


def test_acquire_waits_for_a_permit_and_release_for_room() -> None:
    semaphore = CappedSemaphore(1, 2)
    assert semaphore.acquire() is True
    waiter = spawn(semaphore.acquire)
    settle()
    assert (waiter.dead, semaphore.locked()) == (False, True)
    semaphore.release()
    assert waiter.wait() is True
    semaphore.release()
    semaphore.release()
    assert semaphore.bounded()
    releaser = spawn(semaphore.release)
    settle()
    assert not releaser.dead
    semaphore.acquire()
    assert releaser.wait() is True


def test_balance_is_the_permits_less_the_room_and_counts_waiters_on_both_sides() -> None:
    semaphore = CappedSemaphore(2, 3)
    assert semaphore.balance == 2 - 1
    semaphore.acquire()
    semaphore.acquire()
    assert semaphore.balance == 0 - 3
    waiter = spawn(semaphore.acquire)
    settle()
    assert semaphore.balance == -1 - 4
    for _ in range(4):
        semaphore.release()
    assert semaphore.balance == 3 - 0
    releaser = spawn(semaphore.release)
    settle()
    assert semaphore.balance == 4 - -1
    semaphore.acquire()
    for thread in (waiter, releaser):
        thread.wait()


def test_without_blocking_the_answer_comes_at_once() -> None:
    semaphore = CappedSemaphore(0, 1)
    assert semaphore.acquire(blocking=False) is False
    assert semaphore.release(blocking=False) is True
    assert semaphore.release(blocking=False) is False
    assert semaphore.acquire(blocking=False) is True


@pytest.mark.parametrize("first", ["acquire", "release"])
def test_with_a_limit_of_zero_one_who_acquires_and_one_who_releases_meet(first: str) -> None:
    semaphore = CappedSemaphore(0, 0)
    waiter = spawn(getattr(semaphore, first))
    settle()
    assert not waiter.dead
    other = semaphore.release if first == "acquire" else semaphore.acquire
    assert other() is True
    assert waiter.wait() is True
    assert (semaphore.lower_bound.counter, semaphore.upper_bound.counter) == (0, 0)


@pytest.mark.parametrize(("count", "method"), [(0, "acquire"), (2, "release")])
def test_one_who_is_interrupted_while_it_waits_leaves_no_trace(count: int, method: str) -> None:
    semaphore = CappedSemaphore(count, 2)
    waiter = spawn(getattr(semaphore, method))
    settle()
    waiter.kill()
    assert semaphore.balance == count - (2 - count)
    assert (semaphore.lower_bound.counter, semaphore.upper_bound.counter) == (count, 2 - count)


def test_a_permit_of_one_who_is_killed_when_it_was_chosen_is_there_for_the_next() -> None:
    semaphore = CappedSemaphore(0, 1)
    waiter = spawn(semaphore.acquire)
    settle()
    semaphore.release()
    waiter.kill()
    assert semaphore.acquire(blocking=False) is True
    assert semaphore.lower_bound.counter + semaphore.upper_bound.counter == 1


def test_with_takes_a_permit_and_gives_it_back() -> None:
    semaphore = CappedSemaphore(1, 1)
    with semaphore:
        assert semaphore.locked()
    assert not semaphore.locked()
    assert "permits=1 room=0" in repr(semaphore)


@pytest.mark.parametrize("arguments", [(3, 2), (-1, 2)])
def test_counts_that_make_no_sense_are_refused(arguments: tuple[int, int]) -> None:
    with pytest.raises(ValueError):
        CappedSemaphore(*arguments)


@pytest.mark.parametrize("kind", [Semaphore, BoundedSemaphore])
def test_a_permit_belongs_to_the_first_waiter_and_release_takes_no_argument(kind: type[Semaphore]) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    waiter = spawn(semaphore.acquire)
    settle()
    assert semaphore.release() is True
    assert (semaphore.counter, semaphore.acquire(blocking=False)) == (0, False)
    assert waiter.wait() is True
    with pytest.raises(TypeError):
        semaphore.release(False)  # type: ignore[call-arg]  # that is what is tested
