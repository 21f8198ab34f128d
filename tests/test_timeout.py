"""Timeout: raises itself, once, where its green thread waits, and nowhere else."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
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
