"""eventlet.support: small helpers that programs import from there."""

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

from greening.compat.eventlet.support import greendns, greenlets

__all__ = ["PY33", "bytes_to_str", "get_errno", "greendns", "greenlets", "wrap_deprecated"]

PY33 = False


def get_errno(exc: BaseException) -> Any:
    """The error number of an exception: its `errno`, or its first argument; None if it has neither."""
    number = getattr(exc, "errno", None)
    if number is not None:
        return number
    return exc.args[0] if exc.args else None


def bytes_to_str(b: bytes, encoding: str = "ascii") -> str:
    """Decode bytes."""
    return b.decode(encoding)


def wrap_deprecated(old: str, new: str) -> Callable[[Any], Any]:
    """A decorator: the use of what it decorates warns that `old` is deprecated, and that `new` takes its place.

    Args:
        old, new: names; those without a dot are eventlet's.
    Returns:
        For a class, a decorator that makes a subclass of the same name; for a function, one that makes a function.
    """
    names = [name if "." in name else f"eventlet.{name}" for name in (old, new)]

    def decorate(base: Any) -> Any:
        is_class = isinstance(base, type)
        call: Callable[..., Any] = getattr(base, "__init__") if is_class else base  # noqa: B009  # mypy: it is unsound

        @wraps(call)
        def warned(*args: Any, **kwargs: Any) -> Any:
            warnings.warn("{} is deprecated: use {}".format(*names), DeprecationWarning, stacklevel=2)
            return call(*args, **kwargs)

        if not is_class:
            return warned
        members = {"__init__": warned, "__module__": base.__module__, "__doc__": base.__doc__}
        return type(base)(base.__name__, (base,), members)

    return decorate
