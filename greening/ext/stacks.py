"""The stacks of all green threads, as text, for tools that show stacks of OS threads only.

`sys._current_frames`, and what is made of it (faulthandler, pytest-timeout, py-spy), has one stack for each OS thread:
that of the greenlet which runs on it. While all wait it is the hub's.

    GreenThread-2
      File "program.py", line 12, in fetch
        return queue.get()
"""

import traceback
from collections.abc import Iterator
from types import FrameType

from greening._core.current import current, hubs
from greening._core.hub import Hub
from greening._core.task import Task

# The package of the frames that are left out where a green thread waits. Its last call before them says what for.
OURS = "greening"


def green_stacks() -> str:
    """One paragraph for each green thread that waits: its name, and its stack, the innermost call last.

    The caller is not in it, nor what has not begun yet. Frames of greening at the end are left out.

    Thread-safety: call it in any OS thread. Other OS threads go on meanwhile: what they do may be seen half done.
    """
    paragraphs = [text for hub in tuple(hubs) for text in _of_hub(hub)]
    return "\n".join(paragraphs) or "No other green thread waits.\n"


def _of_hub(hub: Hub) -> Iterator[str]:
    running = current()
    tasks = sorted((task for task in (hub.main, *hub.tasks()) if task is not running), key=lambda task: task.name)
    for task in tasks:
        frame = task.gr_frame
        if frame is not None or task is not hub.main:
            yield f"{_title(task)}\n{_stack(frame)}"


def _title(task: Task) -> str:
    thread = task.thread_object
    main = "main greenlet, " if task is task.hub.main else ""
    return f"{main}{task.name}" if thread is None or thread.name == task.name else f"{main}{task.name} ({thread.name})"


def _stack(frame: FrameType | None) -> str:
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == OURS and frame.f_back:
        frame = frame.f_back
    return "  in C\n" if frame is None else "".join(traceback.format_stack(frame))
