"""GreenMap: results of a `starmap`, in the order of the input."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from greening._core.current import current
from greening._core.delivery import kill_error
from greening._core.greenthread import GreenThread, spawn
from greening.pool.collect import end_all
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
        self._told = False  # a job has what ended the reading for its outcome
        self._gate = Event()
        self._more = Event()
        self._exhausted = False
        self._producer = spawn(self._produce)
        self._producer.quiet = True  # the consumer gets the error of the input, at its position
        MAKERS[self._producer] = current()
        pool.add_reader(self._producer)
        self._producer.link(self._produced)

    def _produce(self) -> None:
        new_job, ahead, window = self._new_job, self._ahead, self._window
        for args in self._input:
            job = new_job(args)
            wake(self._more)
            try:
                job.start()
            except BaseException:
                self._told = True
                raise
            del job  # its result is not to live as long as this frame
            while ahead() >= window:
                self._gate.wait()
                if self._gate.ready():
                    self._gate.reset()

    def _produced(self, producer: GreenThread[None]) -> None:
        """The input has ended, or failed, or its reader was killed."""
        if producer.failure is not None and not self._told:
            self._new_job().fail(producer.failure)
        self._exhausted = True
        wake(self._more)

    def _new_job(self, args: Iterable[Any] = ()) -> Job[T]:
        job = Job(self._pool, self._function, args)
        self._jobs.append(job)
        return job

    def _ahead(self) -> int:
        """The number of calls that have begun, and whose results nobody has taken."""
        return len(self._jobs)

    def _unfinished(self) -> Iterable[Job[T]]:
        return tuple(self._jobs)

    def _wait_for_more(self, exhausted: bool) -> None:
        if exhausted:
            raise StopIteration
        self._more.wait()
        if self._more.ready():
            self._more.reset()

    def __iter__(self) -> "GreenMap[T]":
        return self

    def __next__(self) -> T:
        while True:
            exhausted = self._exhausted  # before the look: in another OS thread the last job may come between
            if not self._jobs:
                self._wait_for_more(exhausted)
                continue
            job = self._jobs[0]
            job.wait()
            if self._jobs and self._jobs[0] is job:
                self._jobs.popleft()
                wake(self._gate)
                return job.outcome()

    def next(self) -> T:
        """`next(results)`, by eventlet's name."""
        return self.__next__()

    def kill(self) -> None:
        """Read no further input, kill the calls that are at work, and park until they have ended."""
        end_all(self._at_work, partial(kill_error, ()))

    def _at_work(self) -> set[GreenThread[Any]]:
        threads = {thread for job in self._unfinished() if (thread := job.thread) is not None}
        return threads if self._producer.dead else {self._producer, *threads}

    def __repr__(self) -> str:
        state = "all read" if self._exhausted else "reading"
        return f"<{type(self).__name__} at {id(self):#x} input={state} not_taken={self._ahead()} pool={self._pool!r}>"


def wake(event: Event) -> None:
    """Send it, unless that was done."""
    if not event.ready():
        event.send()
