"""`suspend` and `switch`: a task waits until another one resumes it by its name.

That is how programs for eventlet use its hub: one calls `hub.switch()`, another `g.switch(value)`, or gives that method
to a timer. A switch also ends a sleep, and the wait for an event or for a descriptor, as in eventlet. A task that waits
in anything else waits for what that gives out, a lock or an item. A switch leaves it alone: it would take what it has
not got.
"""

from functools import partial
from typing import Any, Final

from greening._core.critical import guard
from greening._core.current import current
from greening._core.parking_lot import ParkingLot
from greening._core.task import NEW, PARKED, READY, RUNNING, Task
from greening._originals import get_ident

# The `value` of a parked task that a switch may resume. What parks with it takes a `Switched` for an answer.
SWITCHABLE: Final = object()


class Switched:
    """The value of a park that was ended by a switch. `value`: what `switch` was given."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


# Where each suspended task waits. An entry lives as long as the wait.
_suspended: dict[Task, ParkingLot] = {}


def suspend() -> Any:
    """Park until `switch` resumes this task.

    Returns:
        What `switch` was given.
    Raises:
        whatever interrupts the wait: a kill, a Timeout.
    """
    me = current()
    lot = ParkingLot()
    with guard:
        _suspended[me] = lot
        task = lot.enter()
    try:
        return lot.wait(task)
    finally:
        if _suspended.get(me) is lot:
            del _suspended[me]


def switch(task: Task, *args: Any) -> Any:
    """Resume a task that waits in `suspend`, sleeps, or waits for an event or a descriptor. It runs next.

    The caller goes on in its turn; a callback of a timer goes on right behind it. One that waits for anything else, is
    runnable, has not begun or has ended is left alone.

    Args:
        args: what `suspend`, or the `wait` of an event, returns: one value as it is, several as a tuple, none as `()`.
    Returns:
        For the running task itself what `suspend` would return, else an empty tuple.
    Thread-safety: complete. The caller does not let others run if the task is another OS thread's.
    Difference from `greenlet.switch`: the caller need not be resumed by another switch.
    """
    value = args[0] if len(args) == 1 else args
    if task.state != PARKED:
        return value if task.state != NEW and task is current() else ()
    if task.hub.awake_ident != get_ident():
        task.hub.post(partial(_resume, task, value))
    else:
        _resume(task, value)
    return ()


def _resume(task: Task, value: Any) -> None:
    """In the task's own OS thread, where it cannot begin another wait meanwhile."""
    lot = _suspended.get(task)
    if lot is not None:
        with guard:
            chosen = lot.choose(value)
        if chosen is not None:
            run_next(chosen)
        return
    came = Switched(value)
    # Atomic: no call, since an event may be sent in another OS thread.
    if task.state == PARKED and task.value is SWITCHABLE:
        task.state = READY
        task.value = came
        run_next(task)


def run_next(task: Task) -> None:
    """Have a task that can run be the next one that does. The caller goes on in its turn.

    In a callback of a timer the caller goes on right behind it, as eventlet's hub does when the task waits again. Where
    nobody may wait (in the hub, in a critical step, in code that interrupts a wait) the caller goes on at once.
    Thread-safe.
    """
    hub = task.hub
    if hub.awake_ident != get_ident():
        hub.post((task, task.generation))
        return
    me = current()
    if me.state != RUNNING or me is hub.task or guard.is_owned():
        hub.ready.appendleft(task)
        return
    me.state = READY
    if me.calls_back:
        hub.ready.appendleft(me)
    else:
        hub.ready.append(me)
    hub.ready.appendleft(task)
    me.park()
