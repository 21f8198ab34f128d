"""Where green threads were spawned: kept on request, since each spawn then costs some microseconds more.

A green thread runs in a copy of its spawner's context. While places are kept, the copy is made by a function that
enters the place into it. So nothing at all is looked at while they are not.
"""

import sys
from contextvars import Context, ContextVar, copy_context
from typing import Final

from greening._core.task import Task
from greening._core.thread_ops import make_contexts_by

# The innermost calls that are kept of a spawn.
DEPTH = 16

Place = tuple[tuple[str, int, str], ...]

_PLACE: Final[ContextVar[Place]] = ContextVar("greening.spawn_place")


class _Keeping:
    """on: whether places are kept now."""

    __slots__ = ("on",)

    def __init__(self) -> None:
        self.on = False


_keeping: Final = _Keeping()


def keep_places(on: bool = True) -> None:
    """Keep the stack of each `spawn` from now on: `stacks` and `dump` then show where a green thread comes from.

    `GREENING_DEBUG=1` in the environment does so from the start. Threads that `threading` starts have an empty context
    by the stdlib's rule, and no place.

    Args:
        on: False: keep no more of them. What was kept stays.
    Thread-safety: call it in any OS thread; it is for all of them.
    """
    _keeping.on = on
    make_contexts_by(_context_with_place if on else copy_context)


def keeps_places() -> bool:
    """Whether places are kept now."""
    return _keeping.on


def _context_with_place() -> Context:
    context = copy_context()
    frame = sys._getframe(1)
    place: list[tuple[str, int, str]] = []
    while frame is not None and len(place) < DEPTH:
        if place or not frame.f_globals.get("__name__", "").startswith("greening."):
            code = frame.f_code
            place.append((code.co_filename, frame.f_lineno, code.co_qualname))
        if frame.f_back is None:
            break
        frame = frame.f_back
    context.run(_PLACE.set, tuple(place))
    return context


def spawn_place(task: Task) -> Place:
    """Where a green thread was spawned: (file, line, function), the innermost call first. Empty: that was not kept."""
    context = getattr(task, "context", None)  # a main greenlet has none in the Python source
    return () if context is None else context.get(_PLACE, ())
