"""Samples: what runs on a hub's OS thread at this moment, seen from another OS thread.

Facts: the interpreter's `sys._current_frames` gives the innermost frame of each OS thread, so that of the greenlet that
runs there; in a patched program another one is in its place, which has the main greenlet under that ident. A stack ends
with the greenlet. An OS thread that computes in Python gives up the GIL a few milliseconds after another one asks for
it. One that is in a C function which keeps the GIL gives it up when that returns, at the line of the call.
Consequence: who asks for the GIL meanwhile and then looks finds the line that kept it.
"""

import os
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

from greening._core.hub import Hub
from greening._core.names import callable_of, function_name
from greening._core.task import RUNNING, Task
from greening._originals import current_frames, os_close, os_open, os_read
from greening.debug.frames import is_machinery_file

# Frames of a stack, at most: a recursion may have thousands.
DEPTH = 200


class Line(NamedTuple):
    """A line of a program that is being executed.

    Attributes:
        file: its path, as CPython has it; "<string>" and the like for code without one; "": a function in C.
        number: from 1 on; 0: unknown.
        function: the name of the function, with those around it ("Crawler.fetch").
    """

    file: str
    number: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number} in {self.function}" if self.file else f"{self.function}, in C"


# The outermost line first.
Stack = tuple[Line, ...]


def stack_of(frame: FrameType | None) -> Stack:
    """The lines of a frame and its callers. It begins with the first of the user's, if there is one."""
    lines: list[Line] = []
    while frame is not None and len(lines) < DEPTH:
        code = frame.f_code
        lines.append(Line(code.co_filename, frame.f_lineno or 0, code.co_qualname))
        frame = frame.f_back
    first = next((index for index in range(len(lines) - 1, -1, -1) if not is_machinery_file(lines[index].file)), None)
    return tuple(lines[first::-1]) if first is not None else tuple(lines[::-1])


def users_line(stack: Stack) -> Line:
    """The innermost line that is neither greening's nor the stdlib's; if there is none, the innermost of all."""
    return next((line for line in reversed(stack) if not is_machinery_file(line.file)), stack[-1])


def running_task(hub: Hub) -> Task | None:
    """The task that has the hub's OS thread. None: the hub itself has it.

    A foreign greenlet without a task of its own runs on behalf of the task that switched to it.
    """
    switched_away = None
    for task in (hub.main, *hub.tasks(), *tuple(hub.adopted)):
        if task.state == RUNNING:
            glet = task.greenlet
            if glet is not None and glet.gr_frame is None:
                return task
            switched_away = task
    return switched_away


class Sight(NamedTuple):
    """What an OS thread was at, at one moment.

    Attributes:
        task: the green thread, or the main greenlet; None: the hub itself. It may have ended since.
        name: its name at that moment.
        function: what it ran.
        frame: the innermost one. It may have gone on since. None: a function in C, which has none.
        lasti: its instruction at that moment.
        stack: its lines at that moment.
    """

    task: Task | None
    name: str
    function: Callable[..., Any] | None
    frame: FrameType | None
    lasti: int
    stack: Stack


def see(hub: Hub) -> Sight | None:
    """What the hub's OS thread is at. None: it has ended. In another OS thread only."""
    frame, task = current_frames().get(hub.thread), running_task(hub)
    function = None if task is None else callable_of(task)
    name = "hub" if task is None else task.name
    if frame is not None:
        return Sight(task, name, function, frame, frame.f_lasti, stack_of(frame))
    # The runner is compiled, and so is the function of the green thread: nothing has a frame.
    return (
        None if task is None else Sight(task, name, function, None, 0, (Line("", 0, function_name(function) or "?"),))
    )


class Use(NamedTuple):
    """What an OS thread has used of the processor, since it began.

    Attributes:
        ran: seconds on a processor.
        queued: seconds in which it could have run, and another had the processor.
    """

    ran: float
    queued: float


def use_of(native_id: int) -> Use | None:
    """What an OS thread of this process has used. None: the system does not tell, or it has ended.

    Source: proc_pid_schedstat(5), CONFIG_SCHED_INFO.
    """
    try:
        fd = os_open(f"/proc/self/task/{native_id}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        ran, queued = os_read(fd, 100).split()[:2]
    except (OSError, ValueError):
        return None
    finally:
        os_close(fd)
    return Use(int(ran) / 1e9, int(queued) / 1e9)
