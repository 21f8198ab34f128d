"""Stand-ins: tasks for code that interrupts the park of a task, and waits itself.

Facts: a finaliser, a weakref callback or a signal handler runs on the stack of whatever it interrupts. That may be the
engine, between "this task is PARKED" and the switch; or the hub. If it waits, the same greenlet has to wait for two
things, one after the other, and the outer one may be woken first.
Decision: the inner wait gets a task of its own on the same greenlet. While that is parked, the outer task is held: its
turn, when it comes, is put off until the inner wait is over. So no wake-up goes to the wrong wait, and none is lost.
Where both wait for the same thing the inner wait is served first: the outer task is held, and could not use it.

A wait inside the hub moves the loop to another greenlet (`Hub.move`), so that everything else goes on.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

from greening._core.critical import uninterruptible
from greening._core.journal import JOURNAL, NAME
from greening._core.task import DEAD, READY, RUNNING, Task

if TYPE_CHECKING:
    from greening._core.hub import Hub


class _Hold(list[None]):
    """Its `clear` is the `resume` of a task that is held, and notes that the turn of that task has come.

    `clear` is a C method: between "this runner is idle" and the switch no Python code may run.
    """

    __slots__ = ("stand_in",)

    def __init__(self, stand_in: "StandIn") -> None:
        super().__init__((None,))
        self.stand_in = stand_in

    @property
    def greenlet(self) -> "greenlet":
        """The greenlet of the task that is held."""
        return self.stand_in.greenlet


@uninterruptible
class StandIn(Task):
    """Waits in place of `task`, whose park was interrupted, or which is the hub's. For one wait.

    `hub.stand_ins` has the innermost one of each greenlet.
    """

    __slots__ = ("_glet", "_outer")

    def __init__(self, hub: "Hub", task: Task) -> None:
        super().__init__(hub)
        self.state = RUNNING
        self._glet = getcurrent()
        # What is held meanwhile: the task, or its innermost stand-in so far. Not the hub's task, which is in no queue.
        self._outer: Task | None = hub.stand_ins.get(self._glet, None if task is hub.task else task)
        self.known_ident = task.ident
        self._name = task.name
        self.local_values = task.locals
        self.thread_object = task.thread_object
        hub.stand_ins[self._glet] = self
        if JOURNAL.on:
            JOURNAL.note(NAME, self, JOURNAL.number(hub.task), 0, f"{self._name}, interrupted")

    @property
    def greenlet(self) -> "greenlet":
        """The greenlet that it waits on."""
        return self._glet

    def place_in(self, lot: "list[Task]") -> int:
        """Its place in a wait queue: before the tasks that it holds, or the last."""
        held = (index for index, task in enumerate(lot) if task.greenlet is self._glet)
        return next(held, len(lot))

    def park(self, deadline: float | None = None) -> Any:
        """See `Task.park`."""
        hub = self.hub
        self.resume = self._glet.switch
        held = self._hold_all()
        moved = hub.move()
        try:
            return super().park(deadline)
        finally:
            self.resume = None
            for task, resume, hold in held:
                task.resume = resume
                if not hold and task.state == READY and task not in hub.ready:
                    hub.ready.append(task)
            if moved is not None:
                hub.move_back(moved)
            self._leave()

    def _hold_all(self) -> "list[tuple[Task, Callable[..., Any] | None, _Hold]]":
        """Hold every other task of this greenlet: its turn would resume the stand-in."""
        held = []
        outer = self._outer
        while outer is not None:
            hold = _Hold(self)
            held.append((outer, outer.resume, hold))
            outer.resume = hold.clear
            outer = outer._outer if isinstance(outer, StandIn) else None
        return held

    def cancel_park(self, keep_error: bool = False) -> None:
        """See `Task.cancel_park`."""
        super().cancel_park(keep_error)
        self._leave()

    def _leave(self) -> None:
        stand_ins = self.hub.stand_ins
        if stand_ins.get(self._glet) is self:
            if isinstance(self._outer, StandIn):
                stand_ins[self._glet] = self._outer
            else:
                del stand_ins[self._glet]


class Interruption:
    """Code that interrupts the park of `task`, the running one: a Timeout in that code is for its own waits."""

    __slots__ = ("_glet", "_hub", "_outer")

    def __init__(self, task: Task) -> None:
        hub = self._hub = task.hub
        self._glet = getcurrent()
        self._outer = hub.stand_ins.get(self._glet, None if task is hub.task else task)

    def interrupt(self, error: BaseException) -> bool:
        """Have its wait end with `error`. False: it does not wait. See `Task.interrupt`."""
        task: Task | None = self._hub.stand_ins.get(self._glet)
        while isinstance(task, StandIn):
            if task._outer is self._outer:
                return task.interrupt(error)
            task = task._outer
        return False


# What stands for the loop: its greenlet, and its task.


if TYPE_CHECKING:
    from greening._core.hub import Hub


class HubTask(Task):
    """The running task while the hub runs. It is never RUNNING: its stand-ins park."""

    __slots__ = ()

    def __init__(self, hub: "Hub") -> None:
        super().__init__(hub)
        self.name = "hub"
        self.state = DEAD

    @property
    def parent(self) -> Task:
        """The main greenlet's task: there comes out what is thrown into the hub."""
        return self.hub.main


class HubGreenlet(greenlet):
    """The greenlet of the loop. Parent of every runner.

    Attributes:
        depth: how many suspended loops it was started from.
    """

    __slots__ = ("_greening_task", "depth")

    _greening_task: Task
    depth: int
