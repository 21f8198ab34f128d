"""The end of an OS thread that has a hub: nothing of the hub stays behind.

Facts: a suspended greenlet in a cycle is never freed, and its stack keeps objects alive. While a finaliser that the
garbage collector called is suspended, nothing is collected in the whole process.
Decision: every greenlet of the hub ends. Suspended finalisers get some time to finish. Green threads that wait get
GreenletExit, so that their `finally` blocks run.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from greenlet import GreenletExit

from greening._core.critical import guard, pause_gc, resume_gc
from greening._core.parking_lot import ParkingLot
from greening._core.task import DEAD, READY

if TYPE_CHECKING:
    from greening._core.hub import Hub

_ENDED: Final = "its OS thread has ended"
# How many times GreenletExit is raised in a green thread that goes on waiting; how many turns it has after each.
_LAST_CALLS = 3
_LAST_TURNS = 100
# Seconds that suspended finalisers get to finish; seconds between two looks.
_PATIENCE = 1.0
_PAUSE = 0.0005


def close(hub: "Hub") -> None:
    """Leave no green thread, greenlet or file of `hub` behind. In its OS thread, in the main greenlet."""
    _await_finalisers(hub)
    for _ in range(_LAST_CALLS):
        if not _end_parked(hub):
            break
    # From here on a finaliser that waits is not resumed any more.
    pause_gc()
    try:
        _end_greenlets(hub)
    finally:
        resume_gc()
    hub.poller.close()
    hub.wakeup.close()


def _end_greenlets(hub: "Hub") -> None:
    with guard:
        hub.mark_lost(None, _ENDED)
    hub.closed = True
    hub.ready.clear()
    hub.switches_left = 0
    hub.greenlet.switch()  # the loop finds that it is closed, and returns here
    for runner in hub.idle:
        runner.throw()
    hub.idle.clear()


def _await_finalisers(hub: "Hub") -> None:
    """Let finalisers finish that wait on the greenlet of a loop, or of a green thread whose park they interrupted."""
    main = hub.main
    empty = ParkingLot()
    latest = hub.now() + _PATIENCE
    # Not a stand-in of the main greenlet: a finaliser on it may have called this.
    while any(task.greenlet is not main.greenlet for task in tuple(hub.stand_ins.values())) and hub.now() < latest:
        with suppress(BaseException):  # an error of a green thread for the main greenlet, which has ended
            empty.park(_PAUSE)


def _end_parked(hub: "Hub") -> bool:
    """Raise GreenletExit in every green thread that has begun, and let them run. False: there was none."""
    for task in hub.ready:
        if task.resume is None:
            task.orphan(_ENDED)
    begun = [task for task in hub.tasks() if task.state != DEAD]
    begun += [task for task in tuple(hub.stand_ins.values()) if task.greenlet is not hub.main.greenlet]
    for task in begun:
        task.interrupt(GreenletExit(f"{task.name} was ended, since {_ENDED}"))
    main = hub.main
    for _ in range(_LAST_TURNS if begun else 0):
        main.state = READY
        hub.ready.append(main)
        with suppress(BaseException):  # an error of a green thread for the main greenlet, which has ended
            main.park()
        if not hub.ready:
            break
    return bool(begun)
