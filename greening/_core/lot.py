"""The waiting discipline under every lock, event and queue: first come, first served; nobody is lost.

A list of waiting tasks is a queue of claims. Whoever takes a task out of the list has *chosen* it and owes it what it
waits for; a waiter that is interrupted finds out from the list whether it had been chosen, and then passes the choice
on.
`guard` makes "look and enter" one step against other OS threads. It is re-entrant and real: a finaliser that the
garbage
collector runs inside it does not deadlock, and no greenlet switches while it holds it.
"""

from collections.abc import Callable
from typing import Any

from greening._compiled import accelerator
from greening._core.task import DEAD, PARKED, RUNNING, TIMED_OUT, Task
from greening._core.timers import deadline_after
from greening._originals import RLock

guard: Any = RLock() if accelerator is None else accelerator.Guard()


def enter(waiters: list[Task], task: Task) -> None:
    """Join the queue. Call it under `guard`, park right after leaving it.

    Raises:
        BlockingInHub: nobody may park here.
    """
    if task.state != RUNNING:
        task.refuse()
    task.state = PARKED
    waiters.append(task)


def wait_chosen(
    waiters: list[Task], task: Task, timeout: float | None, pass_on: Callable[[], object] | None = None
) -> bool:
    """Park until chosen, after `enter`.

    Args:
        timeout: seconds from now, or None: no limit.
        pass_on: called when `task` had been chosen but is interrupted before it could run: give the choice to the next.
            None: everybody is chosen, or nobody.
    Returns:
        True when chosen, False when the time ran out first.
    """
    try:
        value = task.park(None if timeout is None else deadline_after(task.hub.now(), timeout))
    except BaseException:
        if not leave(waiters, task) and pass_on is not None:
            pass_on()
        if task.state == PARKED:  # no park at all: the timeout is not a number
            task.unparked()
        raise
    if value is TIMED_OUT:
        # Chosen while the timer was on its way: then the choice counts.
        return not leave(waiters, task)
    return True


def leave(waiters: list[Task], task: Task) -> bool:
    """Take `task` out of the queue. False: it is not in there any more, it has been chosen."""
    with guard:
        try:
            waiters.remove(task)
        except ValueError:
            return False
        return True


def choose(waiters: list[Task], value: Any = None) -> bool:
    """Choose the first in the queue and wake it with `value`. Call it under `guard`. False: nobody waits.

    The dead are passed over: their OS thread ended while they waited, or they stayed behind in the parent of a fork.
    """
    while waiters:
        task = waiters.pop(0)
        if task.state != DEAD:
            task.wake(value)
            return True
    return False
