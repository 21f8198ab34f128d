"""Timeout: raises itself, once, where its green thread waits, and nowhere else."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.testing import Fake, settle
from greening.timeout import Timeout, with_timeout

pytestmark = pytest.mark.usefixtures("fake")


class Slow(Exception):
    pass


def test_it_raises_itself_when_the_time_has_passed(fake: Fake) -> None:
    before = fake.clock.now()
    with pytest.raises(Timeout) as caught:
        with Timeout(3) as timeout:
            sleep(10)
    assert caught.value is timeout
    assert fake.clock.now() == pytest.approx(before + 3)
    assert not timeout.pending


def test_it_starts_when_it_is_made() -> None:
    timeout = Timeout(1)
    assert timeout.pending
    with pytest.raises(Timeout) as caught:
        sleep(2)
    assert caught.value is timeout


def test_code_that_is_quick_enough_notices_nothing() -> None:
    with Timeout(3) as timeout:
        sleep(1)
    assert not timeout.pending
    sleep(10)


def test_an_except_exception_under_it_does_not_swallow_it() -> None:
    def sloppy() -> None:
        try:
            sleep(10)
        except Exception:  # the point
            pytest.fail("swallowed")

    assert not issubclass(Timeout, Exception)
    with pytest.raises(Timeout):
        with Timeout(1):
            sloppy()


def test_false_is_silent_inside_with(fake: Fake) -> None:
    before = fake.clock.now()
    with Timeout(1, False):
        sleep(10)
        pytest.fail("not reached")
    assert fake.clock.now() == pytest.approx(before + 1)


def test_false_is_silent_about_itself_only() -> None:
    with pytest.raises(Timeout) as caught:
        with Timeout(1) as outer, Timeout(2, False):
            sleep(10)
    assert caught.value is outer
    with pytest.raises(KeyError):
        with Timeout(1, False):
            raise KeyError


def test_false_without_with_is_an_ordinary_timeout() -> None:
    timeout = Timeout(1, False)
    with pytest.raises(Timeout) as caught:
        sleep(2)
    assert caught.value is timeout


@pytest.mark.parametrize("exception", [Slow("it took too long"), Slow])
def test_another_exception_is_raised_instead(exception: Any) -> None:
    with pytest.raises(Slow) as caught:
        with Timeout(1, exception):
            sleep(10)
    assert caught.value is exception or type(caught.value) is exception


@pytest.mark.parametrize("exception", [None, True])
def test_none_and_true_mean_the_timeout_itself(exception: Any) -> None:
    with pytest.raises(Timeout) as caught:
        with Timeout(1, exception) as timeout:
            sleep(10)
    assert caught.value is timeout


def test_none_seconds_never_fire(fake: Fake) -> None:
    with Timeout(None) as timeout:
        assert not timeout.pending
        sleep(1e6)
    with Timeout():
        sleep(1e6)


@pytest.mark.parametrize("seconds", [0, -1])
def test_zero_and_less_fire_at_the_next_switch(seconds: int, fake: Fake) -> None:
    before = fake.clock.now()
    with pytest.raises(Timeout):
        with Timeout(seconds):
            sleep(0)
    assert fake.clock.now() == before


def test_nested_ones_are_told_apart_by_identity() -> None:
    with Timeout(5) as outer:
        with pytest.raises(Timeout) as caught:
            with Timeout(1) as inner:
                sleep(10)
        assert caught.value is inner
        assert outer.pending
        with pytest.raises(Timeout) as caught:
            with Timeout(100):
                sleep(10)
        assert caught.value is outer


def test_one_that_was_cancelled_does_not_fire() -> None:
    timeout = Timeout(1)
    timeout.cancel()
    timeout.cancel()
    assert not timeout.pending
    sleep(5)


def test_it_can_be_started_again_after_cancel_but_not_twice(fake: Fake) -> None:
    timeout = Timeout(2)
    with pytest.raises(AssertionError, match="already started"):
        timeout.start()
    timeout.cancel()
    sleep(10)
    before = fake.clock.now()
    timeout.start()
    with pytest.raises(Timeout) as caught:
        sleep(10)
    assert caught.value is timeout
    assert fake.clock.now() == pytest.approx(before + 2)


def test_with_starts_a_cancelled_one_again_and_leaves_a_running_one_alone(fake: Fake) -> None:
    timeout = Timeout(3)
    sleep(1)
    before = fake.clock.now()
    with pytest.raises(Timeout):
        with timeout:
            sleep(10)
    assert fake.clock.now() == pytest.approx(before + 2), "it had begun when it was made"
    with pytest.raises(Timeout):
        with timeout:
            sleep(10)
    assert fake.clock.now() == pytest.approx(before + 5)


def test_it_strikes_the_thread_that_made_it_and_no_other() -> None:
    def other() -> str:
        sleep(5)
        return "undisturbed"

    thread = spawn(other)
    with pytest.raises(Timeout):
        with Timeout(1):
            thread.wait()
    assert thread.wait() == "undisturbed"


def test_what_it_interrupted_is_not_waited_for_any_more() -> None:
    event = Event()
    with Timeout(1, False):
        event.wait()
    event.send("late")
    settle()
    with pytest.raises(Timeout):
        with Timeout(5):
            Event().wait()


def test_two_that_are_due_at_once_are_both_raised() -> None:
    raised: list[Timeout] = []
    timeouts = [Timeout(1), Timeout(1)]
    for _ in timeouts:
        try:
            sleep(10)
        except Timeout as timeout:
            raised.append(timeout)
    assert raised == timeouts


def test_one_that_came_due_and_was_cancelled_before_it_struck_is_gone(fake: Fake) -> None:
    timeout = Timeout(1)
    fake.clock.advance(5)
    timeout.cancel()
    sleep(10)


@pytest.mark.parametrize("seconds", ["soon", 1j, [], object()])
def test_seconds_that_are_no_number_are_a_type_error(seconds: Any) -> None:
    with pytest.raises(TypeError, match="number of seconds"):
        Timeout(seconds)


def test_seconds_may_be_any_real_number(fake: Fake) -> None:
    with pytest.raises(Timeout), Timeout(Fraction(2)):  # type: ignore[arg-type]  # what this pins
        sleep(3)
    with pytest.raises(TypeError):
        Timeout("2")  # type: ignore[arg-type]  # what this pins


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Timeout(), ""),
        (lambda: Timeout(1), "1 second"),
        (lambda: Timeout(2.5), "2.5 seconds"),
        (lambda: Timeout(2, True), "2 seconds"),
        (lambda: Timeout(2, False), "2 seconds (silent)"),
        (lambda: Timeout(2, Slow("x")), "2 seconds (x)"),
    ],
)
def test_its_text_says_how_long_it_was(make: Callable[[], Timeout], text: str) -> None:
    timeout = make()
    timeout.cancel()
    assert str(timeout) == text
    assert "idle" in repr(timeout)


def test_it_is_marked_as_a_timeout() -> None:
    assert Timeout.is_timeout is True


# -- What is raised ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exception", ["text", 5, int, [], object()])
def test_what_cannot_be_raised_is_refused_and_nothing_is_pending(exception: Any, fake: Fake) -> None:
    with pytest.raises(TypeError, match="exception class"):
        Timeout(1, exception)
    assert len(fake.hub.timers) == 0


@pytest.mark.parametrize("message", ["too slow", "", 5, ("too", "slow"), object])
def test_where_messages_are_taken_it_raises_itself_and_tells_them(
    message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Timeout, "takes_messages", True)
    with pytest.raises(Timeout) as caught:
        with Timeout(2, message):
            sleep(9)
    assert str(caught.value) == f"2 seconds ({message})"
    assert caught.value.exception is message


def test_an_exception_of_any_kind_may_be_raised_even_another_timeout() -> None:
    other = Timeout(None)
    for exception in (KeyboardInterrupt("enough"), GreenletExit(), other):
        with pytest.raises(BaseException) as caught:  # whichever it is
            with Timeout(1, exception):
                sleep(10)
        assert caught.value is exception


def test_a_class_that_cannot_be_made_raises_why_where_it_was_given() -> None:
    class Choosy(Exception):
        def __init__(self, one: int) -> None:
            super().__init__(one)

    with pytest.raises(TypeError, match="one"):
        with Timeout(1, Choosy):
            sleep(10)


def test_another_exception_than_its_own_is_not_silenced() -> None:
    with pytest.raises(Slow):
        with Timeout(1, Slow):
            sleep(10)
    with pytest.raises(Timeout):
        with Timeout(1, True):
            sleep(10)


def test_a_subclass_is_a_timeout_with_a_name_of_its_own() -> None:
    class TooSlow(Timeout):
        pass

    with pytest.raises(TooSlow) as caught:
        with TooSlow(1) as timeout:
            sleep(10)
    assert caught.value is timeout
    assert "TooSlow" in repr(timeout)


def test_one_that_was_caught_may_be_used_again() -> None:
    timeout = Timeout(1)
    for _ in range(3):
        with pytest.raises(Timeout) as caught:
            with timeout:
                sleep(10)
        assert caught.value is timeout
        assert not timeout.pending


# -- When --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "error"), [(float("nan"), ValueError), (10**400, OverflowError)])
def test_seconds_that_are_no_point_in_time_are_refused(seconds: Any, error: type[Exception], fake: Fake) -> None:
    with pytest.raises(error):
        Timeout(seconds)
    assert len(fake.hub.timers) == 0


def test_infinite_seconds_never_pass() -> None:
    with Timeout(float("inf")) as timeout:
        sleep(1e9)
        assert timeout.pending


@pytest.mark.parametrize("seconds", [0, -1])
def test_one_without_time_spares_code_that_does_not_switch(seconds: int) -> None:
    with Timeout(seconds) as timeout:
        pass
    assert not timeout.pending
    sleep(1)


def test_start_returns_the_timeout_and_does_nothing_without_seconds() -> None:
    timeout = Timeout(1)
    timeout.cancel()
    assert timeout.start() is timeout
    timeout.cancel()
    never = Timeout(None)
    assert never.start() is never
    assert never.start() is never, "it is not pending, so this is no error"
    assert not never.pending


def test_an_inner_one_that_is_due_later_does_not_keep_the_outer_one(fake: Fake) -> None:
    before = fake.clock.now()
    with pytest.raises(Timeout) as caught:
        with Timeout(1) as outer:
            with Timeout(2, False):
                sleep(10)
            pytest.fail("silenced")
    assert caught.value is outer
    assert fake.clock.now() == pytest.approx(before + 1)
    sleep(10)


def test_many_are_raised_in_the_order_in_which_they_are_due() -> None:
    timeouts = [Timeout(seconds) for seconds in (5, 3, 1, 4, 2)]
    raised: list[Timeout] = []
    for _ in timeouts:
        try:
            sleep(100)
        except Timeout as timeout:
            raised.append(timeout)
    assert [timeout.seconds for timeout in raised] == [1, 2, 3, 4, 5]


def test_one_that_fires_in_a_call_that_need_not_wait_interrupts_nothing(
    fake: Fake, set_slice: Callable[[int, float], None]
) -> None:
    event = Event()
    event.send("value")
    spawn(fake.clock.advance, 5)
    with Timeout(1):
        set_slice(1, float("inf"))
        assert event.wait() == "value"  # it lets others run; the time passes meanwhile
    sleep(10)


def test_one_whose_value_came_at_the_same_moment_is_raised_and_the_value_is_not_lost(fake: Fake) -> None:
    event = Event()

    def waiter() -> object:
        with Timeout(5, False):
            return event.wait()
        return "timeout"

    thread = spawn(waiter)
    settle()
    fake.clock.advance(5)
    event.send("value")
    fake.hub.switches_left = 0  # by way of the hub, whose timers come before the waiter that was woken
    assert (thread.wait(), event.wait()) == ("timeout", "value")


def test_one_that_was_cancelled_by_another_thread_does_not_fire() -> None:
    timeouts: list[Timeout] = []

    def waiter() -> str:
        with Timeout(5) as timeout:
            timeouts.append(timeout)
            sleep(10)
        return "undisturbed"

    thread = spawn(waiter)
    settle()
    timeouts[0].cancel()
    assert thread.wait() == "undisturbed"


def test_one_whose_thread_has_ended_disturbs_no_other() -> None:
    spawn(Timeout, 1).wait()
    sleep(10)


def test_a_killed_thread_leaves_its_with_and_the_timeout_is_cancelled() -> None:
    timeouts: list[Timeout] = []

    def waiter() -> None:
        with Timeout(5, False) as timeout:
            timeouts.append(timeout)
            sleep(10)

    thread = spawn(waiter)
    settle()
    thread.kill()
    with pytest.raises(GreenletExit):
        thread.wait()
    assert not timeouts[0].pending


def test_one_that_has_fired_is_pending_no_more_and_may_be_started_without_cancel() -> None:
    timeout = Timeout(1)
    for _ in range(2):
        with pytest.raises(Timeout):
            sleep(5)
        assert not timeout.pending
        timeout.start()
        assert timeout.pending
    timeout.cancel()


def test_it_is_a_base_exception_with_its_arguments() -> None:
    timeout = Timeout(2, False)
    timeout.cancel()
    assert timeout.args == (2, False)


# -- with_timeout ------------------------------------------------------------------------------------------------------


def test_with_timeout_returns_what_the_function_returns() -> None:
    def work(number: int, *, factor: int) -> int:
        sleep(1)
        return number * factor

    assert with_timeout(5, work, 2, factor=3) == 6
    sleep(10)  # nothing of it is left


def test_with_timeout_raises_when_the_time_runs_out() -> None:
    with pytest.raises(Timeout):
        with_timeout(1, sleep, 10)


@pytest.mark.parametrize("value", ["too late", None, False])
def test_with_timeout_returns_the_given_value_when_the_time_runs_out(value: object) -> None:
    assert with_timeout(1, sleep, 10, timeout_value=value) is value


def test_with_timeout_translates_its_own_timeout_only() -> None:
    with pytest.raises(Timeout) as caught:
        with Timeout(1) as outer:
            with_timeout(5, sleep, 10, timeout_value="wrong")
    assert caught.value is outer

    def inner() -> None:
        with Timeout(1):
            sleep(10)

    with pytest.raises(Timeout):
        with_timeout(5, inner, timeout_value="wrong")


def test_with_timeout_passes_the_functions_errors_through_and_cancels() -> None:
    def fail() -> None:
        raise Slow

    with pytest.raises(Slow):
        with_timeout(1, fail, timeout_value="wrong")
    sleep(10)


def test_with_timeout_without_a_limit_waits_as_long_as_it_takes() -> None:
    assert with_timeout(None, sleep, 1e6, timeout_value="wrong") is None


@pytest.mark.parametrize("seconds", ["1", [], float("nan")])
def test_with_timeout_refuses_what_is_no_number_and_calls_nothing(seconds: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        with_timeout(seconds, pytest.fail, "called")


def test_with_timeout_passes_arguments_of_any_other_name_on() -> None:
    assert with_timeout(1, dict, func=1, self=2, timeout_value=3) == {"func": 1, "self": 2}
    assert with_timeout(seconds=1, function=dict, x=2) == {"x": 2}
