"""Where a signal handler may not run at once: what is half done there would be lost with the error that it raises.

A function says so itself, by the decorator; `critical.guard` says it for the steps under it. Nobody looks at the names
of modules. Compiled functions need not say it: no handler runs in them.
"""

from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any, TypeVar

from greening._core.critical import guard

T = TypeVar("T", bound="type | Callable[..., Any]")

_codes: set[CodeType] = set()


def uninterruptible(what: T) -> T:
    """Declare a function, or all methods of a class."""
    members = vars(what).values() if isinstance(what, type) else (what,)
    for member in members:
        function = getattr(member, "__func__", member)
        if isinstance(function, FunctionType):
            _codes.add(function.__code__)
    return what


def is_uninterruptible(frame: FrameType | None) -> bool:
    """Whether the calling OS thread is in a critical step, or `frame`, the innermost, is of such a function."""
    return guard.is_owned() or (frame is not None and frame.f_code in _codes)
