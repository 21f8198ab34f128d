"""Timeout and with_timeout, as eventlet has them."""

from typing import Any

from tests.sync.agreed.registry import agreed, error_of


def caught(lib: Any, seconds: float = 1) -> Any:
    """The Timeout that is raised in a sleep."""
    try:
        lib.sleep(seconds)
    except lib.Timeout as timeout:
        return timeout
    return None


@agreed([True, False])
def it_raises_itself_and_is_pending_no_more(lib: Any) -> object:
    timeout = lib.Timeout(0.001)
    return [caught(lib) is timeout, timeout.pending]


@agreed([False, True, True])
def it_is_no_exception_but_a_base_exception(lib: Any) -> object:
    timeout = lib.Timeout(None)
    return [issubclass(lib.Timeout, Exception), issubclass(lib.Timeout, BaseException), timeout.is_timeout]


@agreed(["silent", "KeyError", "outer"])
def false_is_silent_inside_with_and_about_itself_only(lib: Any) -> object:
    outcomes = []
    with lib.Timeout(0.001, False):
        lib.sleep(1)
        outcomes.append("not reached")
    outcomes.append("silent")

    def fail() -> None:
        with lib.Timeout(1, False):
            raise KeyError

    outcomes.append(error_of(fail))
    try:
        with lib.Timeout(0.001) as outer, lib.Timeout(1, False):
            lib.sleep(2)
    except lib.Timeout as error:
        outcomes.append("outer" if error is outer else "another")
    return outcomes


@agreed([True, True, False])
def nested_ones_are_told_apart_by_identity(lib: Any) -> object:
    with lib.Timeout(1) as outer:
        with lib.Timeout(0.001) as inner:
            inner_first = caught(lib) is inner
        pending = outer.pending
    return [inner_first, pending, outer.pending]


@agreed([False, "nothing"])
def none_means_never(lib: Any) -> object:
    timeout = lib.Timeout(None)
    return [timeout.pending, error_of(lib.sleep, 0.001)]


@agreed([["Timeout"], ["Timeout"]])
def zero_and_less_fire_at_the_next_switch(lib: Any) -> object:
    outcomes = []
    for seconds in (0, -1):
        lib.Timeout(seconds)
        outcomes.append([error_of(lib.sleep, 0)])
    return outcomes


@agreed([False, "nothing", "nothing"])
def one_that_was_cancelled_does_not_fire_and_cancelling_twice_is_fine(lib: Any) -> object:
    timeout = lib.Timeout(0.001)
    timeout.cancel()
    return [timeout.pending, error_of(timeout.cancel), error_of(lib.sleep, 0.003)]


@agreed(["AssertionError", True, True, True])
def it_can_be_started_again_after_cancel_but_not_twice(lib: Any) -> object:
    timeout = lib.Timeout(0.001)
    error = error_of(timeout.start)
    timeout.cancel()
    started = timeout.start()
    return [error, started is timeout, timeout.pending, caught(lib) is timeout]


@agreed(["KeyError", "KeyError", True, True])
def another_exception_is_raised_instead_as_a_class_or_an_instance(lib: Any) -> object:
    outcomes: list[object] = []
    for exception in (KeyError, KeyError("x")):
        lib.Timeout(0.001, exception)
        outcomes.append(error_of(lib.sleep, 1))
    for exception in (None, True):
        timeout = lib.Timeout(0.001, exception)
        outcomes.append(caught(lib) is timeout)
    return outcomes


@agreed([True, True])
def with_starts_a_cancelled_one_again(lib: Any) -> object:
    timeout = lib.Timeout(0.001)
    timeout.cancel()
    outcomes = []
    for _ in range(2):
        try:
            with timeout:
                lib.sleep(1)
        except lib.Timeout as error:
            outcomes.append(error is timeout)
    return outcomes


@agreed(["", "1 second", "2.5 seconds", "2 seconds (silent)", "2 seconds (x)"])
def its_text_says_how_long_it_was(lib: Any) -> object:
    texts = []
    for args in ((), (1,), (2.5,), (2, False), (2, KeyError)):
        timeout = lib.Timeout(*args)
        timeout.cancel()
        texts.append(str(timeout).replace(str(KeyError), "x"))
    return texts


@agreed([[3, 1], "late", "Timeout", "ZeroDivisionError", None])
def with_timeout_returns_the_result_or_the_value_given_for_its_own_timeout(lib: Any) -> object:
    return [
        lib.with_timeout(1, divmod, 7, 2),
        lib.with_timeout(0.001, lib.sleep, 1, timeout_value="late"),
        error_of(lib.with_timeout, 0.001, lib.sleep, 1),
        error_of(lambda: lib.with_timeout(1, divmod, 1, 0, timeout_value="late")),
        lib.with_timeout(None, lib.sleep, 0, timeout_value="late"),
    ]


@agreed(True)
def with_timeout_lets_the_timeout_of_another_through(lib: Any) -> object:
    outer = lib.Timeout(0.001)
    try:
        return lib.with_timeout(1, lib.sleep, 2, timeout_value="wrong")
    except lib.Timeout as error:
        return error is outer
