"""The wait queue under every lock, event, queue and descriptor: first come, first served; nothing is lost.

A task that is in the lot and PARKED has not been chosen. To choose it is one atomic step: it becomes READY, gets its
value, and leaves the lot. So an interrupted waiter that is not in the lot any more has been chosen: it passes the value
on.

`with guard:` makes "check, then enter" atomic (see critical): enter the lot under the guard, park after leaving it.
A waker that provides first, and then looks for waiters, allows "first enter, then check", without the guard. That costs
less.
"""

from collections.abc import Callable
from typing import Any

from greening._compiled import accelerator, double
from greening._core.critical import guard, uninterruptible
from greening._core.journal import JOURNAL, POST
from greening._core.running import waiting_task
from greening._core.stand_in import StandIn
from greening._core.task import DEAD, PARKED, READY, RUNNING, TIMED_OUT, Task
from greening._core.timers import deadline_after
from greening._originals import get_ident


@uninterruptible
def _enter_oddly(lot: "LotOps") -> Task:
    """`enter` for a greenlet without a task, or for code that has interrupted a park and waits itself."""
    with guard:
        task = waiting_task().waiter()
        task.state = PARKED
        lot.insert(task.place_in(lot) if isinstance(task, StandIn) else len(lot), task)
        return task


@uninterruptible
def _abandon(lot: "LotOps", task: Task, on_abandon: Callable[[Any], object] | None) -> None:
    """A wait is interrupted: leave, or pass on the value for which `task` was chosen."""
    left = lot.leave(task)
    value, task.value = task.value, None
    if task.state != RUNNING:  # there was no park: the timeout is not a number
        task.cancel_park()
    if not left and on_abandon is not None:
        on_abandon(value)


@uninterruptible
def _deadline(task: Task, timeout: float) -> float:
    return deadline_after(task.hub.now(), timeout)


@double
@uninterruptible
class LotOps(list[Task]):
    """What every lot does all the time. `ParkingLot` adds the rest."""

    __slots__ = ()

    # Lots are compared by identity, not by the tasks in them.
    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__  # type: ignore[assignment]  # a list has none

    def enter(self, task: Task | None = None) -> Task:
        """Enter the running task. Call `wait` or `withdraw` next. See above for the guard.

        Args:
            task: a task that is PARKED already, and waits here as well.
        Returns:
            The task that waits: the running one, or its stand-in (see stand_in).
        """
        if task is None:
            task = waiting_task()
            if task.state != RUNNING:
                return _enter_oddly(self)
            task.state = PARKED
        self.append(task)
        return task

    def wait(self, task: Task, timeout: float | None = None, on_abandon: Callable[[Any], object] | None = None) -> Any:
        """Park until chosen, after `enter`.

        Args:
            timeout: seconds from now, or None: no limit.
            on_abandon: if `task` was chosen, and is interrupted before it runs, called with the value, to pass it on.
                None: all waiters are chosen together.
        Returns:
            The value, or TIMED_OUT.
        Raises:
            whatever interrupts the wait; TypeError, ValueError: `timeout` is no number of seconds.
        """
        try:
            value = task.park(None if timeout is None else _deadline(task, timeout))
        except BaseException:
            _abandon(self, task, on_abandon)
            raise
        if value is TIMED_OUT:
            self.leave(task)
        return value

    def park(self, timeout: float | None = None, on_abandon: Callable[[Any], object] | None = None) -> Any:
        """`enter` and `wait`, for a caller that has nothing to check in between."""
        return self.wait(self.enter(), timeout, on_abandon)

    def choose(self, value: Any = None) -> Task | None:
        """Choose the first task that waits. `resume` then has it run, with `value`.

        Call both under one `guard`.
        """
        index = 0
        while index < len(self):
            task = self[index]
            if task.state == PARKED:
                task.state = READY
                task.value = value
                del self[index]
                return task
            if task.state == DEAD:  # its OS thread ended, or it stayed behind in the parent of a fork
                del self[index]
            else:  # interrupted, or its time is up: it leaves by itself
                index += 1
        return None

    def unpark(self, value: Any = None) -> Task | None:
        """Choose the first task that waits and have it resumed with `value`. Thread-safe. None: none waits."""
        with guard:
            task = self.choose(value)
            if task is not None:
                make_ready(task)
            return task

    def unpark_all(self, value: Any = None) -> None:
        """Have every task that waits resumed with `value`, in order. Thread-safe."""
        if not self:
            return
        with guard:
            tasks = self[:]
            self.clear()
            for task in tasks:
                if task.state == PARKED:
                    task.state = READY
                    task.value = value
                    make_ready(task)
                elif task.state != DEAD:
                    self.append(task)

    def leave(self, task: Task) -> bool:
        """Take `task` out. False: it is not in the lot any more, since it was chosen. Thread-safe."""
        with guard:
            if task in self:
                self.remove(task)
                return True
            return False


@double
def make_ready(task: Task) -> None:
    """Have a chosen task run when its turn comes. Thread-safe."""
    hub = task.hub
    if hub.awake_ident == get_ident():
        hub.ready.append(task)
    else:
        if JOURNAL.on:
            JOURNAL.note_wake(POST, task)
        hub.post((task, task.generation))


@uninterruptible
class ParkingLot(LotOps):
    """A FIFO queue of parked tasks. `len` is their number; it is true while there are any."""

    __slots__ = ()

    def withdraw(self, task: Task, on_abandon: Callable[[Any], object] | None = None) -> None:
        """Undo `enter`: the caller need not wait after all.

        Args:
            on_abandon: as for `wait`: another OS thread may have chosen `task` meanwhile.
        """
        left = self.leave(task)
        value = task.value
        task.cancel_park(keep_error=True)  # a kill or a Timeout that came meanwhile is for the next wait
        if not left and on_abandon is not None:
            on_abandon(value)


if accelerator is not None:
    accelerator.tell_lot_class(ParkingLot, _deadline, _enter_oddly, _abandon)
