"""Deadlocks: nothing is runnable, no timer is set, no task waits for a descriptor, no native call is pending."""

import _signal
import os
from typing import TYPE_CHECKING

from greening._core.running import task_of
from greening._originals import get_ident, get_native_id, getsignal, thread_count
from greening.errors import Deadlock

if TYPE_CHECKING:
    from greening._core.hub import Hub

# `get_native_id` of native threads that wake no task until they get work: the tpool's idle ones.
idle_natives: set[int] = set()

# Seconds until the next check while other OS threads exist: one that ends sends no wake-up.
LOOK_AGAIN = 1.0

_listdir = os.listdir


def report_deadlock(hub: "Hub") -> None:
    """Raise `Deadlock` in the main greenlet, unless something outside the hub may still wake a task.

    Another OS thread may: so only the process's first thread gets the error, and only when it is alone. A Python signal
    handler may, except `default_int_handler`, which only ends the program. Go decides alike.
    """
    if hub.thread != first_thread or _has_handler():
        return
    if _others_exist():
        hub.timers.add(hub.now() + LOOK_AGAIN, _nothing)
    elif not hub.wakeup.inbox:  # checked last: a thread that has ended may have posted before
        hub.raise_in_main(Deadlock(where_parked(hub)))


def is_alone(hub: "Hub") -> bool:
    """True when nothing can happen in this process until the caller, the main greenlet, goes on: so it may block."""
    return (
        hub.thread == first_thread
        and not (hub.ready or hub.wakeup.inbox or hub.external_waits or hub.registry.waiting())
        and hub.timers.next_deadline() is None
        and not _has_handler()
        and not _others_exist()
    )


def _others_exist() -> bool:
    # From /proc: `_thread._count` misses threads that have just been started, and those of C libraries. Both may wake
    # a task.
    try:
        threads = {int(name) for name in _listdir("/proc/self/task")}
    except OSError:
        return thread_count() > len(idle_natives)
    return not threads <= idle_natives | {get_native_id()}


def _nothing() -> None:
    return None


def _has_handler() -> bool:
    for handler in map(getsignal, range(1, _signal.NSIG)):
        handler = getattr(handler, "handler", handler)  # the patch of `signal` wraps each one
        if callable(handler) and handler is not _signal.default_int_handler and not isinstance(handler, int):
            return True
    return False


def where_parked(hub: "Hub") -> list[str]:
    """One line per parked task: its name, and the innermost line that is not the engine's."""
    lines = []
    for runner in hub.runners:
        task, frame = task_of(runner), runner.gr_frame
        if task is None or task is hub.task:
            continue
        if frame is None:  # a compiled function, run by a compiled runner
            if runner:
                lines.append(f"{task.name}: in C")
            continue
        inner = frame
        while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "greening":
            frame = frame.f_back
        frame = frame or inner
        lines.append(f"{task.name}: {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}")
    return sorted(lines)


# `get_ident()` of the OS thread that the process began with; in the child of a fork, of the one that forked.
first_thread = get_ident()
