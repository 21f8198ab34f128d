"""Green threads that start later."""

from collections.abc import Callable
from typing import Any, TypeVar

from greening._core.current import current, get_hub
from greening._core.greenthread import GreenThread, never_start
from greening._core.task import Task
from greening._core.timers import deadline_after
from greening.errors import GreenletExit

T = TypeVar("T")


def spawn_after(seconds: float, func: Callable[..., T], /, *args: Any, **kwargs: Any) -> GreenThread[T]:
    """Like `spawn`, but not before `seconds` (relative) have passed. `cancel()` prevents the start."""
    if not callable(func):
        raise TypeError(f"a callable is needed, not {func!r}")
    hub = get_hub()
    deadline = deadline_after(hub.now(), seconds)
    thread = GreenThread(hub, func, args, kwargs)
    thread._start_timer = hub.call_at(deadline, _start, thread)
    return thread


def _start(thread: GreenThread[Any]) -> None:
    thread._start_timer = None
    thread.hub.ready.append(thread)


def spawn_after_local(seconds: float, func: Callable[..., T], /, *args: Any, **kwargs: Any) -> GreenThread[T]:
    """Like `spawn_after`, but it does not start if the calling green thread has ended by then."""
    if not callable(func):
        raise TypeError(f"a callable is needed, not {func!r}")
    creator = current()
    hub = creator.hub
    deadline = deadline_after(hub.now(), seconds)
    thread = GreenThread(hub, func, args, kwargs)
    thread._start_timer = hub.call_at(deadline, _start_local, thread, creator)
    return thread


def _start_local(thread: GreenThread[Any], creator: Task) -> None:
    _start(thread)
    if isinstance(creator, GreenThread) and creator.dead:
        never_start(thread, GreenletExit())
