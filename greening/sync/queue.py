"""Queues: eventlet's family, usable across hubs and OS threads.

One discipline for all of them: an item goes straight to the first waiting getter, a free place straight to the first
waiting putter's item. So an item is always in exactly one hand, and a waiter that is interrupted has a list to look
into.
"""

import sys
from _queue import Empty
from collections import deque
from importlib import import_module
from typing import Any, Generic, TypeVar

from greening._core.current import waiting_task
from greening._core.lot import choose, enter, guard, wait_chosen
from greening._core.task import DEAD, PARKED, RUNNING, TIMED_OUT, Task
from greening._core.timers import deadline_after

T = TypeVar("T")


class _NoShutDown(Exception):  # stands for the stdlib's name before Python 3.13
    """put or get on a queue that was shut down."""


def _full() -> Exception:
    # `queue` imports `threading`, which must not be loaded before it is patched: its class is fetched when it is
    # needed.
    return import_module("queue").Full()  # type: ignore[no-any-return]  # an attribute of a module


def _shut_down() -> Exception:
    if sys.version_info >= (3, 13):
        return import_module("queue").ShutDown()  # type: ignore[no-any-return]  # an attribute of a module
    return _NoShutDown()


_SHUT = object()


class _Waiter:
    """A putter or a getter that waits. `item` is what it brings, or what it was given."""

    __slots__ = ("done", "item", "task")

    def __init__(self, task: Task, item: Any = None) -> None:
        self.task = task
        self.item = item
        # False: waits; True: was given its item, or rid of it; _SHUT: the queue was shut down; or why it was not taken.
        self.done: Any = False


class LightQueue(Generic[T]):
    """FIFO queue without `task_done` and `join`.

    Args:
        maxsize: places; None or negative: unbounded; 0: a channel - `put` returns when a getter has taken the item.
    Difference from `queue.Queue`: 0 is a channel (there: unbounded), waiters are served in order of arrival.
    """

    def __init__(self, maxsize: int | None = None) -> None:
        self.maxsize: int | None = _places(maxsize)
        self._getters: deque[_Waiter] = deque()
        self._putters: deque[_Waiter] = deque()
        self.is_shutdown = False
        self._init()

    # How items are kept: what the sub-classes change

    def _init(self) -> None:
        self.queue: Any = deque()

    def _put(self, item: T) -> None:
        self.queue.append(item)

    def _get(self) -> T:
        return self.queue.popleft()  # type: ignore[no-any-return]  # whatever was put

    # What users ask

    def qsize(self) -> int:
        """Number of items in the queue."""
        return len(self.queue)

    def empty(self) -> bool:
        """True when there is no item. Always for a channel."""
        return not self.queue

    def full(self) -> bool:
        """True when there is no free place. Always for a channel."""
        return self.maxsize is not None and len(self.queue) >= self.maxsize

    def putting(self) -> int:
        """Number of green threads that wait in `put`."""
        return len(self._putters)

    def getting(self) -> int:
        """Number of green threads that wait in `get`."""
        return len(self._getters)

    def __len__(self) -> int:
        return len(self.queue)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} at {id(self):#x} maxsize={self.maxsize} items={self.qsize()} "
            f"getting={self.getting()} putting={self.putting()}>"
        )

    def resize(self, size: int | None) -> None:
        """Change `maxsize`. More places wake putters that wait."""
        with guard:
            self.maxsize = _places(size)
            self._refill()

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Put `item`; park while there is no place.

        Args:
            block: False: raise `Full` at once. timeout: seconds from now; None: no limit.
        Raises:
            Full (the stdlib's): no place, or none in time. ShutDown: the queue was shut down.
            ValueError: a negative timeout.
        """
        if timeout is not None:
            _check(timeout)
        with guard:
            if self.is_shutdown:
                error = _shut_down
            elif self._getters and (getter := _first(self._getters)) is not None:
                # `_deliver`, without its frame. No item can be here that the getter would rather have: it would not
                # wait.
                getter.item = item
                getter.done = True
                getter.task.wake()
                self._accepted()
                return
            elif self._offer(item):
                self._accepted()
                return
            elif not block or timeout == 0:
                error = _full
            else:
                waiter = _enter(self._putters, item)
                self._accepted()
                error = None
        if error is not None:
            raise error()
        try:
            in_time = self._park(waiter, self._putters, timeout)
        except BaseException:
            if waiter.done is not True:
                self._refused()
            raise
        if not in_time:
            self._refused()
            raise _full()

    def _offer(self, item: T) -> bool:
        """Under guard: to a getter, or into a free place."""
        if self._getters and self._deliver(item):
            return True
        if self.maxsize is None or len(self.queue) < self.maxsize:
            self._put(item)
            return True
        return False

    def _deliver(self, item: T) -> bool:
        """Under guard: give `item` to the first getter that waits."""
        waiter = _first(self._getters)
        if waiter is None:
            return False
        waiter.item = item
        waiter.done = True
        waiter.task.wake()
        return True

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Take an item; park while there is none.

        Args:
            block: False: raise `Empty` at once. timeout: seconds from now; None: no limit.
        Raises:
            Empty (the stdlib's): no item, or none in time. ShutDown: the queue is empty and was shut down.
            ValueError: a negative timeout.
        """
        if timeout is not None:
            _check(timeout)
        with guard:
            if self.queue:
                item = self._get()
                if self._putters:
                    self._refill()
                return item
            if self._putters and (putter := _first(self._putters)) is not None:  # a channel
                return self._take_over(putter)
            waiter = None if self.is_shutdown or not block or timeout == 0 else _enter(self._getters)
        if waiter is None:
            raise _shut_down() if self.is_shutdown else Empty
        try:
            # `_park`, without its frame where there is no time limit and nothing goes wrong.
            if timeout is not None:
                in_time = self._park(waiter, self._getters, timeout)
            else:
                waiter.task.park()
                in_time = waiter.done is True or self._parked(waiter)
        except BaseException:
            # First leave: until then another OS thread may serve us.
            self._leave(waiter, self._getters)
            if waiter.done is True:
                self._put_back(waiter.item)
            raise
        if not in_time:
            raise Empty
        return waiter.item  # type: ignore[no-any-return]  # whatever was put

    def _take_over(self, putter: _Waiter) -> T:
        putter.done = True
        putter.task.wake()
        return putter.item  # type: ignore[no-any-return]  # whatever was put

    def _refill(self) -> None:
        """Under guard: places became free; the first putters' items go in."""
        while self.maxsize is None or len(self.queue) < self.maxsize:
            putter = _first(self._putters)
            if putter is None:
                break
            try:
                self._put(putter.item)
            except Exception as error:  # noqa: BLE001  # a priority queue cannot compare it: its putter's error, not ours
                putter.done = error
                putter.task.wake()
            else:
                self._take_over(putter)

    def _put_back(self, item: T) -> None:
        """A getter was interrupted after it had been given `item`: for the next getter, or back to the queue's head."""
        with guard:
            if not self._deliver(item):
                self._unget(item)

    def _unget(self, item: T) -> None:
        self.queue.appendleft(item)

    def _park(self, waiter: _Waiter, side: "deque[_Waiter]", timeout: float | None) -> bool:
        task = waiter.task
        try:
            value = task.park(None if timeout is None else deadline_after(task.hub.now(), timeout))
        except BaseException:
            self._leave(waiter, side)
            raise
        if value is TIMED_OUT and self._leave(waiter, side):
            return False
        return self._parked(waiter)

    def _parked(self, waiter: _Waiter) -> bool:
        if waiter.done is not True:
            raise _shut_down() if waiter.done is _SHUT else waiter.done
        return True

    def _leave(self, waiter: _Waiter, side: "deque[_Waiter]") -> bool:
        """False: it had been served, or had left."""
        with guard:
            if waiter.done or waiter not in side:
                return False
            side.remove(waiter)
            return True

    def put_nowait(self, item: T) -> None:
        """`put(item, block=False)`."""
        self.put(item, False)

    def get_nowait(self) -> T:
        """`get(block=False)`."""
        return self.get(False)

    def shutdown(self, immediate: bool = False) -> None:
        """Refuse further items; wake those who wait in vain with ShutDown (3.13's method, on every version).

        Args:
            immediate: drop the items that are there, too.
        """
        dropped = []  # freed when the guard is not held: items may have finalisers
        with guard:
            self.is_shutdown = True
            while immediate and self.queue:
                dropped.append(self._get())
                self._refused()
            losers = [*self._putters, *(() if self.queue else self._getters)]
            self._putters.clear()
            if not self.queue:
                self._getters.clear()
            for waiter in losers:
                waiter.done = _SHUT
                waiter.task.wake()

    def __iter__(self) -> "LightQueue[T]":
        return self

    def __next__(self) -> T:
        item = self.get()
        if item is StopIteration:
            raise StopIteration
        return item

    # What Queue counts

    def _accepted(self) -> None: ...
    def _refused(self) -> None: ...


def _places(maxsize: int | None) -> int | None:
    if maxsize is not None and not isinstance(maxsize, int):
        raise TypeError(f"maxsize must be an integer or None, not {maxsize!r}")
    return None if maxsize is None or maxsize < 0 else maxsize


def _check(timeout: float | None) -> None:
    if timeout is not None and deadline_after(0.0, timeout) < 0:
        raise ValueError(f"'timeout' must be a non-negative number, not {timeout!r}")


def _enter(side: deque[_Waiter], item: Any = None) -> _Waiter:
    """Under guard: the running task, which parks next, joins the putters or the getters."""
    task = waiting_task()
    if task.state != RUNNING:
        task.refuse()
    waiter = _Waiter(task, item)
    task.state = PARKED
    side.append(waiter)
    return waiter


def _first(side: deque[_Waiter]) -> _Waiter | None:
    """Under guard: choose the first who waits. The dead (see `lot.choose`) are passed over."""
    while side:
        waiter = side.popleft()
        if waiter.task.state != DEAD:
            return waiter
    return None


class Queue(LightQueue[T]):
    """FIFO queue whose producers can wait until every item has been dealt with (`task_done`, `join`)."""

    def __init__(self, maxsize: int | None = None) -> None:
        super().__init__(maxsize)
        self.unfinished_tasks = 0
        self._joiners: list[Task] = []

    def _accepted(self) -> None:
        self.unfinished_tasks += 1

    def _refused(self) -> None:
        if self.unfinished_tasks > 0:
            self.task_done()

    def task_done(self) -> None:
        """One item that was got has been dealt with.

        Raises:
            ValueError: more often than items were put.
        """
        with guard:
            if self.unfinished_tasks <= 0:
                raise ValueError("task_done() called too many times")
            self.unfinished_tasks -= 1
            if self.unfinished_tasks == 0:
                while choose(self._joiners):
                    pass

    def join(self, timeout: float | None = None) -> bool:
        """Park until every item has been dealt with.

        Args:
            timeout: seconds from now; None: no limit.
        Returns:
            False when the time ran out.
        """
        task = waiting_task()
        with guard:
            if self.unfinished_tasks == 0:
                return True
            joiners = self._joiners
            enter(joiners, task)
        return wait_chosen(joiners, task, timeout)
