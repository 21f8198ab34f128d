"""Errors for a task that is not parked: a foreign greenlet switch has suspended it, or another error comes first.

A green thread may switch to a foreign greenlet (SQLAlchemy's bridge, say), which then parks in the engine. Meanwhile
the green thread is RUNNING and in no queue. Ctrl-C, a Timeout and a kill must reach it all the same.
"""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit

from greening._core.external import Backoff
from greening._core.names import who_and_where
from greening._core.task import DEAD, PARKED, READY, RUNNING, Task

if TYPE_CHECKING:
    from greening._core.hub import Hub


class DeliveryTask(Task):
    """A task that raises `error` in `target` as soon as it can. Append it to `hub.ready`.

    Args:
        wanted: called before each attempt; if it returns False, give up. None: never give up.
        interrupt: as `Task.interrupt`. True: the error has arrived, or somebody keeps it.
    """

    __slots__ = ("_error", "_interrupt", "_target", "_wanted")

    def __init__(
        self,
        hub: "Hub",
        target: Task,
        error: BaseException,
        wanted: Callable[[], bool] | None = None,
        interrupt: Callable[[Task, BaseException], bool] = Task.interrupt,
    ) -> None:
        super().__init__(hub)
        self.context = None
        self._target = target
        self._error = error
        self._wanted = wanted
        self._interrupt = interrupt

    def execute(self) -> None:
        """Run on a runner, as green threads do: the target may do anything next."""
        self.state = RUNNING
        target, look = self._target, Backoff(None)
        while (self._wanted is None or self._wanted()) and not self._interrupt(target, self._error):
            glet = target.greenlet
            if target.state == DEAD or glet is None or glet.dead:
                break
            if target.state == READY:  # with another error, which comes first
                self._again()
                self.park()
            elif glet in self.hub.stand_ins:
                # A finaliser or a signal handler waits on this greenlet. The error must not be raised in its code.
                self.state = PARKED
                self.park(self.hub.now() + look.next())
            else:
                self._again()  # before the throw: only the ready queue resumes this task after it
                glet.throw(self._error)
                break
        self.state = DEAD
        self.resume = None

    def _again(self) -> None:
        self.state = READY
        self.hub.ready.append(self)


def normalize_exception(args: tuple[Any, ...]) -> BaseException:
    """The exception that `greenlet.throw(*args)` would raise. `kill` takes the same arguments."""
    kind: Any = args[0] if args else GreenletExit
    value: Any = args[1] if len(args) > 1 else None
    trace: TracebackType | None = args[2] if len(args) > 2 else None
    if isinstance(kind, type) and issubclass(kind, BaseException):
        if not isinstance(value, BaseException):
            value = kind() if value is None else kind(*value) if isinstance(value, tuple) else kind(value)
        error: BaseException = value
    elif isinstance(kind, BaseException):
        error = kind
    else:
        raise TypeError(f"an exception or an exception class is needed, not {kind!r}")
    return error.with_traceback(trace) if trace is not None else error


def kill_error(throw_args: tuple[Any, ...]) -> BaseException:
    """What `kill(*throw_args)` raises; without arguments, a GreenletExit that says who killed, and where."""
    return normalize_exception(throw_args) if throw_args else GreenletExit(f"killed by {who_and_where()}")
