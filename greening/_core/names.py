"""Names of tasks: "GreenThread-5 (fetch)", as `threading` names its threads since Python 3.10.

Facts: most tasks are never asked for their name. To number each at its spawn would leave gaps wherever tasks of another
kind are made in between.
Decision: a task gets its name when it is asked for it first. Each kind is numbered by itself: 1, 2, 3. The function is
that of the user: what a pool or a server runs on behalf of another function is named after that one.
"""

import sys
from collections.abc import Callable, Iterable
from itertools import count
from types import FrameType
from typing import TYPE_CHECKING, Any

from greening._core.running import known_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from greening._core.task import Task

# The modules whose frames are no place in a program: it waits in the one that called them.
_NO_PLACES = ("greening", "selectors", "socket", "ssl")

# The next number of each kind of task.
_numbers: "dict[str, Iterator[int]]" = {}


def new_name(task: "Task") -> str:
    """A name for a task that has none. Thread-safe.

    Returns:
        "GreenThread-5 (fetch)"; without the function for a task that has none, or none any more.
    """
    kind = type(task).__name__
    number = next(_numbers.setdefault(kind, count(1)))
    function = function_of(task)
    return f"{kind}-{number} ({function})" if function else f"{kind}-{number}"


def function_of(task: "Task") -> str:
    """What the function of a green thread is called; "": it has none, or none any more. It gets no name by this."""
    return function_name(callable_of(task))


def callable_of(task: "Task") -> Callable[..., Any] | None:
    """What a green thread runs. None: it is no green thread, or it has ended."""
    return getattr(task, "_func", None)


def function_name(function: Callable[..., Any] | None) -> str:
    """What a function, or anything that is called, is called by its user. "": nothing is known.

    An object of ours that calls a function of the user's has that as its `named_after`.
    """
    for _ in range(10):  # a partial may be of a partial
        owner = getattr(function, "__self__", function)
        ours = type(owner).__module__.startswith("greening.")
        inner = getattr(owner, "named_after", None) if ours else None
        if inner is None and type(function).__name__ == "partial":
            inner = getattr(function, "func", None)
        if inner is None or inner is function:
            break
        function = inner
    if function is None:
        return ""
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


def printable(text: str) -> str:
    """A text for one line of a terminal or a log. A name is anybody's: what would move the cursor is escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def distinct(names: Iterable[str]) -> list[str]:
    """The same names; of several that are equal, the later ones with a number: "worker", "worker #2"."""
    found: dict[str, None] = {}
    counts: dict[str, int] = {}
    for plain in names:
        name = plain
        while name in found:
            counts[plain] = counts.get(plain, 1) + 1
            name = f"{plain} #{counts[plain]}"
        found[name] = None
    return list(found)


def program_frame(frame: FrameType | None) -> FrameType | None:
    """Where the program is: the innermost frame that is neither ours nor of a module that waits for the program."""
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _NO_PLACES:
        frame = frame.f_back
    return frame


def who_and_where() -> str:
    """The running task, and the line of its user, for messages: "GreenThread-2 (stop), app.py:12 in stop"."""
    task = known_task()
    name = "another OS thread" if task is None or task.hub.task is task else task.name
    frame = program_frame(sys._getframe(1))
    return name if frame is None else f"{name}, {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
