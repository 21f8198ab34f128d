"""Condition: wait under a lock until what it protects has changed."""

from collections.abc import Callable
from typing import Any

import pytest

from greening._core.greenthread import GreenThread, spawn
from greening._core.waiting import sleep
from greening.errors import Deadlock, GreenletExit
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
def test_the_lock_is_free_while_a_waiter_waits_and_taken_when_wait_returns(make: Make) -> None:
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
        other = spawn(condition.acquire)
        settle()
        with pytest.raises(TypeError):
            condition.wait("soon")  # type: ignore[arg-type]  # on purpose
        assert condition._is_owned()
        settle()
        assert not other.dead
    assert other.wait() is True


# -- How many are woken ------------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize(("n", "expected"), [(-1, []), (0, []), (2, [0, 1]), (3, [0, 1, 2]), (10, [0, 1, 2])])
def test_notify_wakes_as_many_as_it_is_told_and_no_more_than_there_are(make: Make, n: int, expected: list[int]) -> None:
    condition, woken = make(), list[int]()
    threads = [waiter(condition, woken, number) for number in range(3)]
    settle()
    notify(condition, n)
    settle()
    assert woken == expected
    with condition:
        condition.notify_all()
    assert [thread.wait() for thread in threads] == [True] * 3
    assert woken == [0, 1, 2]


@KINDS
def test_a_waiter_that_comes_after_notify_all_is_not_woken_by_it(make: Make) -> None:
    condition, woken = make(), list[int]()
    waiter(condition, woken, 1)
    settle()
    with condition:
        condition.notify_all()
        late = waiter(condition, woken, 2)
    settle()
    assert woken == [1]
    notify(condition)
    assert late.wait() is True


def test_two_conditions_of_one_lock_wake_their_own_waiters_only() -> None:
    lock = Lock()
    full, empty = Condition(lock), Condition(lock)
    woken: list[int] = []
    one, other = waiter(full, woken, 1), waiter(empty, woken, 2)
    settle()
    notify(empty)
    settle()
    assert woken == [2]
    notify(full)
    assert (one.wait(), other.wait()) == (True, True)


# -- Limits ------------------------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("timeout", [0, -1, 0.0])
def test_a_limit_of_nothing_says_false_and_no_time_passes(make: Make, fake: Fake, timeout: float) -> None:
    condition, before = make(), fake.clock.now()
    with condition:
        assert condition.wait(timeout) is False
        assert condition._is_owned()
    assert fake.clock.now() == before


@KINDS
@pytest.mark.parametrize(("timeout", "error"), [("1", TypeError), ([], TypeError), (float("nan"), ValueError)])
def test_a_limit_that_is_no_number_is_refused_by_wait_for_too(make: Make, timeout: Any, error: type[Exception]) -> None:
    condition = make()
    with condition:
        with pytest.raises(error):
            condition.wait(timeout)
        with pytest.raises(error):
            condition.wait_for(lambda: False, timeout)
        assert condition._is_owned()
    assert condition.acquire(False)
    condition.release()


@KINDS
def test_wait_for_without_time_asks_once(make: Make, fake: Fake) -> None:
    condition, asked = make(), list[int]()
    before = fake.clock.now()
    with condition:
        assert condition.wait_for(lambda: asked.append(1), timeout=0) is None
    assert asked == [1]
    assert fake.clock.now() == before


@KINDS
def test_a_predicate_that_fails_fails_wait_for_and_the_lock_is_still_held(make: Make) -> None:
    condition = make()
    with condition:
        with pytest.raises(ZeroDivisionError):
            condition.wait_for(lambda: 1 / 0)
        assert condition._is_owned()


@KINDS
def test_wait_for_needs_the_lock_as_soon_as_it_has_to_wait(make: Make) -> None:
    condition = make()
    with pytest.raises(RuntimeError, match="un-acquired"):
        condition.wait_for(lambda: False)
    assert condition.wait_for(lambda: "true") == "true"


@KINDS
def test_a_waiter_that_is_notified_when_its_time_is_up_says_true(make: Make, fake: Fake) -> None:
    condition = make()

    def run() -> bool:
        with condition:
            return condition.wait(5)

    thread = spawn(run)
    settle()
    fake.clock.advance(5)
    notify(condition)
    assert thread.wait() is True


@KINDS
def test_a_waiter_whose_time_was_up_first_takes_no_notification(make: Make) -> None:
    condition, woken = make(), list[int]()

    def run() -> bool:
        with condition:
            return condition.wait(5)

    late, other = spawn(run), waiter(condition, woken, 2)
    settle()
    with condition:
        sleep(5)  # the late one waits for the lock now
        condition.notify()
    assert (late.wait(), other.wait()) == (False, True)


@KINDS
def test_a_timeout_that_strikes_a_notified_waiter_passes_the_notification_on(make: Make, fake: Fake) -> None:
    condition, woken = make(), list[int]()

    def run() -> str:
        with Timeout(5, False), condition:
            condition.wait()
            return "notified"
        return "timeout"

    struck, other = spawn(run), waiter(condition, woken, 2)
    settle()
    fake.clock.advance(5)
    notify(condition)
    fake.hub.switches_left = 0  # by way of the hub, whose timers come before the waiter that was notified
    assert struck.wait() == "timeout"
    assert other.wait() is True


# -- Taking the lock again ---------------------------------------------------------------------------------------------


@KINDS
def test_a_waiter_that_is_killed_again_while_it_takes_the_lock_takes_it_all_the_same(make: Make) -> None:
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
    with condition:
        for error in (GreenletExit(), LookupError("second"), KeyError("third")):
            victim.kill(error)
        assert owned == []
    assert str(error_of(victim)) == "'third'"
    assert owned == [True]
    assert condition.acquire(False)
    condition.release()


def error_of(thread: GreenThread[Any]) -> BaseException | None:
    thread.quiet = True
    try:
        thread.wait()
    except BaseException as error:  # the result
        return error
    return None


def test_a_waiter_that_is_killed_again_has_its_rlock_as_often_as_before() -> None:
    condition = Condition()
    releases: list[int] = []

    def run() -> None:
        condition.acquire()
        condition.acquire()
        try:
            condition.wait()
        finally:
            while condition._is_owned():
                condition.release()
                releases.append(1)

    victim = spawn(run)
    settle()
    with condition:
        victim.kill()
        victim.kill()
    with pytest.raises(GreenletExit):
        victim.wait()
    assert releases == [1, 1]


@KINDS
def test_a_lock_that_will_never_be_given_back_is_a_deadlock_of_the_waiter(make: Make) -> None:
    condition = make()

    def take_and_end() -> None:
        condition.acquire()
        condition.notify()

    condition.acquire()
    spawn(take_and_end)
    with pytest.raises(Deadlock):
        condition.wait()


# -- The lock ----------------------------------------------------------------------------------------------------------


@KINDS
def test_a_condition_is_taken_and_given_back_like_its_lock(make: Make) -> None:
    condition = make()
    with condition as entered:
        assert entered is True
        assert spawn(condition.acquire, False).wait() is False
        assert spawn(condition.acquire, True, 1).wait() is False
    assert condition.acquire(timeout=1) is True
    condition.release()
    with pytest.raises(RuntimeError):
        condition.release()
    with pytest.raises(KeyError):
        with condition:
            raise KeyError
    assert spawn(condition.acquire, False).wait() is True


def test_a_condition_uses_the_lock_that_it_was_given() -> None:
    lock = Lock()
    condition = Condition(lock)
    with condition:
        assert lock.locked()
        assert repr(lock) in repr(condition)
    assert not lock.locked()


def test_the_repr_says_how_many_wait() -> None:
    condition, woken = Condition(), list[int]()
    thread = waiter(condition, woken, 1)
    settle()
    assert repr(condition).endswith(", 1)>")
    notify(condition)
    thread.wait()
    assert repr(condition).endswith(", 0)>")


def test_an_rlock_that_the_caller_does_not_own_is_no_lock_to_wait_or_notify_under() -> None:
    condition = Condition()

    def intruder() -> None:
        with pytest.raises(RuntimeError, match="un-acquired"):
            condition.wait()
        with pytest.raises(RuntimeError, match="un-acquired"):
            condition.notify()

    with condition:
        spawn(intruder).wait()
