"""A one-shot result that any number of green threads can wait for: eventlet's Event.

Not `threading.Event`: that one is a flag, goes up and down, and carries nothing. See `greening.green.threading` for it.
"""

from typing import Any, Final

from greening._core.current import current
from greening._core.lot import enter, guard, wait_chosen
from greening._core.task import Task


class _NotSent:
    def __repr__(self) -> str:
        return "NOT_SENT"


NOT_SENT: Final = _NotSent()


class Event:
    """Carries one value, or one exception, from a sender to all who wait. Thread-safe; `send` never switches."""

    __slots__ = ("__weakref__", "_error", "_result", "_waiters")

    def __init__(self) -> None:
        self._waiters: list[Task] = []
        self._result: Any = NOT_SENT
        self._error: tuple[Any, ...] | None = None

    def reset(self) -> None:
        """Make an event that was sent ready for another send.

        Raises:
            AssertionError: it was not sent.
        """
        if self._result is NOT_SENT:
            raise AssertionError("trying to re-reset() a fresh event")
        self._result = NOT_SENT
        self._error = None

    def ready(self) -> bool:
        """True when a value or an exception was sent."""
        return self._result is not NOT_SENT

    def has_result(self) -> bool:
        """True when a value was sent."""
        return self._result is not NOT_SENT and self._error is None

    def has_exception(self) -> bool:
        """True when an exception was sent."""
        return self._error is not None

    def poll(self, notready: Any = None) -> Any:
        """The value sent, or `notready`. Raises what was sent as an exception. Never parks."""
        return self._outcome() if self.ready() else notready

    def poll_result(self, notready: Any = None) -> Any:
        """The value sent, or `notready` when nothing or an exception was sent. Never parks."""
        return self._result if self.has_result() else notready

    def poll_exception(self, notready: Any = None) -> Any:
        """The exception sent (as the tuple given to `send_exception`), or `notready`. Never parks."""
        return self._error if self.has_exception() else notready

    def wait(self, timeout: float | None = None) -> Any:
        """Park until something is sent.

        Args:
            timeout: seconds from now; None: no limit.
        Returns:
            The value sent; None when the time ran out (it does not raise, as in eventlet).
        Raises:
            what was sent as an exception.
        """
        if self._result is NOT_SENT and not self._wait_sent(timeout):
            return None
        return self._outcome()

    def _wait_sent(self, timeout: float | None) -> bool:
        task = current()
        with guard:
            if self._result is not NOT_SENT:
                return True
            waiters = self._waiters
            enter(waiters, task)
        # A sender takes the whole list: a task that is not in it any more was chosen.
        wait_chosen(waiters, task, timeout, _nobody)
        return self._result is not NOT_SENT

    def send(self, result: Any = None, exc: Any = None) -> None:
        """Wake all who wait, with `result`, or with `exc` raised. Never switches.

        Args:
            exc: an exception, or a tuple (class, value[, traceback]).
        Raises:
            AssertionError: something was sent already; see `reset`.
        """
        with guard:
            if self._result is not NOT_SENT:
                raise AssertionError(f"trying to send() twice: this event carries {self._error or self._result!r} already")
            self._result = result
            if exc is not None:
                self._error = exc if isinstance(exc, tuple) else (exc,)
            waiters, self._waiters = self._waiters, []
            woken, waiters[:] = waiters[:], []
        for task in woken:
            task.wake()

    def send_exception(self, *args: Any) -> None:
        """Wake all who wait with an exception: an instance, a class, or (class, value, traceback)."""
        self.send(None, args)

    def _outcome(self) -> Any:
        if self._error is None:
            return self._result
        kind, *rest = self._error
        error = kind
        if isinstance(kind, type):
            value = rest[0] if rest else None
            error = value if isinstance(value, kind) else kind() if value is None else kind(value)
        raise error.with_traceback(rest[1]) if len(rest) > 1 else error

    def __repr__(self) -> str:
        state = "sent" if self.ready() else f"waiters={len(self._waiters)}"
        return f"<Event at {id(self):#x} {state}>"


def _nobody() -> None:
    return None
