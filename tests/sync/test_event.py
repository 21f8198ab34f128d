"""Event: one value or one exception, sent once, to every waiter."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.parking_lot import ParkingLot
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.event import NOT_SENT, Event
from greening.testing import Fake, settle
from greening.timeout import Timeout

pytestmark = pytest.mark.usefixtures("fake")


def test_every_waiter_gets_the_value_that_was_sent_in_order_of_arrival() -> None:
    event = Event()
    got: list[tuple[int, str]] = []

    def waiter(number: int) -> None:
        got.append((number, event.wait()))

    for number in range(4):
        spawn(waiter, number)
    settle()
    event.send("news")
    settle()
    assert got == [(0, "news"), (1, "news"), (2, "news"), (3, "news")]


def test_send_never_switches() -> None:
    event = Event()
    got: list[object] = []
    spawn(lambda: got.append(event.wait()))
    settle()
    event.send(1)
    assert got == []
    settle()
    assert got == [1]


def test_wait_returns_at_once_whatever_was_sent_before() -> None:
    for value in (1, None, NOT_SENT.__repr__(), [], False):
        event = Event()
        event.send(value)
        assert event.wait() == value
        assert event.wait(0) == value


def test_wait_returns_none_when_the_time_runs_out(fake: Fake) -> None:
    event = Event()
    before = fake.clock.now()
    assert event.wait(5) is None
    assert fake.clock.now() == pytest.approx(before + 5)
    assert event.wait(timeout=0) is None


def test_a_waiter_whose_time_ran_out_misses_nothing_the_next_time() -> None:
    event = Event()
    assert event.wait(1) is None
    spawn(event.send, "late")
    assert event.wait(1) == "late"


def test_a_value_that_comes_in_time_is_returned_before_the_limit(fake: Fake) -> None:
    event = Event()
    before = fake.clock.now()

    def sender() -> None:
        sleep(2)
        event.send("in time")

    spawn(sender)
    assert event.wait(5) == "in time"
    assert fake.clock.now() == pytest.approx(before + 2)


def test_sending_twice_is_an_error_that_names_what_was_sent() -> None:
    event = Event()
    event.send("first")
    with pytest.raises(AssertionError, match="first"):
        event.send("second")
    with pytest.raises(AssertionError, match="first"):
        event.send_exception(ValueError())
    assert event.wait() == "first"


def test_an_exception_is_raised_by_every_wait_and_poll() -> None:
    event = Event()
    error = ValueError("bad news")
    errors: list[BaseException] = []

    def waiter() -> None:
        try:
            event.wait()
        except ValueError as caught:
            errors.append(caught)

    spawn(waiter)
    spawn(waiter)
    settle()
    event.send_exception(error)
    settle()
    assert errors == [error, error]
    for look in (event.wait, event.poll):
        with pytest.raises(ValueError, match="bad news"):
            look()


@pytest.mark.parametrize(
    "send",
    [
        lambda event: event.send_exception(KeyError("k")),
        lambda event: event.send_exception(KeyError, KeyError("k")),
        lambda event: event.send_exception(KeyError, "k"),
        lambda event: event.send(exc=KeyError("k")),
        lambda event: event.send(None, (KeyError, "k")),
    ],
)
def test_an_exception_may_be_an_instance_a_class_or_a_tuple(send: Callable[[Event], None]) -> None:
    event = Event()
    send(event)
    with pytest.raises(KeyError) as caught:
        event.wait()
    assert caught.value.args == ("k",)


def test_a_class_alone_is_raised_as_its_instance() -> None:
    event = Event()
    event.send_exception(LookupError)
    with pytest.raises(LookupError) as caught:
        event.wait()
    assert caught.value.args == ()


def test_exc_info_keeps_the_traceback_of_the_place_where_it_was_raised() -> None:
    def the_culprit() -> None:
        raise OSError("disk")

    event = Event()
    try:
        the_culprit()
    except OSError:
        event.send_exception(*sys.exc_info())
    with pytest.raises(OSError, match="disk") as caught:
        event.wait()
    assert "the_culprit" in [entry.name for entry in caught.traceback]


def test_waiters_do_not_add_to_one_anothers_traceback() -> None:
    event = Event()
    event.send_exception(ValueError())
    lengths = []
    for _ in range(3):
        with pytest.raises(ValueError) as caught:
            event.wait()
        lengths.append(len(caught.traceback))
    assert len(set(lengths)) == 1


def test_a_base_exception_can_be_sent_too() -> None:
    event = Event()
    event.send_exception(GreenletExit())
    with pytest.raises(GreenletExit):
        event.wait()


def test_what_an_event_says_about_itself_before_and_after() -> None:
    event = Event()
    assert (event.ready(), event.has_result(), event.has_exception()) == (False, False, False)
    event.send()
    assert (event.ready(), event.has_result(), event.has_exception()) == (True, True, False)
    failed = Event()
    failed.send_exception(ValueError)
    assert (failed.ready(), failed.has_result(), failed.has_exception()) == (True, False, True)


def test_polls_never_wait() -> None:
    error = ValueError("no")
    fresh, sent, failed = Event(), Event(), Event()
    sent.send("value")
    failed.send_exception(error)
    assert fresh.poll() is None
    assert fresh.poll("nothing") == "nothing"
    assert fresh.poll_result("nothing") == "nothing"
    assert fresh.poll_exception("nothing") == "nothing"
    assert sent.poll("nothing") == "value"
    assert sent.poll_result("nothing") == "value"
    assert sent.poll_exception("nothing") == "nothing"
    assert failed.poll_result("nothing") == "nothing"
    assert failed.poll_exception() == (error,)


def test_reset_makes_it_ready_for_another_send() -> None:
    event = Event()
    event.send(1)
    event.reset()
    assert not event.ready()
    spawn(event.send, 2)
    assert event.wait() == 2


def test_reset_of_a_fresh_event_is_an_error() -> None:
    event = Event()
    with pytest.raises(AssertionError):
        event.reset()


def test_a_waiter_gets_what_was_sent_to_it_even_when_the_event_was_reset_meanwhile() -> None:
    event = Event()
    first = spawn(event.wait)
    settle()
    event.send("for the first")
    event.reset()
    second = spawn(event.wait)
    settle()
    event.send("for the second")
    assert first.wait() == "for the first"
    assert second.wait() == "for the second"


def test_a_killed_waiter_leaves_and_the_others_get_the_value() -> None:
    event = Event()
    victim, other = spawn(event.wait), spawn(event.wait)
    settle()
    victim.kill()
    event.send("value")
    assert other.wait() == "value"
    with pytest.raises(GreenletExit):
        victim.wait()


def test_a_waiter_struck_by_a_timeout_is_not_woken_again_by_a_later_send() -> None:
    event = Event()
    with Timeout(1, False):
        event.wait()
    event.send("late")
    # A wake-up that was left behind would end this wait early.
    with pytest.raises(Timeout):
        with Timeout(3):
            Event().wait()


def test_events_take_no_limit_that_is_not_a_number() -> None:
    event = Event()
    with pytest.raises(TypeError):
        event.wait("soon")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ValueError, match="nan"):
        event.wait(float("nan"))
    spawn(event.send, "still works")
    assert event.wait(5) == "still works"


# -- Exceptions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "send",
    [
        lambda event: event.send_exception(),
        lambda event: event.send_exception("text"),
        lambda event: event.send_exception(int),
        lambda event: event.send(exc="text"),
        lambda event: event.send(exc=()),
        lambda event: event.send(exc=(5, ValueError())),
    ],
)
def test_what_is_no_exception_is_the_senders_error_and_nothing_is_sent(send: Callable[[Event], None]) -> None:
    event = Event()
    waiter = spawn(event.wait)
    settle()
    with pytest.raises(TypeError, match="exception class is needed"):
        send(event)
    assert not event.ready()
    event.send("value")
    assert waiter.wait() == "value"


@pytest.mark.parametrize(
    ("value", "args"), [(None, ()), ("text", ("text",)), (("x", 1), ("x", 1)), (KeyError("other"), None)]
)
def test_the_value_beside_a_class_is_what_a_throw_would_make_of_it(value: Any, args: tuple[Any, ...] | None) -> None:
    event = Event()
    event.send_exception(ValueError, value)
    with pytest.raises(ValueError) as caught:
        event.wait()
    assert caught.value.args == ((value,) if args is None else args)


def test_every_waiter_of_a_class_gets_an_instance_of_its_own() -> None:
    event, errors = Event(), list[BaseException]()

    def waiter() -> None:
        try:
            event.wait()
        except LookupError as error:
            errors.append(error)

    threads = [spawn(waiter) for _ in range(2)]
    settle()
    event.send_exception(LookupError)
    for thread in threads:
        thread.wait()
    assert errors[0] is not errors[1]


def test_an_exception_that_cannot_be_made_is_the_error_of_those_that_wait() -> None:
    class Choosy(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(one, two)

    event = Event()
    event.send_exception(Choosy)
    with pytest.raises(TypeError, match="two"):
        event.wait()


def test_an_exception_goes_before_a_value_that_is_sent_with_it() -> None:
    event = Event()
    event.send("value", ValueError("error"))
    assert not event.has_result()
    assert event.poll_result("nothing") == "nothing"
    with pytest.raises(ValueError, match="error"):
        event.wait()


def test_the_frames_in_which_an_exception_was_raised_before_it_was_sent_are_seen_by_every_waiter() -> None:
    def the_culprit() -> ValueError:
        try:
            raise ValueError
        except ValueError as error:
            return error

    for as_pair in (False, True):
        event, error = Event(), the_culprit()
        event.send(exc=(ValueError, error) if as_pair else error)
        for _ in range(2):
            with pytest.raises(ValueError) as caught:
                event.wait()
            assert "the_culprit" in [entry.name for entry in caught.traceback]


# -- Misuse ------------------------------------------------------------------------------------------------------------


def test_the_error_of_a_second_send_names_the_remedy() -> None:
    event = Event()
    event.send(1)
    with pytest.raises(AssertionError, match=r"reset\(\)"):
        event.send(2)
    event.reset()
    event.send(2)
    assert event.wait() == 2


def test_a_second_send_changes_nothing_and_its_error_says_what_is_carried() -> None:
    sent, failed = Event(), Event()
    sent.send("kept")
    failed.send_exception(KeyError("kept"))
    for event in (sent, failed):
        with pytest.raises(AssertionError, match="kept"):
            event.send("another")
        with pytest.raises(AssertionError, match="kept"):
            event.send_exception(ValueError)
    assert sent.poll() == "kept"
    with pytest.raises(KeyError, match="kept"):
        failed.poll()


def test_a_reset_forgets_an_exception_too() -> None:
    event = Event()
    event.send_exception(ValueError)
    event.reset()
    assert (event.ready(), event.has_result(), event.has_exception()) == (False, False, False)
    with pytest.raises(AssertionError, match="fresh"):
        event.reset()


# -- Limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0, -1, 0.0])
def test_a_limit_of_nothing_gives_none_and_no_time_passes(fake: Fake, timeout: float) -> None:
    event, before = Event(), fake.clock.now()
    assert event.wait(timeout) is None
    assert fake.clock.now() == before
    assert "waiters=0" in repr(event)


def test_no_limit_waits_as_long_as_it_takes() -> None:
    event = Event()
    waiter = spawn(event.wait, None)
    sleep(1e6)
    assert not waiter.dead
    event.send(1)
    assert waiter.wait() == 1


def test_a_waiter_that_is_sent_something_when_its_time_is_up_gets_it(fake: Fake) -> None:
    event = Event()
    waiter = spawn(event.wait, 5)
    settle()
    fake.clock.advance(5)
    event.send("just in time")
    assert waiter.wait() == "just in time"


def test_a_waiter_whose_time_was_up_first_gets_none_and_the_others_the_value(fake: Fake) -> None:
    event = Event()
    late, other = spawn(event.wait, 5), spawn(event.wait)
    sleep(5)
    event.send("value")
    assert (late.wait(), other.wait()) == (None, "value")


def test_a_timeout_that_strikes_a_waiter_that_was_woken_leaves_the_value_in_the_event(fake: Fake) -> None:
    event = Event()

    def waiter() -> object:
        with Timeout(5, False):
            return event.wait()
        return "timeout"

    struck, other = spawn(waiter), spawn(event.wait)
    settle()
    fake.clock.advance(5)
    event.send("value")
    fake.hub.switches_left = 0  # by way of the hub, whose timers come before the waiter that was woken
    assert (struck.wait(), other.wait(), event.wait()) == ("timeout", "value", "value")


def test_many_waiters_some_of_which_give_up_or_are_killed_are_woken_in_order() -> None:
    event, woken = Event(), list[int]()

    def waiter(number: int) -> None:
        if event.wait(1 if number % 4 == 1 else None) is not None:
            woken.append(number)

    threads = [spawn(waiter, number) for number in range(40)]
    settle()
    for thread in threads[2::4]:
        thread.kill()
    sleep(2)
    event.send("value")
    settle()
    assert woken == [number for number in range(40) if number % 4 in (0, 3)]


# -- Other things ------------------------------------------------------------------------------------------------------


def test_the_repr_says_whether_it_was_sent_and_how_many_wait() -> None:
    event = Event()
    waiter = spawn(event.wait)
    settle()
    assert "waiters=1" in repr(event)
    event.send(1)
    assert repr(event).endswith(" sent>")
    assert waiter.wait() == 1
    assert repr(NOT_SENT) == "NOT_SENT"


def test_a_waiter_of_an_event_that_was_sent_lets_others_run_when_its_slice_is_over(spent: Callable[[], None]) -> None:
    event, ran = Event(), list[int]()
    event.send("value")
    spawn(ran.append, 1)
    assert event.wait() == "value"
    assert ran == []
    spent()
    assert event.wait() == "value"
    assert ran == [1]


class _Watched(ParkingLot):
    """Calls `meanwhile` when a task has entered, as another OS thread could do something at that moment."""

    __slots__ = ("meanwhile",)

    def enter(self, task: Any = None) -> Any:
        entered = super().enter(task)
        self.meanwhile()
        return entered


@pytest.mark.parametrize("timeout", [None, 5])
def test_what_is_sent_while_a_waiter_enters_is_its_result_at_once(timeout: float | None, fake: Fake) -> None:
    event, before = Event(), fake.clock.now()
    event._sending.waiters = lot = _Watched()
    lot.meanwhile = lambda: event.send("value")
    assert event.wait(timeout) == "value"
    assert fake.clock.now() == before
    sleep(1)
    assert fake.clock.now() == pytest.approx(before + 1), "no wake-up is left over"


def test_events_take_attributes() -> None:
    event: Any = Event()
    event.send = print
    event.tag = "blue"
    assert (event.send, event.tag) == (print, "blue")
