"""What `throw(*args)` would raise: the arguments that `kill` takes."""

from types import TracebackType
from typing import Any

from greenlet import GreenletExit


def exception_of(args: tuple[Any, ...]) -> BaseException:
    """The exception that `throw(*args)` would raise."""
    kind: Any = args[0] if args else GreenletExit
    value: Any = args[1] if len(args) > 1 else None
    trace: TracebackType | None = args[2] if len(args) > 2 else None
    if isinstance(kind, type) and issubclass(kind, BaseException):
        if not isinstance(value, BaseException):
            value = kind() if value is None else kind(*value) if isinstance(value, tuple) else kind(value)
        error: BaseException = value
    elif isinstance(kind, BaseException):
        error = kind
    else:
        raise TypeError(f"an exception or an exception class is needed, not {kind!r}")
    return error.with_traceback(trace) if trace is not None else error
