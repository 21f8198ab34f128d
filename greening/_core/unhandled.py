"""An exception that was not caught in a green thread is reported once, where `threading` would report it."""

import _thread
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from greening.errors import Deadlock


class _Reports:
    """Where reports go.

    Attributes:
        to_stderr: True: to standard error in any case, also if a program's own `threading.excepthook` gets them. Set by
            greening.compat: programs for eventlet look for them there.
    """

    to_stderr = False


REPORTS = _Reports()


def report_unhandled(error: BaseException, thread: Any) -> None:
    """Report an unhandled exception of `thread` (anything with a `name`).

    `threading.excepthook` gets it where `threading` is loaded, so that a user's hook sees green threads, too. Otherwise
    the same default does: it writes a traceback to `sys.stderr` under the thread's name.

    Raises:
        what the hook raises if it is no Exception: SystemExit, KeyboardInterrupt.
    """
    threading = sys.modules.get("threading")
    hook = getattr(threading, "excepthook", None) or _thread._excepthook
    owner = thread.thread_object or thread
    args = _thread._ExceptHookArgs([type(error), error, error.__traceback__, owner])
    try:
        if REPORTS.to_stderr and hook is not _thread._excepthook:
            _thread._excepthook(args)
        hook(args)
    except Exception as failure:  # noqa: BLE001  # a broken hook must not kill the hub
        report_unraisable(failure, "exception in threading.excepthook", hook)


def report_unraisable(error: BaseException, message: str, culprit: Any) -> None:
    """Give `error`, which no caller can be told of, to `sys.unraisablehook`. Raises nothing that is an Exception."""
    # The type has no name in any module; without it the interpreter's own hook does not take the arguments.
    kind: Any = next(kind for kind in tuple.__subclasses__() if kind.__name__ == "UnraisableHookArgs")
    try:
        sys.unraisablehook(kind((type(error), error, error.__traceback__, message, culprit)))
    except Exception as failure:  # noqa: BLE001  # a broken hook must not cost the caller what it does next
        sys.__excepthook__(type(failure), failure, failure.__traceback__)


# The traceback of Ctrl-C, and of a deadlock: where the engine waited is of no interest.


def without_ours(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of greening. The frames of the program, and those of the stdlib, stay."""
    theirs = []
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] != "greening":
            theirs.append(trace)
        trace = trace.tb_next
    for each in reversed(theirs):
        trace = TracebackType(trace, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return trace


class _Once:
    """In the place of `sys.excepthook`, for the next exception that ends the program: it is shown without our frames.

    On its way up the frames of the engine are added to its traceback, and no code of ours comes later than the hook.
    """

    def __init__(self, hook: Callable[..., object]) -> None:
        self._hook = hook

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> object:
        if sys.excepthook is self:
            sys.excepthook = self._hook
        if isinstance(error, (KeyboardInterrupt, Deadlock)):
            error.__traceback__ = sys.last_traceback = trace = without_ours(trace)
        return self._hook(kind, error, trace)


def hide_our_frames() -> None:
    """A KeyboardInterrupt, or a `Deadlock`, is on its way to the main greenlet: have it shown without our frames."""
    if not isinstance(sys.excepthook, _Once):
        sys.excepthook = _Once(sys.excepthook)
