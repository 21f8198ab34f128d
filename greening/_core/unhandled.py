"""An exception that was not caught in a green thread is reported once, where `threading` would report it."""

import _thread
import sys
from typing import Any


def report_unhandled(error: BaseException, thread: Any) -> None:
    """Report an unhandled exception of `thread` (anything with a `name`).

    Goes to `threading.excepthook` where `threading` is loaded, so that a hook of the user's sees green threads too;
    else to the same default: a traceback on `sys.stderr` under the thread's name.

    Raises:
        what the hook raises if it is no Exception: SystemExit, KeyboardInterrupt.
    """
    threading = sys.modules.get("threading")
    hook = getattr(threading, "excepthook", None) or _thread._excepthook
    owner = thread.thread_object or thread
    try:
        hook(_thread._ExceptHookArgs([type(error), error, error.__traceback__, owner]))
    except Exception as failure:  # noqa: BLE001  # a broken hook must not kill the hub
        told: Any = Unraisable(failure, "exception in threading.excepthook", hook)
        sys.unraisablehook(told)


class Unraisable:
    """The shape of `sys.UnraisableHookArgs`, which cannot be made from Python."""

    def __init__(self, error: BaseException, message: str, culprit: Any) -> None:
        self.exc_type = type(error)
        self.exc_value = error
        self.exc_traceback = error.__traceback__
        self.err_msg = message
        self.object = culprit
