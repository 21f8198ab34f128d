"""Calls that green threads have Celery's event loop make: what becomes of a task is told in the loop, in order.

Facts: Celery, when it is told that a task has begun or ended, may send on the consumer's connection, and wait for the
answer: after a reconnect each acknowledgement raises the prefetch count again (basic.qos). The loop reads the same
connection. Two readers take each other's frames, and both wait for ever; that is what stops `-P threads` after a
restart of the broker. In prefork one process reads what the children say, and so all of it happens in the loop.
Decision: as in prefork. What is to be called waits in a queue, and an eventfd wakes the loop. Not the loop's
`call_soon`: it keeps no order, and what is put there by one of its own calls waits for the next event.

A signal's handler may ask for a call between any two steps of `call`, and may turn the loop as one of the calls.

The loop is replaced at each reconnect: what happens meanwhile waits for the new one.
"""

import logging
import os
from collections import deque
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("celery.pool")


class LoopCalls:
    """Calls in the order in which they were asked for, in Celery's event loop; if there is none, at once.

    Attributes:
        made: how many calls were made until now.
    Thread-safety: none; everything is called in the worker's OS thread.
    """

    def __init__(self) -> None:
        self.made = 0
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._bell = -1
        self._rung = False  # the loop has not come to it since
        self._loop: Any = None

    def register(self, loop: Any) -> None:
        """Use this loop from now on. Celery asks for it at its start, and after each reconnect."""
        if self._bell < 0:
            self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._loop = loop
        loop.add_reader(self._bell, self._answer)
        self.ring()

    def call(self, func: Callable[..., object], *args: Any) -> None:
        """Have `func(*args)` called. What it raises is logged."""
        if self._loop is None:
            self._make(func, args)
            return
        self._calls.append((func, args))
        if not self._rung:
            self.ring()

    def turn_while(self, more: Callable[[], object]) -> None:
        """Turn the loop as long as `more()` is true or there are calls, or until it is reset: the broker is lost.

        One of the loop's calls may do this, and another shutdown may be at it already. So the calls that wait may have
        been announced, and the generator of the loop may be at work.
        """
        self.ring()
        while self._is_heard() and (self._calls or more()):
            for _ in self._loop.create_loop():
                if not self._is_heard() or not (self._calls or more()):
                    break

    def _is_heard(self) -> bool:
        return self._loop is not None and self._bell in self._loop.readers

    def close(self) -> None:
        """The loop turns no more: make the calls that are left, and from now on all others at once."""
        if self._is_heard():
            self._loop.remove_reader(self._bell)
        self._loop = None
        if self._bell >= 0:
            os.close(self._bell)
            self._bell = -1
        while self._calls:
            func, args = self._calls.popleft()
            self._make(func, args)

    def ring(self) -> None:
        """Have the loop come here, if there is one, though there may be no call."""
        if self._bell >= 0:
            self._rung = True
            os.eventfd_write(self._bell, 1)

    def _answer(self) -> None:
        """In the loop: make the calls that were asked for until now."""
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:  # rung for an earlier loop, and answered there
            pass
        self._rung = False
        try:
            for _ in range(len(self._calls)):
                if not self._calls:  # one of them turned the loop
                    break
                func, args = self._calls.popleft()
                self._make(func, args)
        finally:
            if self._calls:
                self.ring()

    def _make(self, func: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.made += 1
        try:
            func(*args)
        except Exception as error:  # one task's end must not cost the next one its own
            if self._loop is not None and isinstance(error, self._loop.propagate_errors):
                raise  # the connection is lost: Celery connects anew
            logger.exception("what became of a task could not be told")
