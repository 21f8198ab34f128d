"""The end of an OS thread that has a hub: nothing of the hub stays behind.

Fact: a suspended greenlet in a cycle is never freed, and its stack keeps what it knows.
Decision: every greenlet of the hub ends. Green threads that wait get GreenletExit, so that their `finally` blocks run.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from greenlet import GreenletExit

from greening._core.critical import guard
from greening._core.task import DEAD, READY

if TYPE_CHECKING:
    from greening._core.hub import Hub

_ENDED: Final = "its OS thread has ended"
# How often a green thread is told that its OS thread ends, if it goes on waiting; how many times each may run then.
_LAST_CALLS = 3
_LAST_TURNS = 100


def close(hub: "Hub") -> None:
    """Leave no green thread, greenlet or file of `hub` behind. In its OS thread, in the main greenlet."""
    for _ in range(_LAST_CALLS):
        if not _end_parked(hub):
            break
    with guard:
        hub.bury(None, _ENDED)
    hub.closed = True
    hub.ready.clear()
    hub.turns = 0
    hub.greenlet.switch()  # the loop finds that it is closed, and returns here
    for carrier in hub.idle:
        carrier.throw()
    hub.idle.clear()
    hub.poller.close()
    hub.wakeup.close()


def _end_parked(hub: "Hub") -> bool:
    """Raise GreenletExit in every green thread that has begun, and let them run. False: there was none."""
    for task in hub.ready:
        if task.resume is None:
            task.lose(_ENDED)
    carried = [getattr(carrier, "_greening_task", hub.task) for carrier in hub.carriers]
    begun = [task for task in carried if task is not hub.task and task.state != DEAD]
    for task in begun:
        task.interrupt(GreenletExit(f"{task.name} was ended, since {_ENDED}"))
    main = hub.main
    for _ in range(_LAST_TURNS if begun else 0):
        main.state = READY
        hub.ready.append(main)
        with suppress(BaseException):  # of a green thread, for a main greenlet that has ended
            main.park()
        if not hub.ready:
            break
    return bool(begun)
