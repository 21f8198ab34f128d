"""GreenPile: spawn now, collect in order later."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec

from greening._core.mistakes import not_callable
from greening.pool.greenpool import GreenPool
from greening.pool.job import Job

P = ParamSpec("P")


class GreenPile(Iterator[Any]):
    """A pile of green threads whose results come out in the order of spawning. It can be filled again.

    Args:
        size_or_pool: the number of workers at once, or a GreenPool that others may use, too.
    Raises:
        ValueError: a negative number. TypeError: not a number.
    """

    def __init__(self, size_or_pool: int | GreenPool = 1000) -> None:
        self.pool = size_or_pool if isinstance(size_or_pool, GreenPool) else GreenPool(size_or_pool)
        self._jobs: deque[Job[Any]] = deque()

    def spawn(self, /, func: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run `func(*args, **kwargs)` in the pool; iterating reads its result.

        Parks while the pool is full. A worker of the pool then runs the function on the spot, as in `GreenPool.spawn`.
        A pool with a `spawn` of its own is asked to start it by that; places are not lent in such a pool.

        Raises:
            TypeError: `func` is not callable.
        """
        if not callable(func):
            raise not_callable(func)
        if getattr(self.pool.spawn, "__func__", None) is not GreenPool.spawn:
            thread = self.pool.spawn(func, *args, **kwargs)
            job = Job(self.pool, func)
            self._jobs.append(job)
            job.thread_started(thread)
            thread.link(job.thread_ended)
            return
        job = Job(self.pool, func, args, kwargs)
        self._jobs.append(job)
        if self.pool._would_wait_for_itself():
            job.run(in_caller=True)
            return
        try:
            job.start()
        except BaseException:
            if job.abandoned and job in self._jobs:
                self._jobs.remove(job)
            raise

    def __repr__(self) -> str:
        return f"<GreenPile at {id(self):#x} not_taken={len(self._jobs)} pool={self.pool!r}>"

    def __iter__(self) -> "GreenPile":
        return self

    def __next__(self) -> Any:
        """The next result, in order. Parks until it is there. A consumer that is interrupted loses no result.

        Raises:
            what the function raised; iteration can go on after it. StopIteration: no result is left.
        """
        while self._jobs:
            job = self._jobs[0]
            job.wait()
            if not job.abandoned and self._jobs and self._jobs[0] is job:
                self._jobs.popleft()
                return job.outcome()
        raise StopIteration

    def next(self) -> Any:
        """`next(pile)`, by eventlet's name."""
        return self.__next__()
