"""eventlet.timeout."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from greening.timeout import Timeout, with_timeout

__all__ = ["Timeout", "is_timeout", "with_timeout", "wrap_is_timeout"]


def is_timeout(obj: object) -> bool:
    """True for a Timeout, a built-in TimeoutError, and whatever has a true attribute `is_timeout`."""
    return bool(getattr(obj, "is_timeout", False)) or isinstance(obj, TimeoutError)


def wrap_is_timeout(base: Any) -> Any:
    """Have `is_timeout` accept what `base` makes.

    Args:
        base: a class, which gets the attribute and is returned; or a function, which is wrapped: its results get it.
    """
    if isinstance(base, type):
        base.is_timeout = True  # type: ignore[attr-defined]  # that is what it is for
        return base
    make: Callable[..., Any] = base

    @wraps(make)
    def marked(*args: Any, **kwargs: Any) -> Any:
        made = make(*args, **kwargs)
        made.is_timeout = True
        return made

    return marked
