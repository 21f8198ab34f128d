"""GreenPool: at most so many green threads at once."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from greening._core.critical import guard, uninterruptible
from greening._core.current import current
from greening._core.fairness import fairness_tick
from greening._core.greenthread import GreenThread, spawn
from greening._core.parking_lot import ParkingLot
from greening._core.unhandled import report_unhandled
from greening.pool.greenmap import GreenMap
from greening.pool.job import Job, works_for

T = TypeVar("T")


@uninterruptible
class GreenPool:
    """Runs functions in green threads, no more than `size` at a time. eventlet's interface.

    Args:
        size: the number of workers at once. 0: `spawn` waits until `resize`.
    Raises:
        ValueError: `size` is negative. TypeError: it is not a number.
    """

    # False: what fails in `spawn_n` is not reported. `eventlet.greenpool.DEBUG` sets it, for all pools.
    reports = True

    def __init__(self, size: int = 1000) -> None:
        self.size = _size(size)
        self.coroutines_running: set[GreenThread[Any]] = set()
        self._claimed = 0
        self._lent = 0
        self._spawners = ParkingLot()
        self._idle = ParkingLot()

    def running(self) -> int:
        """Number of green threads that are at work or about to be. A worker that has lent its place to a job counts as
        one with it.
        """
        return len(self.coroutines_running) - self._lent

    def free(self) -> int:
        """Number of places left. Negative while more run than `resize` allows."""
        return self.size - self._claimed

    def waiting(self) -> int:
        """Number of green threads that wait in `spawn` for a place."""
        return len(self._spawners)

    def resize(self, new_size: int) -> None:
        """Change the size. Growing wakes spawners that wait; shrinking lets the surplus finish.

        Args:
            new_size: the number of workers at once.
        Raises:
            ValueError: it is negative. TypeError: it is not a number.
        """
        with guard:
            self.size = _size(new_size)
            while self._claimed < self.size and self._spawners.unpark() is not None:
                self._claimed += 1

    def spawn(self, /, function: Callable[..., T], *args: Any, **kwargs: Any) -> GreenThread[T]:
        """Run `function(*args, **kwargs)` in a green thread; park while the pool is full.

        A worker of the pool that calls it when the pool is full runs the function on the spot: it might wait for ever.
        What the function raises is then raised here.

        Returns:
            The green thread. It has ended already if the function ran on the spot.
        Raises:
            TypeError: `function` is not callable.
        """
        if self._would_wait_for_itself():
            return GreenThread.ended(current().hub, function(*args, **kwargs))
        self._claim()
        return self._start(function, args, kwargs)

    def spawn_n(self, /, function: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Like `spawn`, for when the result does not matter. An exception is reported, on the spot as elsewhere."""
        if not callable(function):
            raise TypeError(f"a callable is needed, not {function!r}")
        if self._would_wait_for_itself():
            try:
                function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001  # as if it had a green thread of its own
                if self.reports:
                    report_unhandled(error, current())
            return
        thread = self.spawn(function, *args, **kwargs)
        if not self.reports:
            thread.quiet = True

    def _is_worker(self) -> bool:
        """True when the running green thread has a place, or a worker that has one waits for it."""
        return works_for(current(), self)

    def _would_wait_for_itself(self) -> bool:
        return self._claimed >= self.size and self._is_worker()

    def _claim(self) -> None:
        with guard:
            if self._claimed < self.size:
                self._claimed += 1
                return
            task = self._spawners.enter()
        self._spawners.wait(task, None, self._pass_on)

    def _start(
        self, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any], job: Job[Any] | None = None
    ) -> GreenThread[T]:
        if "func" in kwargs:  # the function's own, and not that of `spawn`
            function, args, kwargs = partial(function, *args, **kwargs), (), {}
        try:
            thread = spawn(function, *args, **kwargs)
        except BaseException:
            self._release()
            raise
        self.coroutines_running.add(thread)
        if job is None:
            thread.link(self._ended)
        else:
            job.thread_started(thread)
            thread.link(self._ended, job)
        return thread

    def _lend(self, job: Job[Any]) -> None:
        """Run `job` in the place of a worker, which waits for it."""
        thread = spawn(job.run)
        self.coroutines_running.add(thread)
        self._lent += 1
        job.thread_started(thread)
        thread.link(self._lent_ended, job)

    def _ended(self, thread: GreenThread[Any], job: Job[Any] | None = None) -> None:
        self.coroutines_running.discard(thread)
        self._release()
        if job is not None:
            job.thread_ended(thread)
        if not self.coroutines_running and self._idle:
            self._idle.unpark_all()

    def _lent_ended(self, thread: GreenThread[Any], job: Job[Any]) -> None:
        self.coroutines_running.discard(thread)
        self._lent -= 1
        job.thread_ended(thread)
        if not self.coroutines_running:
            self._idle.unpark_all()

    def _release(self) -> None:
        with guard:
            if self._claimed > self.size or self._spawners.unpark() is None:
                self._claimed -= 1

    def _pass_on(self, value: object) -> None:
        """A spawner was given a place, and is interrupted."""
        self._release()

    def waitall(self) -> None:
        """Park until no green thread of the pool is left, those that are spawned meanwhile included.

        Raises:
            AssertionError: one of them calls it: it would wait for itself.
        """
        if self._is_worker():
            raise AssertionError(
                "calling waitall() from within one of the GreenPool's green threads will deadlock: call it from outside"
            )
        fairness_tick()
        while self.coroutines_running:
            with guard:
                if not self.coroutines_running:
                    return
                waiter = self._idle.enter()
            self._idle.wait(waiter)

    def starmap(self, function: Callable[..., T] | None, iterable: Iterable[Any]) -> "GreenMap[T]":
        """`itertools.starmap`, concurrently: results in the order of the input.

        It begins when the caller next yields. A worker that waits for a result while the pool is full lends its place.

        Args:
            function: called with the items of each tuple; None: the tuple is the result.
            iterable: tuples of arguments, read no more than `size` ahead of the consumer.
        Returns:
            An iterator. An exception surfaces at its position, and iteration can go on after it.
        Raises:
            TypeError: `iterable` cannot be iterated over.
        """
        return GreenMap(self, _tuple if function is None else function, iterable)

    def imap(self, function: Callable[..., T] | None, *iterables: Iterable[Any]) -> "GreenMap[T]":
        """`map`, concurrently: `starmap` with an argument from each iterable. It ends with the shortest of them."""
        return self.starmap(function, zip(*iterables, strict=False))


def _size(size: int) -> int:
    try:
        number = int(size)
    except (TypeError, ValueError):
        raise TypeError(f"pool size must be a number, not {size!r}") from None
    if number < 0:
        raise ValueError(f"pool size must not be negative, got {size}")
    return number


def _tuple(*args: Any) -> Any:
    return args
