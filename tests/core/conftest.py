"""What the tests of the engine have in common: a function in an OS thread of its own."""

import threading
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def in_os_thread() -> Callable[..., Any]:
    """Call it with a function and arguments: they run in an OS thread, whose end is waited for, thread-locals included.

    Returns what the function returned, and raises what it raised. The calling OS thread blocks meanwhile.
    """

    def run(function: Callable[..., Any], *args: Any) -> Any:
        outcome: list[Any] = []

        def body() -> None:
            try:
                outcome.append(function(*args))
            except BaseException as error:  # whatever it is: the test gets it
                outcome.append(error)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
        (result,) = outcome
        if isinstance(result, BaseException):
            raise result
        return result

    return run
