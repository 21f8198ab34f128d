"""Runners: the greenlets that green threads run on, used again and again.

Facts: on CPython 3.11+ a new greenlet maps and unmaps a chunk of data stack, which costs 5 us and more; a switch costs
0.2 us. A greenlet that is started on another's stack inherits its recursion depth.
Consequence: the runner of a finished green thread takes the next one, and new runners are started from the hub only.

A runner that something still refers to when its run ends - by reference, by weak reference, by an attribute - is
retired: code keyed by `greenlet.getcurrent()` must not find another green thread under the same object.
"""

import os
import sys
from sys import getrefcount
from typing import TYPE_CHECKING, Any
from weakref import getweakrefcount

from greenlet import GreenletExit, getcurrent, greenlet

from greening._compiled import accelerator
from greening._core.switching import HubOps
from greening._core.task import DEAD
from greening._originals import os_exit

if TYPE_CHECKING:
    from greening._core.hub import Hub

# Idle runners kept per hub. Each holds a stack chunk (16 KiB, mostly untouched) and its greenlet.
MAX_IDLE = 1000 if os.environ.get("GREENING_RECYCLE", "1") != "0" else 0


class Runner(greenlet):
    """Runs green threads, one after the other. `_greening_task` is the one it runs now."""

    __slots__ = ("_greening_task", "hub", "resume")

    def __init__(self, hub: "Hub") -> None:
        greenlet.__init__(self, parent=hub.greenlet)
        self.hub = hub
        self._greening_task: Any = None
        self.resume = self.switch


def end_of_forked_child(failure: BaseException | None = None) -> None:
    """End the child process: the green thread that called `fork`, which was its only one, has ended.

    As with OS threads: when the thread that forked returns, the child ends with status 0, without exit handlers.
    `sys.exit(3)` there means status 3, as in a main program, and an exception (which has been reported) 1.
    """
    status = 0 if failure is None or isinstance(failure, GreenletExit) else 1
    if isinstance(failure, SystemExit):
        if isinstance(failure.code, int):
            status = failure.code
        elif failure.code is None:
            status = 0
        elif sys.stderr is not None:
            sys.stderr.write(f"{failure.code}\n")
    flush_streams()
    os_exit(status & 0xFF)


def flush_streams() -> None:
    """Write what `sys.stdout` and `sys.stderr` hold, if they can."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue


class _Threshold:
    """In the place of `Hub.runner_refs`: records the count that it is compared with, and makes that runner retire."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def __lt__(self, other: int) -> bool:
        self.count = other
        return True


class _CountingHub(HubOps):
    """The part of a hub that `Runner.run` uses before it retires."""

    def __init__(self) -> None:
        self.greenlet = getcurrent()
        self.idle = []
        self.runners = set()
        # The compiled runner records the count here, since it finds a negative number.
        self.runner_refs: Any = _Threshold() if accelerator is None else -1
        self.main: Any = None


class _Nothing:
    __slots__ = ()

    def execute(self) -> None:
        return None


def unshared_references() -> int:
    """How many references a running runner has of its own. Counted, since CPython versions differ."""
    fake: Any = _CountingHub()
    runner = Runner(fake)
    fake.runners.add(runner)
    runner._greening_task = _Nothing()
    if accelerator is not None:
        accelerator.learn_runner(runner)
    resume = runner.resume
    del runner
    resume()
    return int(fake.runner_refs.count if accelerator is None else fake.runner_refs)


def _run(self: Runner) -> None:
    """Body of the greenlet: execute `_greening_task`, go idle, be given the next."""
    hub = self.hub
    ready = hub.ready
    while True:
        task = self._greening_task
        task.execute()
        if hub.main is task:
            end_of_forked_child(getattr(task, "failure", None))
        # To free the task may run finalisers. They find no task here; one that waits gets a task of its own.
        task = None
        del self._greening_task
        if hub.runner_refs < getrefcount(self) or len(hub.idle) >= MAX_IDLE or getweakrefcount(self) or self.__dict__:
            break
        self.gr_context = None
        in_time = hub.turn_begins()
        mine = (self,)
        # From here to the switch nothing is called: a finaliser that blocks would resume as the next green thread.
        resume = hub._enter
        if in_time and ready and ready[0].state != DEAD:
            following = ready[0]
            del ready[0]
            hub.switches_left -= 1
            if following.resume is None:  # it has not begun: it runs here
                following.resume = self.resume
                self.gr_context = following.context
                self._greening_task = following
                del following, mine
                continue
            resume = following.resume
            del following
        self._greening_task = hub.task
        hub.idle += mine
        del mine
        resume()
        del resume
        while self._greening_task is hub.task:
            # Nothing was switched, or a foreign greenlet has ended and its result came up here.
            hub._enter()
    hub.runners.discard(self)
    # Break the cycle with the bound method; the hub, our parent, takes over when we return.
    del self.resume


# The body of the greenlet is `_run`, or its double in runner.c, which has no frame that a switch would save.
Runner.run = _run if accelerator is None else accelerator.run_of(Runner, MAX_IDLE, end_of_forked_child)  # type: ignore[method-assign, assignment]  # greenlet's own calls a function that was given
