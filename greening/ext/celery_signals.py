"""The signals that stop a worker are handled in Celery's event loop.

Facts: Celery's handlers of SIGTERM, SIGINT and SIGQUIT work with the consumer's connection: at a cold shutdown they
cancel the consumer, and wait for the broker's answer. A native handler interrupts the loop, which goes on when it has
returned. Here, while the loop waits in its poll, a handler is a green thread of its own; the loop would read the answer
that the handler waits for.
Decision: a handler only asks the loop to do what Celery's handler does. A loop that does not come to it, because the
worker is connecting anew, is not waited for.

Handlers install other handlers, for a second signal: so it is looked again after each.
"""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from greening._core.current import current
from greening._core.greenthread import spawn_after
from greening._core.task import Task
from greening.ext.celery_calls import LoopCalls

_NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_OWNER = "celery.apps.worker"
# Seconds until a handler runs without the loop.
_PATIENCE = 1.0

Handler = Callable[[int, FrameType | None], Any]


class LoopSignals:
    """Celery's handlers of signals, run by `calls`. Made in the OS thread that runs the loop."""

    def __init__(self, calls: LoopCalls) -> None:
        self._calls = calls
        self._loop_task: Task | None = None

    def adopt(self) -> None:
        """Put handlers of ours in place of Celery's. Called by the loop's task, in the main thread or in another.

        Handlers of other programs, for instance of an application that runs a worker itself, are left alone.
        """
        self._loop_task = current()
        self._replace()

    def _replace(self) -> None:
        for number in _NUMBERS:
            handler = signal.getsignal(number)
            if callable(handler) and getattr(handler, "__module__", None) == _OWNER:
                signal.signal(number, self._asking(handler))

    def _asking(self, handler: Handler) -> Handler:
        def ask(number: int, frame: FrameType | None) -> None:
            if current() is self._loop_task:
                self._handle(handler, number)
                return
            pending = [handler]

            def handle() -> None:
                if pending:
                    late.cancel()
                    self._handle(pending.pop(), number)

            late = spawn_after(_PATIENCE, handle)
            self._calls.call(handle)

        return ask

    def _handle(self, handler: Handler, number: int) -> None:
        try:
            handler(number, None)
        finally:
            self._replace()
