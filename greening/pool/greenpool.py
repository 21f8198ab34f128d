"""GreenPool: at most so many green threads at once."""

from collections.abc import Callable, Iterable
from functools import partial
from os import getpid
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, overload

from greening._core.critical import guard, uninterruptible
from greening._core.current import current
from greening._core.delivery import kill_error
from greening._core.fairness import fairness_tick
from greening._core.greenthread import GreenThread, spawn, throw_into
from greening._core.mistakes import check_items, check_mapped, not_callable
from greening._core.parking_lot import ParkingLot
from greening._core.task import TIMED_OUT
from greening._core.timers import deadline_after
from greening._core.unhandled import report_unhandled
from greening.errors import GreenletExit
from greening.pool.collect import end_all, wait
from greening.pool.greenmap import GreenMap
from greening.pool.job import Job, lend_again, works_for
from greening.pool.unordered import UnorderedMap

A = TypeVar("A")
B = TypeVar("B")
P = ParamSpec("P")
T = TypeVar("T")

# Arguments of a map with three iterables or more, whose items a type checker is not told to compare.
_Three = tuple[Iterable[Any], Iterable[Any], Iterable[Any], *tuple[Iterable[Any], ...]]


@uninterruptible
class GreenPool:
    """Runs functions in green threads, no more than `size` at a time. eventlet's interface, and more.

        with greening.GreenPool(50) as pool:
            for page in pool.imap_unordered(fetch, urls):
                ...

    As a context manager it waits at the end of the block until all of them have ended. If an exception leaves the block
    or interrupts that wait (a kill, a Timeout, Ctrl-C), they are killed, and the block ends when they have ended. What
    one of them raises is reported, as always, and ends nothing: see `nursery`.

    Args:
        size: the number of workers at once. 0: `spawn` waits until `resize`.
    Raises:
        ValueError: `size` is negative. TypeError: it is not a number.
    """

    # False: what fails in `spawn_n` is not reported. `eventlet.greenpool.DEBUG` sets it, for all pools.
    reports = True

    # True: text is read as a number, as `int` does. Set while greening stands in for eventlet.
    takes_text = False

    def __init__(self, size: int = 1000) -> None:
        self.size = _size(size)
        self.coroutines_running: set[GreenThread[Any]] = set()
        self._claimed = 0
        self._lent = 0
        self._readers: set[GreenThread[Any]] = set()
        self._spawners = ParkingLot()
        self._idle = ParkingLot()
        self._pid = getpid()

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

    def spawn(self, /, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> GreenThread[T]:
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

    def spawn_n(self, /, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Like `spawn`, for when the result does not matter. An exception is reported, on the spot as elsewhere."""
        if not callable(function):
            raise not_callable(function)
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

    def _start_afresh(self) -> None:
        """In the child of a fork: all workers but the one that forked stayed behind in the parent."""
        self._pid = getpid()
        self.coroutines_running = {thread for thread in self.coroutines_running if not thread.dead}
        self._claimed, self._lent = len(self.coroutines_running), 0
        self._spawners, self._idle = ParkingLot(), ParkingLot()

    def _would_wait_for_itself(self) -> bool:
        return self._claimed >= self.size and self._is_worker()

    def _claim(self) -> None:
        with guard:
            if self._claimed >= self.size and self._pid != getpid():
                self._start_afresh()
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

    def has_room(self) -> bool:
        """True if a call may begin now, or is about to: a place is free, or was just given. Or if nobody works."""
        return self._claimed < self.size or self._claimed > self.running() or not self.coroutines_running

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
        if self._spawners:  # no place has become free for them
            lend_again(self)
        if not self.coroutines_running and self._idle:
            self._idle.unpark_all()

    def _release(self) -> None:
        with guard:
            if self._claimed > self.size or self._spawners.unpark() is None:
                self._claimed -= 1

    def _pass_on(self, value: object) -> None:
        """A spawner was given a place, and is interrupted."""
        self._release()

    @overload
    def waitall(self, timeout: None = None) -> None: ...
    @overload
    def waitall(self, timeout: float) -> bool: ...
    def waitall(self, timeout: float | None = None) -> bool | None:
        """Park until no green thread of the pool is left, those that are spawned meanwhile included.

        Args:
            timeout: seconds from now; None: no limit.
        Returns:
            With a timeout, whether none is left. Without, None.
        Raises:
            AssertionError: one of them calls it: it would wait for itself. TypeError, ValueError: `timeout` is no
            number of seconds.
        Difference from eventlet's: the timeout.
        """
        if self._is_worker():
            raise AssertionError(
                "calling waitall() from within one of the GreenPool's green threads will deadlock: call it from outside"
            )
        fairness_tick()
        if self._pid != getpid():
            self._start_afresh()
        deadline = None if timeout is None else deadline_after(current().hub.now(), timeout)
        while self.coroutines_running:
            with guard:
                if not self.coroutines_running:
                    break
                waiter = self._idle.enter()
            left = None if deadline is None else deadline - current().hub.now()
            if self._idle.wait(waiter, left) is TIMED_OUT:
                return False
        return None if timeout is None else True

    def kill(self, *throw_args: Any, timeout: float | None = None) -> bool:
        """Raise GreenletExit, or the given exception, in all green threads of the pool; park until they have ended.

        Those that are spawned meanwhile are killed, too. Maps of the pool read no further input; their consumers get
        the exception after the results that are there. The pool can be used again. A worker that calls it is the last.

        Args:
            throw_args: an exception, an exception class, or (class, value[, traceback]).
            timeout: seconds from now to wait for their end; None: no limit; 0: no wait.
        Returns:
            False: the time ran out, and some that have caught the exception are still at work.
        Raises:
            TypeError: the arguments are no exception, or `timeout` no number. The exception itself, in a worker.
        Thread-safety: call it in the OS thread that uses the pool.
        Difference from gevent's `Pool.kill`: the arguments are those of `GreenThread.kill`.
        """
        kill_error(throw_args)
        me = current()
        deadline = None if timeout is None else deadline_after(me.hub.now(), timeout)
        told: set[GreenThread[Any]] = set()
        while others := {thread for thread in self._at_work() if thread is not me and not thread.dead}:
            for thread in others - told:
                told.add(thread)
                throw_into(thread, kill_error(throw_args))
            left = None if deadline is None else max(0.0, deadline - me.hub.now())
            if len(wait(others, left)) < len(others):
                return False
        if me in self.coroutines_running:
            raise kill_error(throw_args)
        return True

    def _at_work(self) -> set[GreenThread[Any]]:
        return self.coroutines_running | self._readers

    def __enter__(self) -> "GreenPool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._end_all(f"the block of its pool was left by {type(error).__name__}")
            return
        try:
            self.waitall()
        except BaseException as interruption:
            self._end_all(f"the block of its pool was interrupted by {type(interruption).__name__}")
            raise

    def _end_all(self, why: str) -> None:
        end_all(self._at_work, partial(GreenletExit, why))

    def starmap(self, function: Callable[..., T] | None, iterable: Iterable[Any]) -> "GreenMap[T]":
        """`itertools.starmap`, concurrently: results in the order of the input.

        It begins when the caller next yields. A worker that waits for a result while the pool is full lends its place.

        Args:
            function: called with the items of each tuple; None: the tuple is the result.
            iterable: tuples of arguments, read no more than `size` ahead of the consumer.
        Returns:
            An iterator. An exception surfaces at its position, and iteration can go on after it.
        Raises:
            TypeError: `iterable` cannot be iterated over, or `function` not be called.
        """
        check_mapped(function)
        return GreenMap(self, _tuple if function is None else function, iterable)

    @overload
    def imap(self, function: Callable[[A], T], iterable: Iterable[A], /) -> "GreenMap[T]": ...
    @overload
    def imap(self, function: Callable[[A, B], T], first: Iterable[A], second: Iterable[B], /) -> "GreenMap[T]": ...
    @overload
    def imap(self, function: Callable[..., T], /, *more: *_Three) -> "GreenMap[T]": ...
    @overload
    def imap(self, function: None, /, *iterables: Iterable[Any]) -> "GreenMap[tuple[Any, ...]]": ...
    def imap(self, function: Callable[..., T] | None, *iterables: Iterable[Any]) -> "GreenMap[T]":
        """`map`, concurrently: `starmap` with an argument from each iterable. It ends with the shortest of them."""
        check_mapped(function)
        return self.starmap(function, zip(*iterables, strict=False))

    @overload
    def imap_unordered(self, function: Callable[[A], T], iterable: Iterable[A], /) -> "GreenMap[T]": ...
    @overload
    def imap_unordered(
        self, function: Callable[[A, B], T], first: Iterable[A], second: Iterable[B], /
    ) -> "GreenMap[T]": ...
    @overload
    def imap_unordered(self, function: Callable[..., T], /, *more: *_Three) -> "GreenMap[T]": ...
    @overload
    def imap_unordered(self, function: None, /, *iterables: Iterable[Any]) -> "GreenMap[tuple[Any, ...]]": ...
    def imap_unordered(self, function: Callable[..., T] | None, *iterables: Iterable[Any]) -> "GreenMap[T]":
        """`imap`, but each result comes as soon as it is there: one slow call holds up no other's.

        Args:
            function: called with an argument from each iterable; None: a tuple of them is the result.
            iterables: read no more than `size` ahead of the consumer; it ends with the shortest of them.
        Returns:
            An iterator. An exception surfaces when its turn comes, and iteration can go on after it.
        Raises:
            TypeError: one of the iterables cannot be iterated over, or `function` not be called.
        Difference from gevent's: it has no `maxsize`; the pool's size is the limit.
        """
        check_mapped(function)
        check_items("imap_unordered", iterables)
        return UnorderedMap(self, _tuple if function is None else function, zip(*iterables, strict=False))

    @overload
    def map(self, function: Callable[[A], T], iterable: Iterable[A], /) -> list[T]: ...
    @overload
    def map(self, function: Callable[[A, B], T], first: Iterable[A], second: Iterable[B], /) -> list[T]: ...
    @overload
    def map(self, function: Callable[..., T], /, *more: *_Three) -> list[T]: ...
    def map(self, function: Callable[..., T], *iterables: Iterable[Any]) -> list[T]:
        """Call `function` with an argument from each iterable, concurrently, and park until all calls have ended.

        Returns:
            The results, in the order of the input.
        Raises:
            what a call raised, the first one in the order of the input. It, or an interruption, kills the calls that
            are at work; none of them is left behind. TypeError: as `imap_unordered`.
        Difference from `Executor.map`: a list, when all is done. gevent's lets the other calls go on after an error.
        """
        if function is None:
            raise not_callable(function, "map(")
        check_mapped(function)
        check_items("map", iterables)
        results = self.imap(function, *iterables)
        try:
            return list(results)
        except BaseException:
            results.kill()
            raise

    def add_reader(self, reader: GreenThread[Any]) -> None:
        """A map has made this green thread, which reads its input and spawns from it. `kill` ends it, too."""
        self._readers.add(reader)
        reader.link(self._readers.discard)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} at {id(self):#x} size={self.size} running={self.running()} "
            f"waiting={self.waiting()}>"
        )


def _size(size: int) -> int:
    try:
        if isinstance(size, (str, bytes, bytearray)) and not GreenPool.takes_text:
            raise TypeError
        number = int(size)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"pool size must be a number, not {size!r}") from None
    if number < 0:
        raise ValueError(f"pool size must not be negative, got {size}")
    return number


def _tuple(*args: Any) -> Any:
    return args
