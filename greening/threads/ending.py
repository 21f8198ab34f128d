"""A deadlock at the end of a program, where `threading` waits for the threads that are left.

Facts: CPython reports what `threading._shutdown` raises as ignored, and ends with the exit status that it would have
had without it. The status cannot be set any more, with one exception: it is 120 when `sys.stderr` cannot be flushed at
the end (sys.exit, "Changed in version 3.6"). Finalisers and exit functions still run.

Decision: a deadlock at the end is told as any error of the main thread is, by `sys.excepthook`. The program ends with
status 120, since its threads have not done their work. If a `Deadlock` has ended the main thread already, it has been
told, and the status is 1: nothing is said again.

Ctrl-C at the end is told as CPython tells it: it is ignored, and where in the stdlib it came.
"""

import io
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from greening._core.deadlock import SETTINGS
from greening._core.unhandled import report_unraisable, without_ours
from greening.errors import Deadlock


class Unflushable:
    """A stream whose `flush` fails, for the exit status. All else is that of the stream that it stands for."""

    closed = False  # CPython flushes none that is closed

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def flush(self) -> None:
        """Flush the stream, and fail all the same.

        Raises:
            OSError: always. CPython ignores it, and sets the exit status to 120.
        """
        with suppress(ValueError):  # it is closed
            self._stream.flush()
        raise OSError("the program ended in a deadlock")


def was_told() -> bool:
    """Whether a `Deadlock` has ended the main thread, and was shown."""
    return isinstance(getattr(sys, "last_value", None), Deadlock)


def ending_in_order(shutdown: Callable[[], object]) -> Callable[[], None]:
    """`threading._shutdown` that tells of a deadlock once, and has the program end with another status than 0.

    Args:
        shutdown: the stdlib's own.
    """

    def _shutdown() -> None:
        if was_told() and SETTINGS.grace is not None:
            SETTINGS.grace = 0.0  # no signal has come for so long already
        try:
            shutdown()
        except Deadlock as error:
            if was_told():
                return
            sys.excepthook(type(error), error.with_traceback(None), None)
            sys.stderr = Unflushable(io.StringIO() if sys.stderr is None else sys.stderr)
        except KeyboardInterrupt as error:
            trace = without_ours(error.__traceback__)
            report_unraisable(error.with_traceback(trace), "Exception ignored on threading shutdown", None)

    _shutdown.__module__ = "threading"
    _shutdown.__qualname__ = "_shutdown"
    return _shutdown
