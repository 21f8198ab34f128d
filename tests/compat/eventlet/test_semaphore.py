"""`CappedSemaphore`: permits with an upper limit."""

import pytest

from greening._core.greenthread import spawn
from greening.compat.eventlet.semaphore import CappedSemaphore
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
    assert semaphore.balance == -1 - 3
    for _ in range(4):
        semaphore.release()
    assert semaphore.balance == 3 - 0
    releaser = spawn(semaphore.release)
    settle()
    assert semaphore.balance == 3 - -1
    semaphore.acquire()
    for thread in (waiter, releaser):
        thread.wait()


def test_without_blocking_the_answer_comes_at_once() -> None:
    semaphore = CappedSemaphore(0, 1)
    assert semaphore.acquire(blocking=False) is False
    semaphore.release(blocking=False)
    assert semaphore.acquire(blocking=False) is True


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
