"""`suspend` and `switch`: a task waits until another one resumes it by its name.

That is how programs for eventlet use its hub: one calls `hub.switch()`, another `g.switch(value)`, or gives that method
to a timer. A task that waits in anything else waits for what that gives out, a lock or an item. Nobody can switch to
it: it would take what it has not got.
"""

from typing import Any

from greening._core.critical import guard
from greening._core.current import current
from greening._core.parking_lot import ParkingLot
from greening._core.task import NEW, PARKED, Task

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
    """Resume a task that waits in `suspend`. Its turn comes behind what is runnable; the caller goes on.

    One that is runnable, has not begun or has ended is left alone: the first runs in its turn, the last never again.

    Args:
        args: what `suspend` returns: one value as it is, several as a tuple, none as an empty one.
    Returns:
        For the running task itself what `suspend` would return, else an empty tuple.
    Raises:
        RuntimeError: the task waits for something else.
    Thread-safety: complete.
    Difference from `greenlet.switch`: the caller is not suspended.
    """
    value = args[0] if len(args) == 1 else args
    lot = _suspended.get(task)
    if lot is not None:
        lot.unpark(value)
    elif task.state == PARKED:
        raise RuntimeError(
            f"nobody can switch to {task.name}, which waits for something else: only hub.switch() is ended by switch()"
        )
    elif task.state != NEW and task is current():
        return value
    return ()
