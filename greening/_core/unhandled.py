"""An exception that was not caught in a green thread is reported once, where `threading` would report it."""

import _thread
import sys
from typing import Any


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
