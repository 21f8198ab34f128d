"""`sys._current_frames` with the frames of green threads, by their idents.

Facts: programs that write the stacks of all threads look for each thread of `threading.enumerate()` in what this
function returns, by its ident. The interpreter has one frame for each OS thread, that of what runs on it. While all
green threads wait, that is the hub's. faulthandler and py-spy read the same in C, and cannot be told of others.

Decision: while `threading` is patched, an OS thread's ident stands for its main greenlet, and each green thread that
has begun has its own.
"""

import sys
from collections.abc import Callable
from types import FrameType

from greening._core.current import hubs
from greening._core.task import RUNNING, Task
from greening._originals import current_frames as _of_os_threads
from greening._originals import get_ident


def current_frames() -> dict[int, FrameType]:
    """The innermost frame of each thread, green and native, by its ident. `sys._current_frames`.

    A green thread that runs compiled code only, or has not begun, has none, and is not in it.

    Thread-safety: call it in any OS thread. Other OS threads go on meanwhile.
    """
    found = _of_os_threads()
    if get_ident() in found:
        found[get_ident()] = sys._getframe(1)
    on_os_threads = dict(found)
    for hub in tuple(hubs):
        for task in (hub.main, *hub.tasks()):
            frame = frame_of(task, on_os_threads)
            if frame is not None:
                found[task.ident] = frame
    return found


def frame_of(task: Task, on_os_threads: dict[int, FrameType]) -> FrameType | None:
    """The innermost frame of a task.

    Args:
        on_os_threads: what runs on each OS thread: the running task has no frame of its own.
    """
    glet = task.greenlet
    if glet is None:
        return None
    return glet.gr_frame or (on_os_threads.get(task.hub.thread) if task.state == RUNNING and glet else None)


def install(add_undo: Callable[[Callable[[], object]], None]) -> None:
    """Put it in the place of the interpreter's own, unless the program has put something else there.

    Args:
        add_undo: called with a function that takes it back.
    """
    if sys._current_frames is _of_os_threads:
        sys._current_frames = current_frames
        add_undo(_give_back)


def _give_back() -> None:
    if sys._current_frames is current_frames:
        sys._current_frames = _of_os_threads


current_frames.__name__ = current_frames.__qualname__ = "_current_frames"
current_frames.__module__ = "sys"
