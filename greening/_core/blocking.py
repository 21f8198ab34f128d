"""Waiting without a hub: the OS thread itself blocks.

There are two such cases. A native thread without green threads delays no other task when it blocks, and needs none of
the descriptors of a hub. And the last finalisers of a program run when the interpreter has no greenlets any more: they
may wait all the same, as in a program that is not patched.
"""

import errno
from math import ceil
from typing import Any, Final
from weakref import WeakSet, ref

from greenlet import getcurrent, greenlet

from greening._core import fork
from greening._core.critical import guard, uninterruptible
from greening._core.external import ExternalWaits
from greening._core.poller import IN, NVAL, OUT, PRI
from greening._core.registration import Registration
from greening._core.switching import HubOps
from greening._core.task import DEAD, READY, RUNNING, TIMED_OUT, Task
from greening._originals import allocate_lock, get_ident, monotonic, real_local, strerror, time_sleep
from greening._originals import poll as _poll

# Milliseconds: the longest wait of poll(2), which takes an int. A caller with a deadline repeats a wait that was cut.
_LONGEST_MS = 2**31 - 1
# Seconds: the longest wait of a real lock (_thread.TIMEOUT_MAX).
_LONGEST = 9223372036.0


class BlockingRegistry:
    """The `Registry` of an OS thread without a hub: it calls poll(2) itself."""

    __slots__ = ()

    def socket(self, fd: int, owner: Any, stream: bool) -> Registration:
        """See `Registry.socket`. Nothing is armed, and no short read is trusted."""
        return Registration(fd, ref(owner), False, False)

    def wait(self, reg: Registration, task: Task, mask: int, deadline: float | None) -> int:
        """See `Registry.wait`."""
        return self.wait_raw(reg.fd, task, mask, deadline)

    def wait_raw(self, fd: int, task: Task, mask: int, deadline: float | None) -> int:
        """See `Registry.wait_raw`."""
        poll = _poll()
        poll.register(fd, mask & (IN | PRI | OUT))
        left = None if deadline is None else min(max(0, ceil((deadline - monotonic()) * 1000)), _LONGEST_MS)
        events = poll.poll(left)
        if not events:
            return 0
        if events[0][1] & NVAL:
            raise OSError(errno.EBADF, strerror(errno.EBADF))
        return int(events[0][1])


class BlockingHub(ExternalWaits, HubOps):
    """The part of a hub that waiting needs. It is never awake, so every wake-up comes through `post`."""

    now = staticmethod(monotonic)

    def __init__(self, task: "BlockingTask") -> None:
        self.awake_ident = self.switches_left = 0
        self.regs: dict[int, Registration] = {}
        self.registry = BlockingRegistry()
        self.post = _release
        self.main = task
        self.task: Any = None
        self.urgent: Any = None

    def stand_in(self, task: Task) -> Task:
        """A task, with its own wake-up lock, for code that interrupts the park of `task` and waits itself."""
        return BlockingTask()


class BlockingTask(Task):
    """The task of an OS thread without a hub: its park blocks the thread. Wake-ups are thread-safe."""

    __slots__ = ("_glet", "wake_lock")

    def __init__(self) -> None:
        super().__init__(None, ident=get_ident())  # type: ignore[arg-type]  # in the next line
        self.hub: Any = BlockingHub(self)
        self.state = RUNNING
        self.name = "native thread"
        try:
            self._glet: greenlet | None = getcurrent()
        except RuntimeError:  # the interpreter is being finalized: there are no greenlets any more
            self._glet = None
        self.wake_lock = allocate_lock()
        self.wake_lock.acquire()
        _all.add(self)

    @property
    def greenlet(self) -> "greenlet | None":
        """The greenlet of the OS thread: the owner of an RLock that is handed to this task."""
        return self._glet

    def park(self, deadline: float | None = None) -> Any:
        """See `Task.park`. Only a Python signal handler can interrupt it."""
        depth = guard.give_away()
        try:
            if self.state == READY:  # it lets others run
                self.hub.ready.clear()
                time_sleep(0)
            else:
                self._wait(deadline)
        except BaseException:
            self.cancel_park()
            raise
        finally:
            guard.take_back(depth)
        self.state = RUNNING
        value, self.value = self.value, None
        return value

    def cancel_park(self, keep_error: bool = False) -> None:
        """See `Task.cancel_park`. A waker may have released the wake-up lock for this park: take it again."""
        super().cancel_park(keep_error)
        self.wake_lock.acquire(False)

    def _wait(self, deadline: float | None) -> None:
        if deadline is not None:
            left = min(max(0.0, deadline - monotonic()), _LONGEST)
            try:
                if self.wake_lock.acquire(True, left):
                    return
            # 3.15 and later, when the interpreter is being finalized: no thread is left that could release it.
            except RuntimeError:
                time_sleep(left)
            self.wake(TIMED_OUT)  # releases the lock, unless another waker does
        self.wake_lock.acquire()


@uninterruptible
def _release(item: tuple[BlockingTask, int]) -> None:
    """Resume the task of a posted wake-up, unless the wake-up is stale."""
    task, generation = item
    with guard:  # else this park could end between the check and the release, which would then end the next park
        if task.generation == generation:
            task.wake_lock.release()


# All such tasks. In the child of a fork, those of other OS threads are dead.
_all: Final[WeakSet[BlockingTask]] = WeakSet()
_here = real_local()


def blocking_task() -> BlockingTask:
    """The task of this OS thread, for as long as no green thread runs in it."""
    try:
        task: BlockingTask = _here.task
    except AttributeError:
        task = _here.task = BlockingTask()
    return task


def _in_child() -> None:
    mine = getattr(_here, "task", None)
    for task in tuple(_all):
        if task is not mine:
            task.state = DEAD


fork.on_child(fork.ENGINE, _in_child)
