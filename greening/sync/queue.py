"""Queues: eventlet's family, usable across hubs and OS threads.

One rule: an item goes to the first waiting getter together with its wake-up, and a free place goes to the item of the
first waiting putter. So an item is always in exactly one place.
"""

import heapq
import sys
from _queue import Empty
from collections import deque
from importlib import import_module
from typing import Any, Generic, TypeVar

from greening._core.critical import guard, uninterruptible
from greening._core.current import current
from greening._core.fairness import fairness_tick
from greening._core.parking_lot import ParkingLot, make_ready
from greening._core.running import known_task
from greening._core.suspend import run_next
from greening._core.task import RUNNING, TIMED_OUT, Task
from greening._core.timers import deadline_after
from greening.errors import Deadlock

T = TypeVar("T")


def _full() -> Exception:
    # Fetched when it is needed: `queue` imports `threading`, which must not be loaded before it is patched.
    return import_module("queue").Full()  # type: ignore[no-any-return]  # an attribute of a module


def _shut_down() -> Exception:
    home = "queue" if sys.version_info >= (3, 13) else "greening.errors"
    return import_module(home).ShutDown()  # type: ignore[no-any-return]  # an attribute of a module


# What a waiter is woken with when the queue is shut down, and a putter when its item has been taken.
_SHUT = object()
_TAKEN = object()


@uninterruptible
class LightQueue(Generic[T]):
    """FIFO queue without `task_done` and `join`.

    Args:
        maxsize: places, in items; None or negative: unbounded; 0: a channel, whose `put` returns when a getter has
            taken the item.
    Raises:
        TypeError: `maxsize` is not an integer.
    Thread-safety: complete, between green threads, hubs and OS threads.
    Difference from `queue.Queue`: 0 is a channel (there: unbounded), and waiters are served in order of arrival.
    """

    def __init__(self, maxsize: int | None = None) -> None:
        self.maxsize: int | None = _places(maxsize)
        self._getters = ParkingLot()
        self._putters = ParkingLot()
        # What the waiting putters bring. An item is here until it is taken.
        self._offers: dict[Task, T] = {}
        self.is_shutdown = False
        self._init(self.maxsize)

    # How items are kept: what subclasses change

    def _init(self, maxsize: int | None) -> None:
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
        """Change `maxsize`, and wake the putters for which there are places now. No item is dropped.

        Args, Raises: as the constructor.
        """
        with guard:
            self.maxsize = _places(size)
            self._refill()

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Put `item`; park while there is no place.

        Args:
            block: False: raise `Full` at once.
            timeout: seconds from now; None: no limit.
        Raises:
            Full (the stdlib's): no place, or none in time. ShutDown: the queue was shut down.
            ValueError: `timeout` is negative or nan. TypeError: it is no number.
        """
        if timeout is not None:
            _check(timeout)
        fairness_tick()
        with guard:
            if self.is_shutdown:
                error = _shut_down
            # A getter waits only while there is no item: whatever the order of the items, this one is the next.
            elif self._getters and (getter := self._getters.choose(item)) is not None:
                channel = self.maxsize == 0
                (run_next if channel and not block else make_ready)(getter)
                self._accepted()
                # Behind a callback of a timer the getter runs next: within the turn, as eventlet's hub has it.
                if not channel or timeout == 0 or (not block and current().calls_back):
                    return
                task, error = None, None
            elif self._store(item):
                self._accepted()
                return
            elif not block or timeout == 0:
                error = _full
            else:
                task = self._putters.enter()
                self._offers[task] = item
                self._accepted()
                error = None
        if error is not None:
            raise error()
        if task is None and (task := self._see_taken(item)) is None:
            return
        try:
            outcome = self._putters.wait(task, timeout if block else 0)
        except BaseException as error:
            if self._take_back(task):
                self._refused()
            if self.maxsize == 0 and isinstance(error, Deadlock):
                error.add_note(f"{self!r} is a channel: put() waits for a get(). Queue() is unbounded")
            raise
        if outcome is not _TAKEN:
            self._take_back(task)
            self._refused()
            raise _full() if outcome is TIMED_OUT else _shut_down() if outcome is _SHUT else outcome

    def _see_taken(self, item: T) -> Task | None:
        """In a channel: let the getter run that was given `item`. None: it has the item. A task: the getter was
        interrupted, and the running task waits with the item, as a putter."""
        task = known_task()
        if task is not None and task.state == RUNNING and not guard.is_owned():
            task.pass_turn()
        with guard:
            if not (self.queue and self.queue[0] is item):
                return None
            self._get()
            task = self._putters.enter()
            self._offers[task] = item
            return task

    def _store(self, item: T) -> bool:
        """Under guard: put it into a free place. False: there is none."""
        if self.maxsize is None or len(self.queue) < self.maxsize:
            self._put(item)
            return True
        return False

    def _take_back(self, task: Task) -> bool:
        """A putter leaves. False: its item has been taken."""
        with guard:
            return self._offers.pop(task, _TAKEN) is not _TAKEN

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Take an item; park while there is none.

        Args:
            block: False: raise `Empty` at once.
            timeout: seconds from now; None: no limit.
        Raises:
            Empty (the stdlib's): no item, or none in time. ShutDown: the queue is empty and was shut down.
            ValueError: `timeout` is negative or nan. TypeError: it is no number.
        """
        if timeout is not None:
            _check(timeout)
        fairness_tick()
        with guard:
            if self.queue:
                item = self._get()
                if self._putters:
                    self._refill()
                return item
            if self._putters and (putter := self._putters.choose(_TAKEN)) is not None:  # a channel
                return self._take_over(putter)
            task = None if self.is_shutdown or not block or timeout == 0 else self._getters.enter()
        if task is None:
            raise _shut_down() if self.is_shutdown else Empty
        value = self._getters.wait(task, timeout, self._put_back)
        if value is TIMED_OUT:
            raise Empty
        if value is _SHUT:
            raise _shut_down()
        return value  # type: ignore[no-any-return]  # whatever was put

    def _take_over(self, putter: Task) -> T:
        """Under guard: the item of a putter that has been chosen."""
        item = self._offers.pop(putter)
        (run_next if self.maxsize == 0 and current().calls_back else make_ready)(putter)
        return item

    def _refill(self) -> None:
        """Under guard: places became free; the first putters' items go in."""
        while self.maxsize is None or len(self.queue) < self.maxsize:
            putter = self._putters.choose(_TAKEN)
            if putter is None:
                break
            try:
                self._put(self._offers[putter])
            except Exception as error:  # noqa: BLE001  # a priority queue cannot compare it: the error is the putter's
                putter.value = error
                make_ready(putter)
            else:
                self._take_over(putter)

    def _put_back(self, item: Any) -> None:
        """A getter that had been given `item` was interrupted. The next getter gets it, or the head of the queue."""
        with guard:
            if item is not _SHUT and self._getters.unpark(item) is None:
                self._unget(item)

    def _unget(self, item: T) -> None:
        self.queue.appendleft(item)

    def put_nowait(self, item: T) -> None:
        """`put(item, block=False)`."""
        self.put(item, False)

    def get_nowait(self) -> T:
        """`get(block=False)`."""
        return self.get(False)

    def shutdown(self, immediate: bool = False) -> None:
        """Refuse further items, and wake the putters, and the getters that wait in vain, with ShutDown.

        Args:
            immediate: drop the items that are there, too; each counts as dealt with.
        Source: `queue.Queue.shutdown` of 3.13, on every version.
        """
        dropped = []  # freed after the guard is released: items may have finalisers
        with guard:
            self.is_shutdown = True
            while immediate and self.queue:
                dropped.append(self._get())
                self._refused()
            self._putters.unpark_all(_SHUT)
            if not self.queue:
                self._getters.unpark_all(_SHUT)

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


@uninterruptible
class Queue(LightQueue[T]):
    """FIFO queue with `task_done` and `join`: producers can wait until every item has been dealt with.

    `Queue()` is unbounded, `Queue(5)` has five places, and `Queue(0)` is a channel: `put` returns when a getter has
    taken the item. (In the stdlib 0 means unbounded.) Errors and thread-safety as `LightQueue`. An item that a putter
    waits with counts as a task already.
    """

    def __init__(self, maxsize: int | None = None) -> None:
        super().__init__(maxsize)
        self.unfinished_tasks = 0
        self._joiners = ParkingLot()

    def _accepted(self) -> None:
        self.unfinished_tasks += 1

    def _refused(self) -> None:
        if self.unfinished_tasks > 0:
            self.task_done()

    def task_done(self) -> None:
        """Say that one item that was got has been dealt with.

        Raises:
            ValueError: this was said more often than items were put.
        """
        with guard:
            if self.unfinished_tasks <= 0:
                raise ValueError("task_done() called too many times")
            self.unfinished_tasks -= 1
            if self.unfinished_tasks == 0:
                self._joiners.unpark_all()

    def join(self, timeout: float | None = None) -> bool:
        """Park until every item has been dealt with.

        Args:
            timeout: seconds from now; None: no limit.
        Returns:
            False when the time ran out.
        Raises:
            TypeError, ValueError: `timeout` is no number of seconds.
        Difference from `queue.Queue.join`: it takes a timeout and returns something.
        """
        fairness_tick()
        with guard:
            if self.unfinished_tasks == 0:
                return True
            task = self._joiners.enter()
        return self._joiners.wait(task, timeout) is not TIMED_OUT


# Queues that give their items in another order than that of arrival.


class PriorityQueue(Queue[T]):
    """Gives the smallest item first. Otherwise as `Queue`."""

    def _init(self, maxsize: int | None) -> None:
        self.queue = []

    def _put(self, item: T) -> None:
        heap = self.queue
        try:
            heapq.heappush(heap, item)
        except BaseException:
            # It cannot be compared. It is in the heap, and has pushed down the parents that it could be compared with.
            carried, place = heap.pop(), len(heap)
            while carried is not item and place > 0:
                place = (place - 1) >> 1
                carried, heap[place] = heap[place], carried
            raise

    def _get(self) -> T:
        return heapq.heappop(self.queue)  # type: ignore[no-any-return]  # whatever was put

    def _unget(self, item: T) -> None:
        heapq.heappush(self.queue, item)


class LifoQueue(Queue[T]):
    """Gives the last item first. Otherwise as `Queue`."""

    def _init(self, maxsize: int | None) -> None:
        self.queue = []

    def _get(self) -> T:
        return self.queue.pop()  # type: ignore[no-any-return]  # whatever was put

    def _unget(self, item: T) -> None:
        self.queue.append(item)
