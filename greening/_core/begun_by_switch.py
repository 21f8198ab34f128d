"""A green thread that is made without a function, and begins when somebody switches to it.

That is what eventlet's constructor makes: `GreenThread(hub.greenlet)`, and then `g.switch(function, args, kwargs)`,
mostly as the call of a timer. `spawn` makes no use of it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greenlet import greenlet

from greening._core.current import current
from greening._core.suspend import run_next, switch
from greening._core.task import Task
from greening._core.thread_ops import ThreadOps


def nobody() -> None:
    """The function of a green thread that has none; it is never called."""


class BegunBySwitch(Task):
    """The part of a green thread that knows how to begin without `spawn`."""

    __slots__ = ()

    _parent: Task | None = None

    if TYPE_CHECKING:  # of ThreadOps
        _func: Callable[..., Any] | None
        _args: tuple[Any, ...]
        wait: Callable[[], Any]

    def await_switch(self, parent: object) -> None:
        """Make this one that has no function yet. It has not begun, and can be killed.

        Args:
            parent: `hub.greenlet`, or the running task, whose `switch` then waits for the end. Another greenlet, or
                None: the running task.
        Raises:
            TypeError: `parent` is none of these.
        """
        if not (parent is None or isinstance(parent, Task | greenlet)):
            raise TypeError(f"a green thread is made by spawn(); GreenThread() takes hub.greenlet, not {parent!r}")
        self._parent = parent if isinstance(parent, Task) else current()
        ThreadOps.__init__(self, self._parent.hub, nobody, (), {})  # type: ignore[arg-type]  # a ThreadOps, too

    def main(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What runs in one that was begun by `switch`. Subclasses may do more."""
        return function(*args, **kwargs)

    def switch(self, *args: Any) -> Any:
        """Resume it, as the function `switch` of suspend.py does; or begin it, if it has no function yet.

        Args:
            args: for one that begins: its function, a tuple of arguments, a dictionary of keyword arguments.
        Thread-safety: complete.
        """
        if self._func is not nobody:
            return switch(self, *args)
        self._func, self._args = self.main, args
        run_next(self)
        if self._parent is not current():
            return ()
        self.wait()
        return None
