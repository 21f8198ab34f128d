"""Condition: wait under a lock until what it protects has changed."""

from collections.abc import Callable

import pytest

from greening._core.greenthread import GreenThread, spawn
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.condition import Condition
from greening.sync.lock import Lock, RLock
from greening.testing import Fake, settle
from greening.timeout import Timeout

pytestmark = pytest.mark.usefixtures("fake")

KINDS = pytest.mark.parametrize("make", [lambda: Condition(), lambda: Condition(Lock()), lambda: Condition(RLock())])
Make = Callable[[], Condition]


def waiter(condition: Condition, woken: list[int], number: int) -> GreenThread[bool]:
    def run() -> bool:
        with condition:
            result = condition.wait()
            woken.append(number)
            return result

    return spawn(run)


def notify(condition: Condition, n: int = 1) -> None:
    with condition:
        condition.notify(n)


@KINDS
def test_waiters_are_notified_in_order_of_arrival(make: Make) -> None:
    condition, woken = make(), list[int]()
    threads = [waiter(condition, woken, number) for number in range(5)]
    settle()
    notify(condition)
    settle()
    assert woken == [0]
    notify(condition, 2)
    settle()
    assert woken == [0, 1, 2]
    with condition:
        condition.notify_all()
    assert all(thread.wait() is True for thread in threads)
    assert woken == [0, 1, 2, 3, 4]


@KINDS
def test_the_lock_is_free_while_one_waits_and_taken_when_wait_returns(make: Make) -> None:
    condition = make()
    seen: list[bool] = []

    def run() -> None:
        with condition:
            condition.wait()
            seen.append(condition._is_owned())

    thread = spawn(run)
    settle()
    assert condition.acquire(False), "it is free"
    condition.notify()
    settle()
    assert seen == [], "the notified one has to have the lock first"
    condition.release()
    thread.wait()
    assert seen == [True]


@KINDS
def test_notify_never_switches(make: Make) -> None:
    condition, woken = make(), list[int]()
    waiter(condition, woken, 1)
    settle()
    with condition:
        condition.notify()
        assert woken == []
    settle()
    assert woken == [1]


@KINDS
def test_a_notification_without_waiters_is_not_kept(make: Make) -> None:
    condition = make()
    notify(condition)
    with condition:
        assert condition.wait(1) is False


@KINDS
def test_wait_says_false_when_the_time_runs_out_and_has_the_lock_again(make: Make, fake: Fake) -> None:
    condition = make()
    before = fake.clock.now()
    with condition:
        assert condition.wait(4) is False
        assert spawn(condition.acquire, False).wait() is False, "taken"
    assert fake.clock.now() == pytest.approx(before + 4)


@KINDS
def test_wait_and_notify_need_the_lock(make: Make) -> None:
    condition = make()
    with pytest.raises(RuntimeError, match="un-acquired"):
        condition.wait()
    with pytest.raises(RuntimeError, match="un-acquired"):
        condition.notify()
    with pytest.raises(RuntimeError, match="un-acquired"):
        condition.notify_all()


def test_an_rlock_held_twice_is_given_up_whole_and_taken_back_whole() -> None:
    condition, woken = Condition(), list[int]()

    def run() -> None:
        with condition, condition:
            condition.wait()
            woken.append(1)
        woken.append(2)

    thread = spawn(run)
    settle()
    notify(condition)
    thread.wait()
    assert woken == [1, 2]
    assert condition.acquire(False)
    condition.release()


@KINDS
def test_wait_for_returns_what_the_predicate_said_last(make: Make) -> None:
    condition = make()
    box: list[str] = []

    def put() -> None:
        notify(condition)  # in vain: nothing has changed
        sleep(1)
        with condition:
            box.append("thing")
            condition.notify()

    spawn(put)
    with condition:
        assert condition.wait_for(lambda: box) == ["thing"]
        assert condition.wait_for(lambda: "at once") == "at once"


@KINDS
def test_the_limit_of_wait_for_is_for_all_its_waits_together(make: Make, fake: Fake) -> None:
    condition = make()

    def nag() -> None:
        for _ in range(10):
            sleep(1)
            notify(condition)

    nagger = spawn(nag)
    before = fake.clock.now()
    with condition:
        assert not condition.wait_for(lambda: False, timeout=3.5)
    assert fake.clock.now() == pytest.approx(before + 3.5)
    nagger.wait()


@KINDS
def test_a_killed_waiter_takes_the_lock_before_it_goes_and_leaves_it_free(make: Make) -> None:
    condition = make()
    owned: list[bool] = []

    def run() -> None:
        with condition:
            try:
                condition.wait()
            finally:
                owned.append(condition._is_owned())

    victim = spawn(run)
    settle()
    victim.kill()
    settle()
    assert owned == [True]
    assert condition.acquire(False)
    condition.release()


@KINDS
def test_the_notification_of_a_waiter_killed_after_it_was_chosen_goes_to_the_next(make: Make) -> None:
    condition, woken = make(), list[int]()
    victim, other = waiter(condition, woken, 1), waiter(condition, woken, 2)
    settle()
    with condition:
        condition.notify()
        victim.kill()  # it waits for the lock now, with the interruption in its pocket
    assert other.wait() is True
    assert woken == [2]
    with pytest.raises(GreenletExit):
        victim.wait()


@KINDS
def test_a_timeout_around_wait_leaves_no_waiter_behind(make: Make) -> None:
    condition, woken = make(), list[int]()
    with pytest.raises(Timeout):
        with Timeout(1), condition:
            condition.wait()
    other = waiter(condition, woken, 2)
    settle()
    notify(condition)
    assert other.wait() is True


@KINDS
def test_a_limit_that_is_no_number_is_an_error_before_the_lock_is_given_up(make: Make) -> None:
    condition = make()
    with condition:
        with pytest.raises(TypeError):
            condition.wait("soon")  # type: ignore[arg-type]  # on purpose
        assert condition._is_owned()
    assert condition.acquire(False)
    condition.release()
