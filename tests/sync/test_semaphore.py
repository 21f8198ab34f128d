"""Semaphore: permits in order of arrival, none lost, none made."""

from collections.abc import Callable
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.parking_lot import ParkingLot
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
    with pytest.raises(TypeError, match="many"):
        kind("many")


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
def test_a_permit_of_a_waiter_killed_after_it_was_chosen_is_free_when_no_other_waits(kind: type[Semaphore]) -> None:
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
def test_permits_are_neither_lost_nor_made_whichever_worker_is_killed(kind: type[Semaphore]) -> None:
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


def test_the_repr_says_how_many_permits_are_left_and_how_many_wait() -> None:
    semaphore = Semaphore(1)
    semaphore.acquire()
    waiter = spawn(semaphore.acquire)
    settle()
    assert "permits=0 waiters=1" in repr(semaphore)
    semaphore.release()
    waiter.wait()


# -- Arguments ---------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("timeout", "error"), [("1", TypeError), ([], TypeError), (float("nan"), ValueError), (-0.5, ValueError)]
)
def test_what_is_no_number_of_seconds_is_refused_and_no_waiter_is_left(
    kind: type[Semaphore], timeout: Any, error: type[Exception]
) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    with pytest.raises(error):
        semaphore.acquire(timeout=timeout)
    assert semaphore.balance == 0
    semaphore.release()
    assert semaphore.balance == 1


@BOTH
@pytest.mark.parametrize("timeout", [None, -1, 0, 3, 0.5])
def test_a_permit_that_is_there_is_taken_at_once_whatever_the_limit(
    kind: type[Semaphore], fake: Fake, timeout: float | None
) -> None:
    semaphore, before = kind(1), fake.clock.now()
    assert semaphore.acquire(timeout=timeout) is True
    assert semaphore.counter == 0
    assert fake.clock.now() == before


@BOTH
@pytest.mark.parametrize("value", [None, [], "a few", float("nan"), float("inf")])
def test_a_value_that_is_no_number_is_refused_by_its_name(kind: type[Semaphore], value: Any) -> None:
    with pytest.raises(TypeError, match="must be a number"):
        kind(value)


@BOTH
@pytest.mark.parametrize("value", ["3", 3.0, 3.9])
def test_the_value_is_what_int_makes_of_it(kind: type[Semaphore], value: Any) -> None:
    semaphore = kind(value)
    assert (type(semaphore.counter), semaphore.counter) == (int, 3)


def test_a_bounded_semaphore_knows_its_bound_as_an_integer() -> None:
    semaphore = BoundedSemaphore("1")
    with pytest.raises(ValueError, match="too many"):
        semaphore.release()


# -- Waiting -----------------------------------------------------------------------------------------------------------


@BOTH
def test_entering_waits_for_a_permit_and_leaving_hands_it_on(kind: type[Semaphore]) -> None:
    semaphore, order = kind(1), list[str]()

    def user(name: str) -> None:
        with semaphore:
            order.append(f"{name} in")
            sleep(1)
            order.append(f"{name} out")

    for thread in [spawn(user, name) for name in "abc"]:
        thread.wait()
    assert order == ["a in", "a out", "b in", "b out", "c in", "c out"]
    assert semaphore.balance == 1


@BOTH
def test_a_waiter_that_is_served_when_its_time_is_up_has_the_permit(kind: type[Semaphore], fake: Fake) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    waiter = spawn(semaphore.acquire, timeout=5)
    settle()
    fake.clock.advance(5)
    semaphore.release()
    assert waiter.wait() is True
    assert semaphore.balance == 0


@BOTH
def test_a_waiter_whose_time_was_up_first_is_passed_over(kind: type[Semaphore]) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    late, other = spawn(semaphore.acquire, timeout=5), spawn(semaphore.acquire)
    sleep(5)
    semaphore.release()
    assert (late.wait(), other.wait()) == (False, True)
    assert semaphore.balance == 0


@BOTH
def test_a_timeout_that_strikes_a_waiter_that_was_served_passes_the_permit_on(
    kind: type[Semaphore], fake: Fake
) -> None:
    semaphore = kind(1)
    semaphore.acquire()

    def waiter() -> str:
        with Timeout(5, False), semaphore:
            return "had it"
        return "timeout"

    struck, other = spawn(waiter), spawn(semaphore.acquire)
    settle()
    fake.clock.advance(5)
    semaphore.release()
    fake.hub.switches_left = 0  # by way of the hub, whose timers come before the waiter that was served
    assert struck.wait() == "timeout"
    assert other.wait() is True
    assert semaphore.balance == 0


@BOTH
def test_many_waiters_some_of_which_give_up_or_are_killed_are_served_in_order(kind: type[Semaphore]) -> None:
    semaphore, order = kind(2), list[int]()
    semaphore.acquire()
    semaphore.acquire()

    def worker(number: int) -> None:
        if semaphore.acquire(timeout=1 if number % 4 == 1 else None):
            order.append(number)
            sleep(0)
            semaphore.release()

    threads = [spawn(worker, number) for number in range(40)]
    settle()
    for thread in threads[2::4]:
        thread.kill()
    sleep(2)
    assert semaphore.balance == -20
    semaphore.release()
    semaphore.release()
    settle()
    assert order == [number for number in range(40) if number % 4 in (0, 3)]
    assert semaphore.balance == 2


def test_releases_before_the_waiters_run_serve_as_many_waiters() -> None:
    semaphore = Semaphore(0)
    waiters = [spawn(semaphore.acquire) for _ in range(3)]
    settle()
    for _ in range(4):
        semaphore.release()
    assert semaphore.balance == 1
    assert [waiter.wait() for waiter in waiters] == [True] * 3


@BOTH
def test_a_loop_of_tries_lets_others_run_when_its_slice_is_over(
    kind: type[Semaphore], fake: Fake, set_slice: Callable[[int, float], None]
) -> None:
    semaphore, ran = kind(1), list[int]()
    for number, take in enumerate((lambda: semaphore.acquire(False), semaphore.__enter__)):
        spawn(ran.append, number)
        fake.clock.advance(10)
        set_slice(1, 0.0)
        take()
        assert ran == list(range(number + 1))
        semaphore.release()


# -- A bounded one -----------------------------------------------------------------------------------------------------


def test_a_bounded_semaphore_refuses_a_release_too_many_at_the_end_of_its_body_too() -> None:
    semaphore = BoundedSemaphore(1)
    with pytest.raises(ValueError, match="too many times"):
        with semaphore:
            semaphore.release()
    assert semaphore.counter == 1


def test_a_bounded_semaphore_hands_a_permit_to_a_waiter_when_its_body_ends() -> None:
    semaphore = BoundedSemaphore(1)
    with semaphore:
        waiter = spawn(semaphore.acquire)
        settle()
    assert waiter.wait() is True
    assert semaphore.balance == 0


# -- Two OS threads ----------------------------------------------------------------------------------------------------


class _Watched(ParkingLot):
    """Calls `meanwhile` when a task has entered, as another OS thread could do something at that moment."""

    __slots__ = ("meanwhile",)

    def enter(self, task: Any = None) -> Any:
        entered = super().enter(task)
        self.meanwhile()
        return entered


@BOTH
@pytest.mark.parametrize("handed", [False, True])
def test_a_permit_that_comes_while_a_waiter_enters_is_taken_by_it_once(kind: type[Semaphore], handed: bool) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    semaphore._waiters = lot = _Watched()

    def meanwhile() -> None:
        if handed:  # it looked for waiters after this one had entered
            semaphore.release()
        else:  # it had looked before
            semaphore.counter += 1

    lot.meanwhile = meanwhile
    assert semaphore.acquire(timeout=5) is True
    assert (semaphore.counter, len(lot)) == (0, 0)


def test_of_two_permits_that_come_while_a_waiter_enters_one_stays() -> None:
    semaphore = Semaphore(0)
    semaphore._waiters = lot = _Watched()

    def meanwhile() -> None:
        semaphore.counter += 1
        semaphore.release()

    lot.meanwhile = meanwhile
    assert semaphore.acquire(timeout=5) is True
    assert (semaphore.counter, len(lot)) == (1, 0)
