"""The signals that stop a worker are handled in Celery's event loop.

Facts: Celery's handlers of SIGTERM, SIGINT and SIGQUIT work with the consumer's connection: at a cold shutdown they
cancel the consumer, and wait for the broker's answer. If the loop waits in its poll meanwhile, a handler is a green
thread of its own, and the loop would read the answer that the handler waits for. If the loop is at work, a handler
interrupts it, perhaps in the middle of a frame: it would wait for ever for the lock that is held below it. At a cold
shutdown a handler turns the loop itself. What the loop was about to do with the answer of its poll is stale then.
Decision: a handler only asks the loop to do what Celery's handler does, between two turns. A loop that makes no calls,
because the worker is connecting anew, is not waited for.

Handlers install other handlers, for a second signal: so it is looked again after each.
"""

import logging
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from greening._core.greenthread import spawn_n
from greening.ext.celery_calls import LoopCalls
from greening.sync.semaphore import Semaphore

logger = logging.getLogger("celery.pool")

_NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_OWNER = "celery.apps.worker"
# Seconds without any call of the loop, until a handler runs without the loop.
_PATIENCE = 1.0

Handler = Callable[[int, FrameType | None], Any]


class LoopSignals:
    """Celery's handlers of signals, run by `calls`. Made in the OS thread that runs the loop."""

    def __init__(self, calls: LoopCalls) -> None:
        self._calls = calls

    def adopt(self, loop: Any) -> None:
        """Put handlers of ours in place of Celery's. Called when the loop begins, in the main thread or in another.

        Handlers of other programs, for instance of an application that runs a worker itself, are left alone.

        Args:
            loop: Celery's, that `calls` use, too.
        """
        for number in _NUMBERS:
            handler = signal.getsignal(number)
            if callable(handler) and getattr(handler, "__module__", None) == _OWNER:
                signal.signal(number, self._asking(handler, loop))

    def _asking(self, handler: Handler, loop: Any) -> Handler:
        def ask(number: int, frame: FrameType | None) -> None:
            begun = Semaphore(0)
            pending = [handler]

            def handle() -> None:
                if pending:
                    begun.release()
                    self._handle(pending.pop(), number, loop)

            self._calls.call(loop.call_soon, handle)
            spawn_n(self._without_the_loop, begun, handle)

        return ask

    def _without_the_loop(self, begun: Semaphore, handle: Callable[[], None]) -> None:
        made = -1
        while made != self._calls.made:
            made = self._calls.made
            if begun.acquire(timeout=_PATIENCE):
                return
        handle()

    def _handle(self, handler: Handler, number: int, loop: Any) -> None:
        try:
            handler(number, None)
        except Exception:  # the worker ends all the same
            logger.exception("Celery's handler of signal %d has failed", number)
        finally:
            self.adopt(loop)
            self._calls.ring()  # Celery looks when the loop's poll has returned
