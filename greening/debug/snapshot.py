"""The stacks of all green threads, and of the OS threads, at one moment.

Facts: `sys._current_frames`, and what is made of it (faulthandler, py-spy, pytest-timeout), has one stack for each OS
thread: that of the greenlet which runs on it. While all green threads wait it is the hub's. The frames of the others
hang on their greenlets.

Other OS threads go on meanwhile: what they do may be seen half done.
"""

import linecache
import reprlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

from greening._core import deadlock
from greening._core.current import hubs
from greening._core.greenthread import GreenThread
from greening._core.running import known_task
from greening._core.task import RUNNING, Task
from greening._originals import current_frames, get_ident
from greening.debug.frames import name_in, users_frame
from greening.debug.places import spawn_place
from greening.debug.waits import Seen, Wait, oldest_first, titled, wait_of


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a stack.

    Attributes:
        file, line, function: where it is. function: with its class, if it has one.
        source: the text of the line; "": it cannot be read.
        locals: the reprs of the local variables, if they were asked for, by name.
    """

    file: str
    line: int
    function: str
    source: str
    locals: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Stack:
    """A green thread, a main greenlet, or an OS thread without one, at one moment.

    Attributes:
        name: its name and function: "GreenThread-5 (fetch)".
        ident: as `threading.get_ident()` gives it in that thread; 0: it has never been asked for.
        os_thread: `ident` of the OS thread that it runs in.
        kind: "green", "main" (the main greenlet of an OS thread), or "native" (an OS thread without a hub).
        wait: what it does or waits for.
        age: seconds since it was spawned; None: unknown.
        frames: the whole stack, the innermost call last. Empty: it has not begun, or is in a C function.
        spawned: the stack of the call that spawned it, if that was kept: see `keep_places`.
    """

    name: str
    ident: int
    os_thread: int
    kind: str
    wait: Wait
    age: float | None
    frames: tuple[Frame, ...]
    spawned: tuple[Frame, ...]


def stacks(*, locals: bool = False) -> list[Stack]:
    """Every green thread of every hub, the main greenlets, and the OS threads that have no hub.

    Args:
        locals: add the `repr` of each local variable, cut off at 200 characters. That runs foreign code.
    Returns:
        For each hub the main greenlet, and then its green threads, the oldest first; the OS threads are the last.
    Thread-safety: call it in any OS thread. Other OS threads go on meanwhile.
    Difference from `sys._current_frames`: that has one stack for each OS thread.
    """
    seen, current = Seen(), current_frames()
    found = []
    for hub in tuple(hubs):
        for task in (hub.main, *oldest_first(hub)):
            found.append(_stack(task, seen, current, locals))
    with_hubs = {hub.thread for hub in tuple(hubs)}
    for ident in current.keys() - with_hubs:
        name, frames = _native_name(ident), frames_of(current[ident], locals)
        found.append(Stack(name, ident, ident, "native", Wait("running"), None, frames, ()))
    current.clear()  # it refers to this frame, and this frame to it
    return found


def stack_of(task: Task) -> Stack:
    """One of them. Thread-safety: as `stacks`."""
    current = current_frames()
    found = _stack(task, Seen((task.hub,)), current, False)
    current.clear()
    return found


def _stack(task: Task, seen: Seen, current: dict[int, FrameType], locals: bool) -> Stack:
    hub = task.hub
    wait = wait_of(task, seen)
    frame = task.gr_frame
    if frame is None and is_running(task):
        frame = current.get(hub.thread)
    if wait.object is not None and (name := name_in(users_frame(frame), wait.object)):
        title = titled(wait.object)
        wait = wait.renamed(title, f"{name} ({title})")
    age = task.age() if isinstance(task, GreenThread) else None
    kind = "main" if task is hub.main else "green"
    place = spawn_place(task)
    return Stack(
        title_of(task), task.known_ident, hub.thread, kind, wait, age, frames_of(frame, locals), frames_of_place(place)
    )


def is_running(task: Task) -> bool:
    """True for the task that its OS thread runs now: neither the loop, nor another one, nor a foreign greenlet."""
    glet = task.greenlet
    if task.hub.thread == get_ident():
        return known_task() is task
    return task.state == RUNNING and task.hub.awake_ident != 0 and glet is not None and glet.gr_frame is None


def title_of(task: Task) -> str:
    """Its name, and that of its `threading.Thread`, if that is another one. Of several main greenlets, also whose."""
    if task is task.hub.main and task.hub.thread != deadlock.first_thread:
        return f"main greenlet of {_native_name(task.hub.thread)}"
    thread = task.thread_object
    return task.name if thread is None or thread.name == task.name else f"{task.name} ({thread.name})"


def _native_name(ident: int) -> str:
    threading = sys.modules.get("threading")
    thread = getattr(threading, "_active", {}).get(ident)
    return f"OS thread {ident:#x}" if thread is None else f"OS thread {ident:#x} ({thread.name})"


# Frames


def frames_of(frame: FrameType | None, locals: bool = False) -> tuple[Frame, ...]:
    """A stack from its innermost frame, the innermost last. locals: see `stacks`."""
    frames = [_frame(each, locals) for each in _outwards(frame)]
    return tuple(reversed(frames))


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _frame(frame: FrameType, locals: bool) -> Frame:
    code, line = frame.f_code, frame.f_lineno or 0
    source = linecache.getline(code.co_filename, line, frame.f_globals).strip()
    values = {name: _repr(value) for name, value in tuple(frame.f_locals.items())} if locals else None
    return Frame(code.co_filename, line, code.co_qualname, source, values)


def frames_of_place(place: tuple[tuple[str, int, str], ...]) -> tuple[Frame, ...]:
    """A stack that was kept as (file, line, function), the innermost first."""
    return tuple(Frame(*entry, linecache.getline(*entry[:2]).strip()) for entry in reversed(place))


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200


def _repr(value: object) -> str:
    try:
        return _SHORT.repr(value)[:200]
    except Exception as error:  # noqa: BLE001  # the repr is anybody's code
        return f"<{type(value).__qualname__} whose repr raises {type(error).__name__}>"
