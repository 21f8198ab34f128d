"""The kinds of queues, for the tests of all of them."""

from collections.abc import Callable

import pytest

from greening.sync.queue import LifoQueue, LightQueue, PriorityQueue, Queue

Kind = Callable[..., LightQueue[int]]
ALL = pytest.mark.parametrize("kind", [LightQueue, Queue, PriorityQueue, LifoQueue])
FIFO = pytest.mark.parametrize("kind", [LightQueue, Queue])


def drain(queue: LightQueue[int]) -> list[int]:
    return [queue.get_nowait() for _ in range(queue.qsize())]


def error_of(call: Callable[..., object], *args: object) -> Exception | None:
    try:
        call(*args)
    except Exception as error:  # the result
        return error
    return None
