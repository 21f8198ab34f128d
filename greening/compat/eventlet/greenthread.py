"""eventlet.greenthread."""

import warnings
from collections.abc import Callable
from typing import Any

import greenlet as greenlet

from greening._core.greenthread import (
    GreenThread,
    getcurrent,
    kill,
    spawn,
    spawn_after,
    spawn_after_local,
    spawn_n,
)
from greening._core.task import Task
from greening._core.waiting import sleep_or_look as sleep
from greening.compat.eventlet.hubs.timer import LocalTimer, Timer
from greening.errors import GreenletExit
from greening.timeout import Timeout, with_timeout

__all__ = [
    "GreenThread",
    "GreenletExit",
    "TimeoutError",
    "call_after",
    "call_after_global",
    "call_after_local",
    "cancel",
    "exc_after",
    "getcurrent",
    "kill",
    "sleep",
    "spawn",
    "spawn_after",
    "spawn_after_local",
    "spawn_n",
    "with_timeout",
]


class TimeoutError(Timeout):  # eventlet's name
    """`Timeout` by its name of 2009, which is no built-in TimeoutError. Deprecated."""

    def __init__(self, seconds: float | None = None, exception: Any = None) -> None:
        _deprecated("TimeoutError", "Timeout")
        super().__init__(seconds, exception)


def _deprecated(old: str, new: str) -> None:
    warnings.warn(f"eventlet's {old} is deprecated: use {new}", DeprecationWarning, stacklevel=3)


def cancel(g: GreenThread[Any], *throw_args: Any) -> None:
    """`g.cancel(*throw_args)`: kill it, but only if it has not started."""
    g.cancel(*throw_args)


def call_after_global(seconds: float, func: Callable[..., object], *args: Any, **kwargs: Any) -> Timer:
    """Have `func` called after `seconds`. Deprecated: `spawn_after` does the same.

    Returns:
        A timer, whose `cancel()` prevents the call.
    """
    _deprecated("call_after_global", "spawn_after")
    return Timer(seconds, func, *args, **kwargs).schedule()


def call_after_local(seconds: float, function: Callable[..., object], *args: Any, **kwargs: Any) -> Timer:
    """Have `function` called after `seconds`, unless the caller has ended by then. Deprecated: `spawn_after_local`.

    Returns:
        A timer, whose `cancel()` prevents the call.
    """
    _deprecated("call_after_local", "spawn_after_local")
    return LocalTimer(seconds, function, *args, **kwargs).schedule()


call_after = call_after_local


def exc_after(seconds: float | None, *throw_args: Any) -> Timer:
    """Raise an exception in the caller after `seconds`, unless it is cancelled. Deprecated: `Timeout`.

    Args:
        seconds: relative; None: never.
        throw_args: as those of `kill`.
    """
    _deprecated("exc_after", "Timeout(seconds, exception)")
    me: Task = getcurrent()
    timer = LocalTimer(seconds or 0, me.throw, *throw_args)
    return timer if seconds is None else timer.schedule()
