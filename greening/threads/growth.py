"""More native threads than a pool has: when all of them wait, and calls wait for them.

Facts: calls of one pool may wait for each other outside of this process. Twenty queries wait for a row that is locked,
and the COMMIT that would free it is the twenty-first call: it would wait for ever.
Decision: while calls are in the backlog, the pool is looked at every `STUCK` seconds. If no call has ended since the
last look, and none of its threads is at work, the calls that wait longest get threads of their own: one, then two,
four and so on, up to the bound. A thread that computes is no reason to start another one.
"""

import os
from operator import index
from typing import TYPE_CHECKING, Any

from greening._core.critical import guard, uninterruptible
from greening._originals import monotonic

if TYPE_CHECKING:
    from greening._core.hub import Hub
    from greening.threads.native import NativePool

# Seconds between two looks. A look that is this much overdue has been lost with its OS thread.
STUCK = 0.1
_LOST = 1.0


@uninterruptible
class Growth:
    """What lets a pool grow.

    Attributes:
        most: threads at most; up to the pool's size nothing is done here.
    """

    __slots__ = ("_ended", "_next_look", "_step", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._ended = 0
        self._next_look: float | None = None
        self._step = 1

    def watch(self, pool: "NativePool", hub: "Hub") -> None:
        """A call has entered the backlog. Under `guard`, in the OS thread of `hub`."""
        if self._next_look is None or monotonic() > self._next_look + _LOST:
            self._ended = pool.ended
            self._step = 1
            self._look_later(pool, hub)

    def _look_later(self, pool: "NativePool", hub: "Hub") -> None:
        self._next_look = monotonic() + STUCK
        hub.timers.add(hub.now() + STUCK, self._look, pool, hub)

    def _look(self, pool: "NativePool", hub: "Hub") -> None:
        with guard:
            missing = len(pool._backlog)
            room = self.most - len(pool._alive)
            if not missing or room <= 0:
                self._next_look = None
                return
            if pool.ended != self._ended or any(_works(worker) for worker in tuple(pool._alive)):
                self._ended = pool.ended
                self._step = 1
            else:
                pool.start_for_backlog(min(self._step, missing, room))
                self._step *= 2
            self._look_later(pool, hub)


def _works(worker: Any) -> bool:
    """Whether an OS thread computes, or waits for the disk. Source: proc_pid_stat(5), field 3."""
    try:
        with open(f"/proc/self/task/{worker.native_id}/stat", "rb", buffering=0) as file:
            return file.read(512).rpartition(b")")[2].split()[0] != b"S"
    except OSError:  # it is about to begin
        return True


def number_of_threads(size: int) -> int:
    """Check a number of threads. Raises TypeError, ValueError."""
    size = index(size)
    if size < 0:
        raise ValueError(f"a pool of {size} threads: the number must be 0 (no threads) or more")
    return size


def from_environment(name: str, default: int) -> int:
    """A number of threads from a variable of the environment. Raises ValueError."""
    text = os.environ.get(name, str(default))
    try:
        return number_of_threads(int(text))
    except ValueError:
        raise ValueError(f"{name}={text!r}: a number of threads is needed, 0 or more") from None
