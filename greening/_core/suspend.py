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
from greening._core.task import NEW, PARKED, Task
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
    """Resume a task that waits in `suspend`, sleeps, or waits for an event or a descriptor. The caller goes on.

    Its turn comes behind what is runnable. One that waits for anything else, is runnable, has not begun or has ended is
    left alone.

    Args:
        args: what `suspend`, or the `wait` of an event, returns: one value as it is, several as a tuple, none as `()`.
    Returns:
        For the running task itself what `suspend` would return, else an empty tuple.
    Thread-safety: complete.
    Difference from `greenlet.switch`: the caller is not suspended.
    """
    value = args[0] if len(args) == 1 else args
    lot = _suspended.get(task)
    if lot is not None:
        lot.unpark(value)
    elif task.state == PARKED:
        if task.hub.awake_ident == get_ident():
            _end_wait(task, value)
        else:
            task.hub.post(partial(_end_wait, task, value))
    elif task.state != NEW and task is current():
        return value
    return ()


def _end_wait(task: Task, value: Any) -> None:
    """In the task's own OS thread, where it cannot begin another wait meanwhile."""
    if task.value is SWITCHABLE:
        task.wake(Switched(value))
