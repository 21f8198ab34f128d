"""The loops of the patched rows; imported after the patching. Each `make` returns a function that does n of them."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

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
    """Acquire and release a Lock that nobody else wants."""
    return _held(threading.Lock())


def rlock() -> Loop:
    """Acquire and release an RLock that nobody else wants."""
    return _held(threading.RLock())


def local_get() -> Loop:
    """Read an attribute of a threading.local."""
    place = threading.local()
    place.value = 1

    def loop(n: int) -> None:
        place.value = 1  # this loop's thread may be another one than that which made it
        for _ in range(n):
            place.value  # noqa: B018

    return loop


def subprocess_run() -> Loop:
    """Start `true` and wait for it."""

    def loop(n: int) -> None:
        for _ in range(n):
            subprocess.run(["true"], check=True)

    return loop


LOOPS: dict[str, Callable[[], Loop]] = {
    make.__name__: make for make in (thread, lock, rlock, local_get, subprocess_run)
}
