"""GreenMap: results of a `starmap`, in the order of the input."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from greening._core.current import current
from greening._core.greenthread import spawn
from greening.pool.job import MAKERS, Job
from greening.sync.event import Event

if TYPE_CHECKING:
    from greening.pool.greenpool import GreenPool

T = TypeVar("T")


class GreenMap(Iterator[T]):
    """Results of `GreenPool.starmap`, in the order of the input. An exception surfaces at its position, and iteration
    can go on after it.

    A green thread reads the input, no more than the pool's size ahead of the consumer. A consumer that is interrupted
    loses no result: the next one gets it.
    """

    def __init__(self, pool: "GreenPool", function: Callable[..., T], iterable: Iterable[Any]) -> None:
        self._pool = pool
        self._function = function
        self._input = iter(iterable)
        self._window = max(1, pool.size)
        self._jobs: deque[Job[T]] = deque()
        self._gate = Event()
        self._more = Event()
        self._exhausted = False
        self._producer = spawn(self._produce)
        MAKERS[self._producer] = current()

    def _produce(self) -> None:
        while True:
            try:
                job = Job(self._pool, self._function, next(self._input))
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001  # the consumer gets the error of the input, at this position
                job = Job(self._pool, self._function)
                job.fail(error)
                self._push(job)
                break
            self._push(job)
            job.start()
            while len(self._jobs) >= self._window:
                self._gate.wait()
                if self._gate.ready():
                    self._gate.reset()
        self._exhausted = True
        _wake(self._more)

    def _push(self, job: Job[T]) -> None:
        self._jobs.append(job)
        _wake(self._more)

    def __iter__(self) -> "GreenMap[T]":
        return self

    def __next__(self) -> T:
        while True:
            while not self._jobs:
                if self._exhausted:
                    raise StopIteration
                self._more.wait()
                if self._more.ready():
                    self._more.reset()
            job = self._jobs[0]
            job.wait()
            if self._jobs and self._jobs[0] is job:
                self._jobs.popleft()
                _wake(self._gate)
                return job.outcome()

    def next(self) -> T:
        """`next(results)`, by eventlet's name."""
        return self.__next__()


def _wake(event: Event) -> None:
    if not event.ready():
        event.send()
