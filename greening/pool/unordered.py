"""UnorderedMap: results of `imap_unordered`, each as soon as it is there."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from greening.pool.greenmap import GreenMap, wake
from greening.pool.job import Job, wait_for_any

if TYPE_CHECKING:
    from greening.pool.greenpool import GreenPool

T = TypeVar("T")


class _Finishing(Job[T]):
    """A job that hands itself over when it ends. All of one map have the same waiters."""

    __slots__ = ("_map",)

    shared = True

    def __init__(self, owner: "UnorderedMap[T]", pool: "GreenPool", function: Callable[..., T], args: Any) -> None:
        super().__init__(pool, function, args)
        self._map = owner
        self._waiters = owner.waiters

    def _needed(self) -> tuple[Job[Any], ...] | None:
        return None if self._map.has_result() else self._map.running()

    def _end(self) -> None:
        self.done = True
        self._map.finished(self)


class UnorderedMap(GreenMap[T]):
    """Results of `GreenPool.imap_unordered`, in the order in which they come: a slow call holds up no other's result.
    An exception surfaces when its turn comes, and iteration can go on after it.

    A green thread reads the input, no more than the pool's size ahead of the consumer. A consumer that is interrupted
    loses no result: the next one gets it.
    """

    def __init__(self, pool: "GreenPool", function: Callable[..., T], iterable: Iterable[Any]) -> None:
        self.waiters: list[Any] = []  # of all jobs: see `Job`
        self._running: dict[Job[T], None] = {}
        self._finished: deque[Job[T]] = deque()
        super().__init__(pool, function, iterable)

    def _new_job(self, args: Iterable[Any] = ()) -> Job[T]:
        job = _Finishing(self, self._pool, self._function, args)
        self._running[job] = None
        return job

    def has_result(self) -> bool:
        """True when a consumer need not wait."""
        return bool(self._finished)

    def running(self) -> tuple[Job[T], ...]:
        """The jobs that have not ended."""
        return tuple(self._running)

    def _ahead(self) -> int:
        return len(self._running) + len(self._finished)

    _unfinished = running

    def finished(self, job: Job[T]) -> None:
        """Called by a job at its end."""
        # First the result, then the waiters; `__next__` does it the other way round. They may be two OS threads.
        self._finished.append(job)
        del self._running[job]
        for _, event in tuple(self.waiters):
            wake(event)

    def __next__(self) -> T:
        while True:
            # In this order: in another OS thread the last job may begin, and end, between two of these lines.
            exhausted = self._exhausted
            running = next(reversed(self._running), None)
            if self._finished:
                job = self._finished.popleft()
                wake(self._gate)
                return job.outcome()
            if running is not None:
                wait_for_any(running, lambda: bool(self._finished))
            else:
                self._wait_for_more(exhausted)
