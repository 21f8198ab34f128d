"""eventlet.queue. `Full` and `Empty` are the standard library's."""

from queue import Empty, Full
from typing import Any

from greening._core.greenthread import getcurrent
from greening._core.suspend import suspend
from greening._core.task import Task
from greening.sync.queue import LifoQueue, LightQueue, PriorityQueue, Queue

__all__ = ["Empty", "Full", "LifoQueue", "LightQueue", "PriorityQueue", "Queue"]


class Waiter:
    """A place where one green thread waits until another one wakes it. What comes while nobody waits is lost.

    eventlet's queues are made of it; greening's are not.
    Difference from eventlet's: every green thread may wake the one that waits, and not the hub alone.
    """

    __slots__ = ("greenlet",)

    def __init__(self) -> None:
        self.greenlet: Task | None = None

    @property
    def waiting(self) -> bool:
        """True while a green thread waits."""
        return self.greenlet is not None

    def __bool__(self) -> bool:
        return self.greenlet is not None

    def switch(self, value: Any = None) -> None:
        """Wake the one that waits, which runs next: its `wait` returns `value`."""
        if self.greenlet is not None:
            self.greenlet.switch(value)

    def throw(self, *throw_args: Any) -> None:
        """Wake the one that waits with an exception, which is given as to `kill`."""
        if self.greenlet is not None:
            self.greenlet.throw(*throw_args)

    def wait(self) -> Any:
        """Park until it is woken.

        Returns:
            What `switch` was given.
        Raises:
            what `throw` was given. AssertionError: another green thread waits here.
        """
        if self.greenlet is not None:
            raise AssertionError(f"{self!r} has its waiter already: one at a time")
        self.greenlet = getcurrent()
        try:
            return suspend()
        finally:
            self.greenlet = None

    def __repr__(self) -> str:
        state = " waiting" if self.waiting else ""
        return f"<{type(self).__name__} at {id(self):#x}{state} greenlet={self.greenlet!r}>"
