"""The loops of the patched rows on threads; imported after the patching. Each `make` returns a function that does n."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

Loop = Callable[[int], None]


def nothing() -> None:
    """Do nothing."""


def thread() -> Loop:
    """Start a thread with an empty body and join it."""

    def loop(n: int) -> None:
        for _ in range(n):
            thread = threading.Thread(target=nothing)
            thread.start()
            thread.join()

    return loop


def _held(held: AbstractContextManager[bool]) -> Loop:
    def loop(n: int) -> None:
        for _ in range(n):
            with held:
                pass

    return loop


def lock() -> Loop:
    """Acquire and release a Lock that no other thread wants."""
    return _held(threading.Lock())


def rlock() -> Loop:
    """Acquire and release an RLock that no other thread wants."""
    return _held(threading.RLock())


def _two_sides(this: Loop, other: Loop) -> Loop:
    """Run both, the other in a thread of its own; the errors of either end the process."""

    def loop(n: int) -> None:
        thread = threading.Thread(target=other, args=(n,), daemon=True)
        thread.start()
        this(n)
        thread.join()

    return loop


def condition() -> Loop:
    """Two threads take turns. One condition says which one's turn it is: there and back."""
    changed = threading.Condition()
    turn = [0]

    def side(mine: int) -> Loop:
        def loop(n: int) -> None:
            for _ in range(n):
                with changed:
                    while turn[0] != mine:
                        changed.wait()
                    turn[0] = 1 - mine
                    changed.notify()

        return loop

    return _two_sides(side(0), side(1))


def event() -> Loop:
    """Two threads, two events, set and waited for and cleared: there and back."""
    there, back = threading.Event(), threading.Event()

    def this(n: int) -> None:
        for _ in range(n):
            there.set()
            back.wait()
            back.clear()

    def other(n: int) -> None:
        for _ in range(n):
            there.wait()
            there.clear()
            back.set()

    return _two_sides(this, other)


def _hand_over(there: Any, back: Any) -> Loop:
    def this(n: int) -> None:
        for item in range(n):
            there.put(item)
            back.get()

    def other(n: int) -> None:
        for _ in range(n):
            back.put(there.get())

    return _two_sides(this, other)


def queue_queue() -> Loop:
    """Two threads, two queues of one place: an item there and an item back."""
    return _hand_over(queue.Queue(1), queue.Queue(1))


def simple_queue() -> Loop:
    """The same with SimpleQueue, which has no limit."""
    return _hand_over(queue.SimpleQueue(), queue.SimpleQueue())


def local_get() -> Loop:
    """Read an attribute of a threading.local."""
    place = threading.local()

    def loop(n: int) -> None:
        place.value = 1  # this loop's thread may be another one than that which made it
        for _ in range(n):
            place.value  # noqa: B018

    return loop


def local_set() -> Loop:
    """Set an attribute of a threading.local."""
    place = threading.local()

    def loop(n: int) -> None:
        for i in range(n):
            place.value = i

    return loop


def executor_map() -> Loop:
    """ThreadPoolExecutor(8).map of a trivial function over a hundred numbers: one operation is one result."""
    pool = ThreadPoolExecutor(8)

    def loop(n: int) -> None:
        for start in range(0, n, 100):
            for _ in pool.map(abs, range(min(100, n - start))):
                pass

    return loop


LOOPS: dict[str, Callable[[], Loop]] = {
    make.__name__: make
    for make in (
        *(thread, lock, rlock, condition, event, queue_queue, simple_queue),
        *(local_get, local_set, executor_map),
    )
}
