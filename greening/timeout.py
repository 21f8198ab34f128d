"""Timeouts around any code: eventlet's Timeout."""

from collections.abc import Callable
from math import inf
from types import CoroutineType, TracebackType
from typing import Any, TypeVar, overload

from greening._core.current import current
from greening._core.delivery import DeliveryTask
from greening._core.mistakes import not_callable, refuse_coroutine
from greening._core.shield import shield, shields
from greening._core.stand_in import Interruption
from greening._core.task import RUNNING, Task
from greening._core.timers import Timer, deadline_after, real_number

F = TypeVar("F")
T = TypeVar("T")


class Timeout(BaseException):
    """Raises itself in the green thread that made it, once `seconds` have passed, wherever that thread waits.

        with Timeout(5):
            slow()                # raises that very Timeout after five seconds

        with Timeout(5, False):
            slow()                # is left silently after five seconds

    It is a BaseException, so that `except Exception` in the code under it does not swallow it. Nested ones are told
    apart by identity. It starts when it is made. It cannot interrupt code that never waits.

    Args:
        seconds: relative; None: never; 0 or less: at the next switch.
        exception: an exception, or a class of one, that is raised instead of the Timeout; None or True: the Timeout;
            False: the Timeout, silent inside `with`.
    Raises:
        TypeError: `seconds` is not a real number, or `exception` not one of these. ValueError: `seconds` is nan.
        OverflowError: it is an integer too large.
    Thread-safety: none between OS threads: start and cancel it in the one that made it.
    """

    is_timeout = True

    # True: anything that is no exception may be given in its place, as a message; the Timeout itself is raised then.
    # False, because it is a mistake more often than not. Set while greening stands in for eventlet.
    takes_messages = False

    def __init__(self, seconds: float | None = None, exception: Any = None) -> None:
        self.args = (seconds, exception)  # what `super().__init__` does, in a third of its time
        if seconds is not None and not isinstance(seconds, (int, float)):
            seconds = real_number(seconds)
        if not (exception is None or isinstance(exception, bool) or _can_be_raised(exception) or self.takes_messages):
            raise TypeError(f"an exception, an exception class, None, True or False is needed, not {exception!r}")
        self.seconds = seconds
        self.exception = exception
        self._timer: Timer | None = None
        # The block of `shield` in which it was started.
        self._shield: shield | None = None
        # The task in which it has raised something, or is about to, and what.
        self._raised: tuple[Task | Interruption, BaseException] | None = None
        self.start()

    @property
    def pending(self) -> bool:
        """True while it can still fire."""
        return self._timer is not None and self._timer.pending

    def start(self) -> "Timeout":
        """Start it again, after `cancel`. It is for the green thread that calls this.

        Returns:
            The Timeout.
        Raises:
            AssertionError: it is pending.
        """
        timer = self._timer
        if timer is not None and timer.pending:
            raise AssertionError(f"{self!r} is already started; to restart it, cancel it first")
        seconds = self.seconds
        if seconds is None:
            return self
        task = current()
        hub = task.hub
        now = hub.now()
        deadline = deadline_after(now, seconds)
        self._shield = shields.get(task) if shields else None
        # In a finaliser or a signal handler that interrupts a wait, the wait to be ended is the handler's own.
        target = task if task.state == RUNNING else Interruption(task)
        # `hub.call_at` without its frame: 11 % of the row `timeout` in pure Python.
        self._timer = hub.timers.add(deadline, self._fire, target)
        if not hub.awake_ident:
            hub.wakeup.notify()
        if deadline <= now:
            hub.end_round()  # the next switch leads to the hub, which looks at the timers
        return self

    def _fire(self, task: Task | Interruption) -> None:
        error: BaseException = self
        if _can_be_raised(self.exception):
            try:
                error = self.exception() if isinstance(self.exception, type) else self.exception
            except Exception as failure:  # noqa: BLE001  # it is raised in the task, not in the hub
                error = failure
        self._raised = (task, error)
        if not isinstance(task, Task):
            task.interrupt(error)
        elif not self._interrupt(task, error):
            timer = self._timer
            again = DeliveryTask(task.hub, task, error, lambda: self._timer is timer, self._interrupt)
            task.hub.ready.append(again)

    def _interrupt(self, task: Task, error: BaseException) -> bool:
        """As `Task.interrupt`. A block of `shield` in which it was not started keeps the error."""
        block = shields.get(task) if shields else None
        if block is None or block is self._shield:
            return task.interrupt(error)
        timer = self._timer
        block.keep(error, lambda: self._timer is timer)
        return True

    def cancel(self) -> None:
        """Have it not fire. Does nothing when it is not pending."""
        timer = self._timer
        if timer is not None:
            timer.cancel()
            self._timer = None
        if self._raised is not None:
            task, error = self._raised
            self._raised = None
            if isinstance(task, Task) and task.error is error and task.state == RUNNING:
                # It fired in a call that did not have to wait and let others run: it has interrupted nothing.
                task.error = None

    def __enter__(self) -> "Timeout":
        if self._timer is None:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool | None:  # for a type checker: code behind a `return` in the block is not reached
        self.cancel()
        return value is self and self.exception is False

    def __str__(self) -> str:
        if self.seconds is None:
            return ""
        suffix = "" if self.seconds == 1 else "s"
        if self.exception is None or self.exception is True:
            return f"{self.seconds} second{suffix}"
        if self.exception is False:
            return f"{self.seconds} second{suffix} (silent)"
        return f"{self.seconds} second{suffix} ({self.exception})"

    def __repr__(self) -> str:
        state = "pending" if self.pending else "idle"
        return f"<{type(self).__name__} at {id(self):#x} seconds={self.seconds} exception={self.exception!r} {state}>"


def _can_be_raised(value: object) -> bool:
    return isinstance(value, BaseException) or (isinstance(value, type) and issubclass(value, BaseException))


_MISSING = object()


def started_at(timeout: Timeout) -> float | None:
    """The hub's time when a Timeout was started (absolute, seconds). None: it is not pending, or has no limit."""
    if timeout._timer is None or timeout.seconds is None or timeout.seconds == inf:
        return None
    return timeout._timer.when - timeout.seconds


@overload
def with_timeout(
    seconds: float | None, function: Callable[..., T], *args: Any, timeout_value: F, **kwargs: Any
) -> T | F: ...
@overload
def with_timeout(seconds: float | None, function: Callable[..., T], *args: Any, **kwargs: Any) -> T: ...
def with_timeout(seconds: float | None, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `function(*args, **kwargs)` under a `Timeout` of `seconds`.

    Args:
        seconds: relative; None: no limit.
        timeout_value: (keyword) returned when the time runs out; without it the Timeout is raised. A Timeout
            that was made outside this call, or by the function, passes through.
    Returns:
        What the function returned, or `timeout_value`.
    Raises:
        whatever the function raises. Timeout: the time ran out. TypeError, ValueError: `seconds` is no number.
        TypeError: `function` is not callable.
    """
    fallback = kwargs.pop("timeout_value", _MISSING)
    if not callable(function):
        raise not_callable(function, "with_timeout(seconds, ")
    timeout = Timeout(seconds)
    try:
        result: Any = function(*args, **kwargs)
        if type(result) is CoroutineType:
            refuse_coroutine(function, result)
        return result
    except Timeout as error:
        if error is timeout and fallback is not _MISSING:
            return fallback
        raise
    finally:
        timeout.cancel()
