"""Errors for a task that does not park: it is suspended by a greenlet switch that is not ours, or has another error to
come first.

A foreign greenlet (SQLAlchemy's bridge, say) that a green thread switched to may park in the engine. The green thread
itself then is RUNNING and nowhere to be found; Ctrl-C, a Timeout and a kill have to reach it all the same.
"""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit

from greening._core.external import Backoff
from greening._core.task import DEAD, PARKED, READY, RUNNING, Task

if TYPE_CHECKING:
    from greening._core.hub import Hub


class DeliveryTask(Task):
    """Raises `error` in `target` as soon as that can be done. A runnable of its own: append it to `hub.ready`.

    Args:
        wanted: asked before each attempt; False: the error is not wanted any more. None: it always is.
    """

    __slots__ = ("_error", "_target", "_wanted")

    def __init__(
        self, hub: "Hub", target: Task, error: BaseException, wanted: Callable[[], bool] | None = None
    ) -> None:
        super().__init__(hub)
        self.context = None
        self._target = target
        self._error = error
        self._wanted = wanted

    def execute(self) -> None:
        """Run on a runner, as green threads do: what the target does next may be anything."""
        self.state = RUNNING
        target, look = self._target, Backoff(None)
        while (self._wanted is None or self._wanted()) and not target.interrupt(self._error):
            glet = target.greenlet
            if target.state == DEAD or glet is None or glet.dead:
                break
            if target.state == READY:  # with another error: after that one
                self._again()
                self.park()
            elif glet in self.hub.stand_ins:
                # Ours all the same: a finaliser or a signal handler waits on it. To raise there would be to raise
                # anywhere.
                self.state = PARKED
                self.park(self.hub.now() + look.next())
            else:
                self._again()  # before the throw, from which only the ready queue leads back
                glet.throw(self._error)
                break
        self.state = DEAD
        self.resume = None

    def _again(self) -> None:
        self.state = READY
        self.hub.ready.append(self)


# What `throw(*args)` would raise: the arguments that `kill` takes.


def normalize_exception(args: tuple[Any, ...]) -> BaseException:
    """The exception that `throw(*args)` would raise."""
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
