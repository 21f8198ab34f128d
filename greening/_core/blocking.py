"""Waiting where there is no hub: the OS thread itself waits.

There are two such places. A native thread in which nothing green runs delays no other when it blocks, and needs none of
the descriptors of a hub. And the last finalisers of a program run when the interpreter has no greenlets any more: what
they call may wait all the same, as it does in a program that is not patched.
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

# poll(2) counts milliseconds in an int. A caller that has a deadline repeats a wait that ended early.
_LONGEST_MS = 2**31 - 1
# The longest that a real lock waits, in seconds (_thread.TIMEOUT_MAX).
_LONGEST = 9223372036.0


class BlockingRegistry:
    """`Registry`, for one OS thread that asks poll(2) itself."""

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
    """As much of a hub as waiting needs. It is never awake: all wake-ups come through `post`."""

    now = staticmethod(monotonic)

    def __init__(self, task: "BlockingTask") -> None:
        self.awake_ident = self.switches_left = 0
        self.regs: dict[int, Registration] = {}
        self.registry = BlockingRegistry()
        self.post = _ring
        self.main = task
        self.task: Any = None
        self.urgent: Any = None

    def stand_in(self, task: Task) -> Task:
        """For code that interrupts `task` on its way to a wait, and waits itself: a task with a wake-up lock of its
        own."""
        return BlockingTask()


class BlockingTask(Task):
    """An OS thread without a hub. To park it is to block it. One per OS thread; wake-ups are thread-safe as ever."""

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
        """The greenlet that stands for the OS thread, which owns what it is given."""
        return self._glet

    def park(self, deadline: float | None = None) -> Any:
        """See `Task.park`. Only a signal handler of Python's can interrupt it."""
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
        """See `Task.cancel_park`. The wake-up lock may have been released for the park that does not happen."""
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
            self.wake(TIMED_OUT)  # the first waker releases the lock, or we do
        self.wake_lock.acquire()


@uninterruptible
def _ring(item: tuple[BlockingTask, int]) -> None:
    """What `Task.wake` posts: the task may go on, if it still waits as it did then."""
    task, generation = item
    with guard:  # or its park could end between the look and the wake_lock, which would end its next one
        if task.generation == generation:
            task.wake_lock.release()


# For the child of a fork, in which only one OS thread is left.
_all: Final[WeakSet[BlockingTask]] = WeakSet()
_here = real_local()


def blocking_task() -> BlockingTask:
    """The task that stands for this OS thread, as long as nothing green runs in it."""
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
