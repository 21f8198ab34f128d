"""Errors for a task that does not park."""

from collections.abc import Callable
from types import TracebackType
from typing import Any

import pytest
from greenlet import greenlet

from greening._core.delivery import DeliveryTask, normalize_exception
from greening._core.greenthread import GreenThread, spawn
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.testing import Fake, FakePoller, settle


def deliver(fake: Fake[FakePoller], target: Any, error: BaseException, wanted: Any = None) -> DeliveryTask:
    task = DeliveryTask(fake.hub, target, error, wanted)
    fake.hub.ready.append(task)
    return task


def errors_of(count: int, wait: Callable[[], object] = lambda: sleep(1000)) -> list[str]:
    """What is raised in `count` waits, one after the other."""
    got = []
    for _ in range(count):
        try:
            wait()
        except Exception as error:
            got.append(str(error))
    return got


def behind_a_foreign_greenlet(event: Event) -> tuple[GreenThread[list[str]], greenlet]:
    """A green thread that is suspended by a switch that is not ours, until `event`."""
    made: list[greenlet] = []

    def body() -> list[str]:
        made.append(greenlet(event.wait))
        return errors_of(1, made[0].switch)

    thread = spawn(body)
    settle()
    return thread, made[0]


def test_one_that_waits_gets_the_error(fake: Fake[FakePoller]) -> None:
    thread = spawn(errors_of, 1)
    settle()
    deliver(fake, thread, LookupError("a"))
    assert thread.wait() == ["a"]


def test_one_that_has_another_error_to_come_gets_both(fake: Fake[FakePoller]) -> None:
    thread = spawn(errors_of, 2)
    settle()
    deliver(fake, thread, LookupError("b"))
    thread.interrupt(LookupError("a"))
    assert thread.wait() == ["a", "b"]


def test_one_behind_a_foreign_greenlet_gets_the_error_there(fake: Fake[FakePoller]) -> None:
    event = Event()
    thread, _ = behind_a_foreign_greenlet(event)
    deliver(fake, thread, LookupError("a"))
    assert thread.wait() == ["a"]
    event.send()
    settle()


def test_an_error_that_is_not_wanted_any_more_is_dropped(fake: Fake[FakePoller]) -> None:
    thread = spawn(errors_of, 1)
    settle()
    deliver(fake, thread, LookupError("dropped"), lambda: False)
    settle()
    deliver(fake, thread, LookupError("a"), lambda: True)
    assert thread.wait() == ["a"]


def test_an_error_for_one_that_has_ended_is_dropped(fake: Fake[FakePoller]) -> None:
    thread = spawn(int)
    thread.wait()
    task = deliver(fake, thread, LookupError("dropped"))
    settle()
    assert task.resume is None, "it does not try for ever"


def test_where_code_that_interrupts_it_waits_the_error_comes_later(fake: Fake[FakePoller]) -> None:
    """A finaliser or a signal handler on that greenlet: to raise there would be to raise anywhere."""
    event = Event()
    thread, _ = behind_a_foreign_greenlet(event)
    glet: Any = thread.greenlet
    fake.hub.stand_ins[glet] = object()  # type: ignore[assignment]  # only looked for
    deliver(fake, thread, LookupError("a"))
    settle()
    fake.clock.advance(1)
    settle()
    assert not thread.dead
    del fake.hub.stand_ins[glet]
    assert thread.wait() == ["a"]
    event.send()
    settle()


# The arguments of throw


def here() -> TracebackType:
    try:
        raise LookupError
    except LookupError as error:
        assert error.__traceback__ is not None
        return error.__traceback__


INSTANCE = KeyError("x")


@pytest.mark.parametrize(
    ("args", "kind", "values"),
    [
        ((), GreenletExit, ()),
        ((KeyError,), KeyError, ()),
        ((KeyError, None), KeyError, ()),
        ((KeyError, "x"), KeyError, ("x",)),
        ((KeyError, ("x", "y")), KeyError, ("x", "y")),
    ],
)
def test_a_class_and_a_value_make_an_exception(
    args: tuple[Any, ...], kind: type[BaseException], values: tuple[Any, ...]
) -> None:
    error = normalize_exception(args)
    assert type(error) is kind
    assert error.args == values


def test_an_exception_is_taken_as_it_is() -> None:
    assert normalize_exception((INSTANCE,)) is INSTANCE
    assert normalize_exception((LookupError, INSTANCE)) is INSTANCE


def test_a_traceback_is_attached() -> None:
    trace = here()
    assert normalize_exception((KeyError, None, trace)).__traceback__ is trace


@pytest.mark.parametrize("what", [None, "x", 1, int, object()])
def test_what_is_no_exception_is_refused(what: object) -> None:
    with pytest.raises(TypeError, match="exception"):
        normalize_exception((what,))
