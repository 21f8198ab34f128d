"""Waiting for several green threads: `wait`, `joinall`, `as_completed`; and ending them.

A green thread keeps its result. So whatever interrupts a wait here costs nothing: ask again.
"""

from _queue import Empty
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from greening._core.critical import uninterruptible
from greening._core.current import current, get_hub
from greening._core.greenthread import GreenThread, throw_into
from greening._core.shield import shield
from greening._core.task import Task
from greening._core.timers import deadline_after
from greening.errors import GreenletExit
from greening.sync.queue import LightQueue

T = TypeVar("T")


class Completed(Iterator[GreenThread[T]]):
    """The iterator of `as_completed`."""

    def __init__(self, threads: Iterable[GreenThread[T]], timeout: float | None = None) -> None:
        self._threads = _checked(threads)
        self._left = len(self._threads)
        self._timeout = timeout
        self._deadline = None if timeout is None else deadline_after(get_hub().now(), timeout)
        self._ended: LightQueue[GreenThread[T]] = LightQueue()
        for thread in self._threads:
            thread.link(self._ended.put)  # at once, if it has ended

    def __iter__(self) -> "Completed[T]":
        return self

    def __next__(self) -> GreenThread[T]:
        if not self._left:
            raise StopIteration
        if (thread := self.take()) is None:
            raise TimeoutError(
                f"{self._left} of {len(self._threads)} green threads have not ended within {self._timeout} seconds"
            )
        return thread

    def take(self) -> GreenThread[T] | None:
        """The next one that ends. None: there is none left, or the time has run out."""
        left = None if self._deadline is None else max(0.0, self._deadline - get_hub().now())
        try:
            thread = self._ended.get(block=self._left > 0, timeout=left)
        except Empty:
            return None
        self._left -= 1
        return thread

    def pending(self) -> list[GreenThread[T]]:
        """Those that have not ended."""
        return [thread for thread in self._threads if not thread.dead]

    def let_go(self) -> None:
        """Leave no link behind in those that run. What is left is not iterated over."""
        if self._left:
            self._left = 0
            for thread in self._threads:
                thread.unlink(self._ended.put)

    def __del__(self) -> None:
        if hasattr(self, "_ended"):
            self.let_go()


def _checked(threads: Iterable[GreenThread[T]]) -> tuple[GreenThread[T], ...]:
    if isinstance(threads, Task):
        raise TypeError(f"several green threads are needed, [thread] for one, not {threads!r}")
    found = tuple(dict.fromkeys(threads))
    for thread in found:
        if not isinstance(thread, GreenThread):
            raise TypeError(f"green threads are needed, as spawn() gives them, not {thread!r}")
    return found


def as_completed(threads: Iterable[GreenThread[T]], timeout: float | None = None) -> Iterator[GreenThread[T]]:
    """Give green threads back in the order in which they end. Those that have ended already come first.

        for thread in greening.as_completed([greening.spawn(fetch, url) for url in urls]):
            print(thread.wait())          # the result, or the exception raised

    Args:
        threads: what `spawn` returned. One that is named twice comes once.
        timeout: seconds from this call, for all of them together; None: no limit.
    Returns:
        An iterator. A consumer that is interrupted, by a kill or a Timeout, may go on with it, and loses no result.
    Raises:
        TypeError: one is no green thread, or `timeout` no number. TimeoutError (from the iterator): the time ran out.
    Thread-safety: complete; the green threads may be those of any OS thread.
    Difference from `concurrent.futures.as_completed`: it works with green threads, and nothing has to be unwound after
        an interruption. gevent's `iwait` ends quietly where this raises TimeoutError.
    """
    return Completed(threads, timeout)


def wait(threads: Iterable[GreenThread[T]], timeout: float | None = None, first: int = 0) -> list[GreenThread[T]]:
    """Park until green threads have ended, or the time has run out. What they raised is not raised here.

        done = greening.wait(threads, timeout=5)
        winner = greening.wait(threads, first=True)[0].wait()

    Args:
        threads: what `spawn` returned. One that is named twice counts once.
        timeout: seconds from now; None: no limit.
        first: how many have to end; True: one; 0 or False: all of them.
    Returns:
        Those that have ended, in the order in which they did.
    Raises:
        TypeError: one is no green thread, or `timeout` no number. ValueError: `first` is negative.
    Thread-safety: complete; the green threads may be those of any OS thread.
    Difference from `gevent.wait`: `first` is called `count` there, and without threads it waits for the hub. From
        `concurrent.futures.wait`: a list, and not the two sets of the done and the not done.
    """
    if first < 0:
        raise ValueError(f"the number of green threads to wait for is not negative, as {first!r} is")
    return _wait(threads, timeout, first, raise_error=False)


def _wait(
    threads: Iterable[GreenThread[T]], timeout: float | None, first: int, *, raise_error: bool
) -> list[GreenThread[T]]:
    completed = Completed(threads, timeout)
    done: list[GreenThread[T]] = []
    try:
        while (thread := completed.take()) is not None:
            done.append(thread)
            if raise_error and not isinstance(thread.failure, GreenletExit | None):
                thread.wait()
            if len(done) == first:
                break
    finally:
        completed.let_go()
    return done


def joinall(
    threads: Iterable[GreenThread[T]],
    timeout: float | None = None,
    raise_error: bool = False,
    count: int | None = None,
) -> list[GreenThread[T]]:
    """`wait`, with gevent's arguments.

    Args:
        threads, timeout: as `wait`.
        raise_error: raise the exception of the first one that fails, as soon as it does; the others go on. One that
            was killed has not failed.
        count: how many have to end; None: all of them.
    Returns, Thread-safety: as `wait`.
    Raises:
        what one of them raised, with `raise_error`. TypeError, ValueError: as `wait`.
    """
    if count is not None and count < 0:
        raise ValueError(f"the number of green threads to wait for is not negative, as {count!r} is")
    return _wait(threads, timeout, count or 0, raise_error=raise_error)


@uninterruptible
def end_all(
    running: Callable[[], set[GreenThread[Any]]],
    error: Callable[[], BaseException],
    already: Iterable[GreenThread[Any]] = (),
) -> None:
    """Raise an error in green threads, and park until they have ended, those that `running` names meanwhile included.

    The caller's own is left out. A kill or a Timeout of the caller is raised at its next wait, when this is over.
    Ctrl-C raises the error in them once more, and is raised when they have ended.

    Args:
        running: what has not ended. error: makes what is raised. already: in these it has been raised.
    """
    told = set(already)
    interrupted: BaseException | None = None
    me = current()
    with shield(late=True):
        while left := {thread for thread in running() if thread is not me and not thread.dead}:
            for thread in left - told:
                told.add(thread)
                throw_into(thread, error())
            try:
                wait(left)
            except (KeyboardInterrupt, SystemExit) as failure:
                interrupted = failure
                told.clear()
    if interrupted is not None:
        raise interrupted
