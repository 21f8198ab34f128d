"""Queues that give their items in another order than that of arrival."""

import heapq
from typing import TypeVar

from greening.sync.queue import Queue

T = TypeVar("T")


class PriorityQueue(Queue[T]):
    """Gives the smallest item first."""

    def _init(self) -> None:
        self.queue = []

    def _put(self, item: T) -> None:
        heapq.heappush(self.queue, item)

    def _get(self) -> T:
        return heapq.heappop(self.queue)  # type: ignore[no-any-return]  # whatever was put

    def _unget(self, item: T) -> None:
        heapq.heappush(self.queue, item)


class LifoQueue(Queue[T]):
    """Gives the last item first."""

    def _init(self) -> None:
        self.queue = []

    def _get(self) -> T:
        return self.queue.pop()  # type: ignore[no-any-return]  # whatever was put

    def _unget(self, item: T) -> None:
        self.queue.append(item)
