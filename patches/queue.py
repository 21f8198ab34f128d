"""`queue`: a green SimpleQueue. `Queue`, `LifoQueue` and `PriorityQueue` are the stdlib's, on locks of `threading`.

A kill does not keep `put` and `task_done` of these from giving something back (see threads/giving_back).

Law of `SimpleQueue`: `put` may be called at any moment in any thread, also by a finaliser or a signal handler that
interrupts another call of the same queue. So no method relies on running uninterrupted: a consumer first says that it
waits and then looks again; `put` first adds its item and then looks for waiters.
"""

import queue
from collections import deque
from functools import partial
from types import GenericAlias, ModuleType
from typing import Any

from greening._core.critical import guard, uninterruptible
from greening._core.external import Backoff
from greening._core.fairness import fairness_tick
from greening._core.parking_lot import ParkingLot, make_ready
from greening._core.task import TIMED_OUT
from greening._core.waiting import sleep
from greening.patcher.references import holders
from greening.patcher.spec import Patch, Undo
from greening.patches.threading import HISTORY
from greening.sync.lock import check_timeout
from greening.threads.giving_back import queue_methods
from greening.threads.replace_existing import Replacer

try:
    import _queue
except ImportError:  # the pure Python queue of an interpreter without it, or of CPython's own tests
    _queue = None  # type: ignore[assignment]  # as above


@uninterruptible
class SimpleQueue:
    """An unbounded FIFO queue. Interface and errors of `_queue.SimpleQueue`.

    Thread-safety: complete, between green threads, hubs and OS threads. `put` never waits and never switches. Consumers
    are served in order of arrival; what had been given to one that is killed goes to the next.
    """

    __slots__ = ("__weakref__", "_items", "_waiters")
    __module__ = "_queue"
    _Empty: type[Exception] = queue.Empty

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._waiters = ParkingLot()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Append `item`. The other arguments are there for `Queue`'s sake."""
        self._items.append(item)
        if self._waiters:
            self._match()

    def put_nowait(self, item: Any) -> None:
        """The same as `put(item)`."""
        self.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the first item; park while there is none.

        Args:
            block: False: do not wait.
            timeout: seconds; None: no limit.
        Raises:
            queue.Empty: nothing came in time.
            ValueError, OverflowError: `timeout` is negative, or too large.
        """
        seconds = _seconds(timeout) if block and timeout is not None else None
        fairness_tick()
        try:
            return self._items.popleft()
        except IndexError:
            pass
        if not block or seconds == 0:
            raise self._Empty
        return self._wait(seconds)

    def get_nowait(self) -> Any:
        """The same as `get(False)`."""
        return self.get(False)

    def qsize(self) -> int:
        """How many items there are."""
        return len(self._items)

    def empty(self) -> bool:
        """True when there are no items."""
        return not self._items

    __class_getitem__: Any = classmethod(GenericAlias)

    def _wait(self, seconds: float | None) -> Any:
        with guard:
            task = self._waiters.enter()
            if self._items:
                self._match()
        item = self._waiters.wait(task, seconds, self._put_back)
        if item is TIMED_OUT:
            raise self._Empty
        return item

    def _put_back(self, item: Any) -> None:
        """A consumer was given `item`, and is interrupted."""
        self._items.appendleft(item)
        self._match()

    def _match(self) -> None:
        """Give items to waiters while there are both. It may be interrupted by another `put` anywhere."""
        items, waiters = self._items, self._waiters
        with guard:
            while items and waiters:
                try:
                    item = items.popleft()
                except IndexError:  # another OS thread was quicker
                    return
                task = waiters.choose(item)
                if task is None:
                    items.appendleft(item)
                    return
                make_ready(task)


def _seconds(timeout: float) -> float:
    if timeout < 0:
        raise ValueError("'timeout' must be a non-negative number")
    return check_timeout(True, timeout) or 0.0


class _AdoptedQueue(SimpleQueue):
    """In the place of a real SimpleQueue, which keeps the items: native threads may wait for them."""

    __slots__ = ("_real",)
    __module__ = "_queue"

    def __init__(self, real: Any) -> None:
        super().__init__()
        self._real = real

    @property
    def original(self) -> Any:
        """The real queue."""
        return self._real

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """See `SimpleQueue.put`."""
        self._real.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """See `SimpleQueue.get`. The real queue tells no hub when an item comes: this polls it."""
        seconds = _seconds(timeout) if block and timeout is not None else None
        look = Backoff(seconds)
        while True:
            try:
                return self._real.get_nowait()
            except queue.Empty:
                pause = look.next() if block else 0.0
            if not pause:
                raise self._Empty
            sleep(pause)

    def qsize(self) -> int:
        """How many items there are."""
        return int(self._real.qsize())

    def empty(self) -> bool:
        """True when there are no items."""
        return bool(self._real.empty())


_AdoptedQueue.__name__ = _AdoptedQueue.__qualname__ = SimpleQueue.__name__


# As it was before patching: this file is imported by the patcher, before it patches.
_RealSimpleQueue: Any = getattr(_queue, "SimpleQueue", None)


def _after(undo: Undo) -> None:
    if _RealSimpleQueue is None:
        return
    _queue.SimpleQueue = SimpleQueue  # type: ignore[misc, assignment]  # a look-alike
    undo.add(_return_name)
    if HISTORY.late:
        replacer = Replacer(holders, _AdoptedQueue, (_AdoptedQueue,))
        undo.add(partial(replacer.back, _always))
        replacer.run((_RealSimpleQueue,))


def _return_name() -> None:
    _queue.SimpleQueue = _RealSimpleQueue  # type: ignore[misc]  # as above


def _always(green: object) -> bool:
    return True


def _bind(module: ModuleType) -> Patch:
    methods = {"Queue": queue_methods(module)}
    if module is queue:
        return PATCH._replace(methods=methods, after=_after, bind=None)
    # A copy of the module may have an exception of its own.
    members = {"__slots__": (), "__module__": "_queue", "_Empty": module.Empty}
    own = type("SimpleQueue", (SimpleQueue,), members)
    return PATCH._replace(replaces={"SimpleQueue": own}, methods=methods, bind=None)


PATCH = Patch(target="queue", flag="thread", replaces={"SimpleQueue": SimpleQueue}, bind=_bind)
