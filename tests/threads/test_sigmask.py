"""A green thread's signal mask is in force until the hub runs next, and is what the thread is told."""

import signal
from collections.abc import Iterator

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import yield_now
from greening.testing import settle
from greening.threads import sigmask
from greening.threads.sigmask import change

pytestmark = pytest.mark.usefixtures("fake")

USR1, USR2 = signal.SIGUSR1, signal.SIGUSR2
BLOCK, UNBLOCK, SET = signal.SIG_BLOCK, signal.SIG_UNBLOCK, signal.SIG_SETMASK


def in_force() -> set[int]:
    """The mask of the OS thread."""
    return set(signal.pthread_sigmask(BLOCK, ()))


@pytest.fixture(autouse=True)
def _the_mask_is_put_back() -> Iterator[None]:
    before = in_force()
    signal.pthread_sigmask(UNBLOCK, {USR1, USR2})
    yield
    assert not sigmask._displaced
    signal.pthread_sigmask(SET, before)


def test_the_main_greenlet_is_told_to_change_the_mask_of_its_os_thread() -> None:
    assert change(BLOCK, {USR1}) is None
    assert USR1 not in in_force()


def test_a_green_threads_mask_is_in_force_until_the_hub_runs() -> None:
    seen: list[bool] = []

    def block() -> None:
        assert change(BLOCK, {USR1}) == in_force() - {USR1}
        seen.append(USR1 in in_force())
        yield_now()
        seen.append(USR1 in in_force())

    spawn(block)
    settle()
    assert seen == [True, False]
    assert USR1 not in in_force()


def test_a_green_thread_is_told_its_own_mask() -> None:
    def use() -> list[set[int] | None]:
        main = in_force()
        told = [change(SET, {USR1})]
        yield_now()
        told.append(change(UNBLOCK, {USR1}))
        yield_now()
        told.append(change(BLOCK, ()))
        return [None if mask is None else mask - main for mask in told]

    thread = spawn(use)
    assert thread.wait() == [set(), {USR1}, set()]


def test_a_mask_that_is_the_main_greenlets_again_is_not_kept() -> None:
    def use() -> list[bool]:
        change(BLOCK, {USR1})
        kept = [bool(sigmask._masks)]
        change(UNBLOCK, {USR1})
        return [*kept, bool(sigmask._masks)]

    assert spawn(use).wait() == [True, False]
    settle()


def test_two_green_threads_have_masks_of_their_own() -> None:
    def use(mine: int) -> set[int]:
        change(BLOCK, {mine})
        yield_now()
        told = change(BLOCK, ())
        assert told is not None
        return told & {USR1, USR2}

    threads = [spawn(use, mine) for mine in (USR1, USR2)]
    assert [thread.wait() for thread in threads] == [{USR1}, {USR2}]


def test_errors_are_those_of_the_stdlib_and_change_nothing() -> None:
    def use() -> None:
        with pytest.raises(ValueError):
            change(BLOCK, {9999})
        with pytest.raises(TypeError):
            change(BLOCK, None)  # type: ignore[arg-type]
        assert not in_force() & {USR1, USR2}

    spawn(use).wait()
    assert not sigmask._masks


def test_the_main_greenlets_mask_is_in_force_when_it_is_asked_for() -> None:
    waiter = spawn(lambda: (change(BLOCK, {USR1}), sigmask.settle(), USR1 in in_force()))
    assert waiter.wait()[2] is False


def test_the_child_of_a_fork_has_the_mask_of_the_thread_that_forked() -> None:
    def fork() -> bool:
        change(BLOCK, {USR2})
        yield_now()
        sigmask._after_fork_in_child()
        return USR2 in in_force()

    other = spawn(lambda: (change(BLOCK, {USR1}), yield_now()))
    assert spawn(fork).wait() is True
    other.wait()
    assert not sigmask._masks
    signal.pthread_sigmask(UNBLOCK, {USR2})


def test_a_thread_that_ended_leaves_no_mask() -> None:
    thread = spawn(lambda: (change(BLOCK, {USR1}), yield_now()))
    thread.wait()
    del thread
    assert not sigmask._masks
