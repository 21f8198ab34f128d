"""Semaphores between processes: `_multiprocessing.SemLock`, waited for without holding up the process.

Facts:
- A POSIX semaphore has no descriptor to wait for.
- sem_wait(3) can be left early by a signal or a time limit only. A thread inside takes the permit that comes, wanted or
  not.
- The C class tells threads apart by OS thread.
Decisions:
- The state is a real SemLock inside, which is never asked for ownership.
- Green threads of a process queue up beside it. While there is a queue, one helper thread (a native one) is inside
  sem_wait for all of them, and hands each permit that it gets to the first.
- A release in this process hands its permit straight to the first in the queue. Once in so many times it lets the other
  processes compete for it.
- Where nothing else could run anyway - the usual worker process - the C call is made on the spot.
- A waiter that is killed or timed out leaves at once. If it was the last, the helper thread notices after `SIT_SECONDS`
  at most. A permit that comes to it meanwhile goes back as soon as it runs.
"""

from collections.abc import Callable
from typing import Any

from greening._core import deadlock
from greening._core.critical import guard, uninterruptible
from greening._core.current import current, has_hub
from greening._core.deadlock import is_alone
from greening._core.external import Backoff
from greening._core.fairness import fairness_tick
from greening._core.fork import THREADS, on_child
from greening._core.hub import Hub
from greening._core.parking_lot import ParkingLot
from greening._core.task import DEAD, RUNNING, TIMED_OUT
from greening._core.timers import real_number
from greening._originals import get_ident as _native_ident
from greening._originals import time_sleep
from greening.threads.identity import get_ident
from greening.threads.native import NativePool

RECURSIVE_MUTEX, SEMAPHORE = 0, 1

# Poll interval (s): the helper thread leaves sem_wait so often to look whether a task still waits.
SIT_SECONDS = 0.02
# Times in a row that a permit may be handed on inside this process: other processes may be waiting for it.
_MOST_HANDED_ON = 16

_pool = NativePool(1000, block_signals=True)


@uninterruptible
class SemLock:
    """A semaphore or re-entrant lock between processes. Interface and errors of `_multiprocessing.SemLock`.

    The owner is the running thread, green or native. Thread-safety: complete; `acquire(False)` and `release` never
    switch. Waiters of one process are served in order of arrival.
    """

    __slots__ = (
        "__weakref__",
        "_count_here",
        "_handed_on",
        "_owner",
        "_real",
        "_sat_for",
        "_waiters",
        "handle",
        "kind",
        "maxvalue",
        "name",
    )
    __module__ = "_multiprocessing"

    Real: Any = None  # the C class, or None: set by the patch, which is imported only when it is needed
    # Waits in the C call, in a frame that a signal handler may interrupt there and then: also set by the patch.
    block: Callable[[Any, float | None], bool]
    SEM_VALUE_MAX: int

    def __init__(self, kind: int, value: int, maxvalue: int, name: str, unlink: bool) -> None:
        inner = SEMAPHORE if kind == RECURSIVE_MUTEX else kind
        real = self.Real(inner, value, maxvalue, name, unlink)
        self._set_up(real, kind, real.name)

    def _set_up(self, real: Any, kind: int, name: str | None) -> None:
        self._real = real
        self.kind = kind
        self.name = name
        self.handle: int = real.handle
        self.maxvalue: int = real.maxvalue
        self._owner = 0  # ident of the thread that took it last
        self._count_here = 0  # permits of this process; how often its owner has taken a re-entrant one
        self._handed_on = 0
        self._sat_for = False  # the helper thread is inside sem_wait
        self._waiters = ParkingLot()

    @classmethod
    def _rebuild(cls, handle: int, kind: int, maxvalue: int, name: str | None) -> "SemLock":
        new = cls.__new__(cls)
        inner = SEMAPHORE if kind == RECURSIVE_MUTEX else kind
        new._set_up(cls.Real._rebuild(handle, inner, maxvalue, name), kind, name)
        return new

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take a permit; park while there is none.

        Args:
            block: False: answer at once.
            timeout: seconds from now; None: no limit; negative: 0.
        Raises:
            TypeError: `timeout` is not a number.
        """
        me = get_ident()
        if self._owner == me and self._count_here and self.kind == RECURSIVE_MUTEX:
            self._count_here += 1
            return True
        fairness_tick()
        # A caller that may wait does so behind those that wait already.
        if not (block and self._waiters) and self._real.acquire(False, timeout):
            taken = True
        elif block:
            taken = self._wait(timeout)
        else:
            taken = self._try_again()
        if taken:
            self._owner = me
            self._count_here += 1
        return taken

    def release(self) -> None:
        """Give the permit back: to the first waiter of this process, or to the process that comes first.

        Raises:
            AssertionError: it is re-entrant, and the caller does not own it.
            ValueError: all permits are back already.
        """
        if self.kind == RECURSIVE_MUTEX:
            if self._owner != get_ident() or not self._count_here:
                raise AssertionError("attempt to release recursive lock not owned by thread")
            if self._count_here > 1:
                self._count_here -= 1
                return
        self._count_here -= 1
        try:
            self._post()
        except BaseException:
            self._count_here += 1
            raise

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    def _count(self) -> int:
        """Permits that this process has; how often the owner has taken a re-entrant one."""
        return self._count_here

    def _is_mine(self) -> bool:
        """True when the caller was the last to take it here, and has it still."""
        return self._count_here > 0 and self._owner == get_ident()

    def _get_value(self) -> int:
        """Permits that are left."""
        return int(self._real._get_value())

    def _is_zero(self) -> bool:
        """True when no permit is left."""
        return bool(self._real._is_zero())

    def _after_fork(self) -> None:
        """In a child process: its permits are its parent's."""
        self._count_here = 0
        self._real._after_fork()

    # The way of a permit

    def _post(self) -> None:
        if self._waiters and self._handed_on < _MOST_HANDED_ON and self._real._is_zero():
            with guard:
                if self._choose():
                    self._handed_on += 1
                    return
        self._handed_on = 0
        self._real.release()

    def _pass_on(self, value: object) -> None:
        """A waiter was given a permit, and is interrupted."""
        self._post()

    def _choose(self) -> bool:
        self._owner = 0  # the chosen task says so when it runs
        return self._waiters.unpark() is not None

    def _try_again(self) -> bool:
        """Try again after the semaphore was found empty: the helper thread may hold a permit that no task waits for.

        Only when that thread has left is the answer known. This may block, for `SIT_SECONDS` after the last waiter was
        killed.
        """
        if not self._sat_for:
            return False
        look = Backoff(None, longest=0.001)
        while self._sat_for and not self._waiters and self._real._is_zero():
            time_sleep(look.next())
        return bool(self._real.acquire(False))

    def _wait(self, timeout: float | None) -> bool:
        seconds = None if timeout is None else max(real_number(timeout), 0.0)
        if _may_block(self._waiters):
            return self.block(self._real, seconds)
        waiters = self._waiters
        with guard:
            task = waiters.enter()
            # First enter, then try: see `sync.lock`. There is no way past others that wait already.
            if len(waiters) == 1 and self._real.acquire(False):
                waiters.withdraw(task)
                return True
            parks = self._have_sat_for(task.hub)
            if not parks:
                waiters.withdraw(task)
        if not parks:
            # No thread is to be had, as when the interpreter shuts down. The caller blocks, and all others with it.
            return self.block(self._real, seconds)
        with task.hub.external_wait():
            return waiters.wait(task, seconds, self._pass_on) is not TIMED_OUT

    def _have_sat_for(self, hub: Hub) -> bool:
        """Under `guard`: start the helper thread if there is none. False: that is impossible."""
        if not self._sat_for:
            self._sat_for = _pool.launch(hub, self._sit)
            _sat_for.add(self)
        return self._sat_for

    def _sit(self) -> None:
        """In the helper thread: take permits for the waiters, as long as there are any."""
        while True:
            with guard:
                waiters = [task for task in self._waiters if task.state != DEAD]
                if not waiters:
                    self._stand_up()
                    return
                now = waiters[0].hub.now()
                latest = max((now + SIT_SECONDS if t.deadline is None else t.deadline) for t in waiters)
            if self._real.acquire(True, min(SIT_SECONDS, latest - now)):
                with guard:
                    if not self._choose():
                        self._real.release()

    def _stand_up(self) -> None:
        self._sat_for = False
        _sat_for.discard(self)

    def _in_forked_child(self) -> None:
        self._sat_for = False
        self._waiters = ParkingLot()


def _may_block(waiters: ParkingLot) -> bool:
    """True when no other task of this process could run meanwhile."""
    if waiters:
        return False
    if not has_hub():
        # A native thread in which nothing green runs; or the main thread before anything green ran.
        return _native_ident() != deadlock.first_thread
    task = current()
    return task is task.hub.main and task.state == RUNNING and is_alone(task.hub)


# Those with a helper thread, which a child does not inherit.
_sat_for: set[SemLock] = set()


def _after_fork_in_child() -> None:
    for each in _sat_for:
        each._in_forked_child()
    _sat_for.clear()


on_child(THREADS, _after_fork_in_child)


def adopt(real: Any) -> SemLock:
    """A green SemLock on the semaphore of a real one, which native threads may go on using."""
    new = SemLock.__new__(SemLock)
    # A real one that is re-entrant lets every green thread of its OS thread in. Neither object may be freed: both would
    # close the semaphore.
    inner = SemLock.Real._rebuild(real.handle, SEMAPHORE, real.maxvalue, None)
    _kept.append((real, inner))
    new._set_up(inner, real.kind, real.name)
    new._count_here = real._count()
    new._owner = _native_ident() if real._is_mine() else 0
    return new


_kept: list[tuple[Any, Any]] = []
