"""time.sleep."""

import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening.patches.time import PATCH

green_sleep: Callable[[Any], None] = PATCH.replaces["sleep"]  # type: ignore[assignment]  # it is


class Seconds:
    def __index__(self) -> int:
        return 0


def outcome(call: Callable[..., object], *args: object) -> object:
    try:
        return call(*args)
    except (ArithmeticError, BufferError, OSError, TypeError, ValueError) as error:
        return type(error), str(error)


def test_others_run_meanwhile() -> None:
    order: list[str] = []

    def nap(name: str, seconds: float) -> None:
        green_sleep(seconds)
        order.append(name)

    threads = [spawn(nap, "long", 0.02), spawn(nap, "short", 0.01), spawn(nap, "none", 0)]
    before = time.monotonic()
    for thread in threads:
        thread.wait(5)
    assert order == ["none", "short", "long"]
    assert time.monotonic() - before >= 0.02


@pytest.mark.parametrize("seconds", [0, 0.0, False, 1e-9, Seconds(), -0.0])
def test_numbers(seconds: Any) -> None:
    assert green_sleep(seconds) is None  # type: ignore[func-returns-value]  # as the stdlib's


@pytest.mark.parametrize("seconds", [-1, -0.5, "1", None, [], float("nan"), float("inf"), 1e10, 2**70, -(2**70), 1j])
def test_what_is_no_time_fails_as_the_stdlibs(seconds: Any) -> None:
    assert outcome(green_sleep, seconds) == outcome(time.sleep, seconds)


@pytest.mark.parametrize("seconds", [Decimal("0.001"), Fraction(1, 1000)])
def test_other_numbers_are_what_they_are_to_the_stdlib(seconds: Any) -> None:
    assert outcome(green_sleep, seconds) == outcome(time.sleep, seconds)


def test_arguments() -> None:
    for args in ((), (1, 2)):
        assert outcome(green_sleep, *args)[0] is TypeError  # type: ignore[index]  # an error
    with pytest.raises(TypeError):
        green_sleep(seconds=0)  # type: ignore[call-arg]  # positional only, as the stdlib's


def test_it_passes_for_a_builtin() -> None:
    assert (green_sleep.__name__, green_sleep.__module__) == ("sleep", "time")

    class Job:
        pause = green_sleep

    Job().pause(0)  # type: ignore[call-arg]  # mypy thinks that it is bound


@pytest.mark.slow
def test_timeouts_that_are_none_are_refused_everywhere_as_by_the_stdlib(run_program: Callable[..., Any]) -> None:
    run_program("time_odd_arguments.py")
