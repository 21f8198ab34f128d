"""The current hub, the current task, and the list of all hubs.

The running task is an attribute of the running greenlet, so it is right after every switch, even one between foreign
greenlets. The hub of an OS thread is in a real thread-local. It is closed when the thread ends, except the first
thread's.
"""

from typing import Any, cast
from weakref import ref

from greenlet import getcurrent as _getcurrent
from greenlet import greenlet

from greening._compiled import accelerator
from greening._core import deadlock, finalization, fork
from greening._core.blocking import blocking_task
from greening._core.critical import guard, pause_gc, resume_gc, resume_gc_for_good
from greening._core.deadlock import report_deadlock
from greening._core.hub import Hub
from greening._core.journal import HUB, JOURNAL, NAME
from greening._core.poller import default_poller
from greening._core.running import ADOPTION, running_task
from greening._core.task import RUNNING, Task
from greening._core.timers import MonotonicClock
from greening._originals import get_ident, is_finalizing, real_local

_thread = real_local()
# Every hub whose OS thread lives. Appending and removing are atomic; a loop over it takes a copy.
hubs: list[Hub] = []


class ForeignTask(Task):
    """The task of a foreign greenlet. It refers to the greenlet only while that waits.

    A program may drop a greenlet half-way, and a suspended greenlet in a cycle is never freed.
    """

    __slots__ = ("_glet",)

    def __init__(self, hub: Hub, glet: greenlet) -> None:
        super().__init__(hub)
        self._glet = ref(glet)
        self.state = RUNNING

    @property
    def greenlet(self) -> greenlet | None:
        """The greenlet, as long as something refers to it."""
        return self._glet()

    def park(self, deadline: float | None = None) -> Any:
        """See `Task.park`."""
        self.resume = _getcurrent().switch
        try:
            return super().park(deadline)
        finally:
            self.resume = None


class _Closer:
    """Closes the hub when the OS thread ends: that frees the thread-local, and this with it."""

    __slots__ = ("hub",)

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def __del__(self) -> None:
        # The end of the interpreter frees this in another OS thread, and leaves the hub alone.
        if self.hub in hubs and self.hub.thread == get_ident():
            self.hub.close()
            hubs.remove(self.hub)
            # Finalisers of other thread-locals may run after this and wait: the OS thread blocks then.
            main = self.hub.main.greenlet
            if main is not None:
                del main._greening_task  # type: ignore[attr-defined]  # set by us


current = running_task


def _adopt(glet: greenlet) -> Task:
    hub = get_hub()
    task = getattr(glet, "_greening_task", None)  # get_hub() may have adopted the main greenlet
    if task is None:
        with guard:  # a finaliser that came here meanwhile would make a second task
            task = ForeignTask(hub, glet)
            hub.adopted.add(task)
            glet._greening_task = task  # type: ignore[attr-defined]  # greenlets have a __dict__
        if JOURNAL.on:
            JOURNAL.note(NAME, task, JOURNAL.number(hub.task), 0, task.name)
    return cast(Task, task)


def _adopt_to_wait(glet: greenlet) -> Task:
    return blocking_task() if hubless() and glet.parent is None else _adopt(glet)


ADOPTION.adopt = _adopt
ADOPTION.wait = _adopt_to_wait
ADOPTION.block = blocking_task


def get_hub() -> Hub:
    """The hub of this OS thread, made on first use."""
    try:
        return cast(Hub, _thread.hub)
    except AttributeError:
        return _make_hub()


def _make_it_of_this_thread() -> Hub:
    main = _getcurrent()
    while main.parent is not None:
        main = main.parent
    hub = Hub(main, MonotonicClock(), default_poller)
    main._greening_task = hub.main  # type: ignore[attr-defined]  # greenlets have a __dict__
    hub.on_deadlock = report_deadlock
    _thread.hub = hub
    if hub.thread != deadlock.first_thread:
        # The first thread's hub lives as long as the process: it must work while modules are torn down.
        _thread.closer = _Closer(hub)
    hubs.append(hub)
    hub.begin()
    if accelerator is not None:
        accelerator.note_running(hub.main)
    if JOURNAL.on:
        JOURNAL.note(HUB, hub.task, JOURNAL.number(hub.main), 0, f"{hub.thread:#x}")
    return hub


def _make_hub() -> Hub:
    finalization.hang_if_it_has_come()
    # A finaliser that waited meanwhile would make a second hub for this OS thread, or begin the loop of this one.
    pause_gc()
    try:
        hub = _make_it_of_this_thread()
    finally:
        resume_gc()
    finalization.hang_if_it_has_come(hub)
    return hub


def use_hub(hub: Hub | None) -> Hub | None:
    """Make `hub` the hub of this OS thread and return the one it had. For `greening.testing`."""
    before: Hub | None = getattr(_thread, "hub", None)
    if before is not None:
        hubs.remove(before)
        del _thread.hub
    if hub is not None:
        _thread.hub = hub
        hubs.append(hub)
    return before


def has_hub() -> bool:
    """True when this OS thread has a hub already."""
    return hasattr(_thread, "hub")


def hubless() -> bool:
    """True in an OS thread that may block: it has no hub, or the interpreter has no greenlets any more.

    Never true in the first OS thread while there are greenlets: a signal handler may interrupt its call and spawn.
    """
    try:
        if hasattr(_getcurrent(), "_greening_task") or has_hub():  # the first is the frequent case
            return False
    except RuntimeError:  # there are no greenlets any more
        if has_hub():
            return is_finalizing()
    return get_ident() != deadlock.first_thread


def in_hub() -> bool:
    """True when the hub itself is running, where nothing may block."""
    task = getattr(_getcurrent(), "_greening_task", None)
    return task is not None and task.hub.task is task


# The garbage collector rests from before a fork until the child's hubs are in order: a finaliser that parked would
# switch to a task that was ready in the parent.


def _after_fork_in_child() -> None:
    guard.after_fork()  # another OS thread may have held it
    deadlock.first_thread = get_ident()
    hub: Hub | None = getattr(_thread, "hub", None)
    for other in hubs:
        if other is not hub:
            _dead_hubs.append(other)
            other.wakeup.after_fork()
            other.wakeup.close()
            other.poller.close()
            other.mark_lost(None, "its OS thread stayed behind in the parent of a fork")
    hubs[:] = [] if hub is None else [hub]
    if hub is not None:
        hub.after_fork(current())
    resume_gc_for_good()


# Hubs of OS threads that do not exist in this child. Kept: their greenlets must not be unwound here.
_dead_hubs: list[Hub] = []

fork.before_fork(fork.ENGINE, pause_gc)
fork.on_parent(fork.ENGINE, resume_gc)
fork.on_child(fork.ENGINE, _after_fork_in_child)
finalization.prepare(hubs, guard)
