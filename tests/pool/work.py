"""What the tests of this room give pools to do."""

from collections.abc import Callable
from typing import Any

from greening._core.waiting import sleep


class Work:
    """Counts how many of its calls are at work at the same time."""

    def __init__(self, seconds: float = 1) -> None:
        self.seconds = seconds
        self.now = self.most = 0
        self.calls: list[Any] = []

    def __call__(self, item: Any = None) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        self.calls.append(item)
        try:
            sleep(self.seconds)
        finally:
            self.now -= 1
        return item


def error_of(call: Callable[[], object]) -> BaseException | None:
    try:
        call()
    except BaseException as error:  # the result
        return error
    return None
