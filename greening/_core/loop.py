"""What stands for the loop: its greenlet, and its task."""

from typing import TYPE_CHECKING

from greenlet import greenlet

from greening._core.task import DEAD, Task

if TYPE_CHECKING:
    from greening._core.hub import Hub


class HubTask(Task):
    """Stands for the hub where the running task is asked for. It is never RUNNING: its stand-ins park."""

    __slots__ = ()

    def __init__(self, hub: "Hub") -> None:
        super().__init__(hub)
        self.name = "hub"
        self.state = DEAD


class HubGreenlet(greenlet):
    """The greenlet of the loop. Parent of every carrier.

    Attributes:
        depth: how many loops, suspended now, it was started from.
    """

    __slots__ = ("_greening_task", "depth")

    _greening_task: Task
    depth: int
