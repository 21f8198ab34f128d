"""A one-shot result that any number of green threads can wait for: eventlet's Event.

Not `threading.Event`: that one is a flag, goes up and down, and carries nothing. See `greening.green.threading` for it.
"""

from typing import Any, Final

from greening._core.critical import guard, uninterruptible
from greening._core.fairness import fairness_tick
from greening._core.parking_lot import ParkingLot
from greening._core.suspend import SWITCHABLE
from greening._core.task import TIMED_OUT


class _NotSent:
    def __repr__(self) -> str:
        return "NOT_SENT"


NOT_SENT: Final = _NotSent()


class _Outcome:
    """What one `send` is about: its waiters, and what was sent. `reset` makes a new one. The waiters of the old one
    still get what was sent then.
    """

    __slots__ = ("error", "result", "trace", "waiters")

    def __init__(self) -> None:
        self.waiters = ParkingLot()
        self.result: Any = NOT_SENT
        self.error: tuple[Any, ...] | None = None
        # The traceback of an exception object when it was sent. Each waiter adds its own frames to this one.
        self.trace: Any = None

    def outcome(self) -> Any:
        """The result, or the exception raised."""
        if self.error is None:
            return self.result
        kind, *rest = self.error
        error = kind
        if isinstance(kind, type):
            value = rest[0] if rest else None
            if isinstance(value, kind):
                error = value
            else:
                error = kind() if value is None else kind(*value) if isinstance(value, tuple) else kind(value)
        try:
            raise error.with_traceback(rest[1] if len(rest) > 1 else self.trace)
        finally:
            del kind, rest, error, self  # the traceback knows this frame


@uninterruptible
class Event:
    """Carries one value, or one exception, from a sender to every waiter. `send` never switches.

    Thread-safety: complete, between green threads, hubs and OS threads.
    Difference from `threading.Event`: that one is a flag that carries nothing. Difference from eventlet's: the waiters
    are woken in order of arrival, and `poll_exception` returns the exception instead of raising it. Programs may set
    attributes on it.
    """

    __slots__ = ("__dict__", "__weakref__", "_sending")

    def __init__(self) -> None:
        self._sending = _Outcome()

    def reset(self) -> None:
        """Make an event that carries something ready for another `send`.

        Raises:
            AssertionError: nothing was sent.
        """
        if self._sending.result is NOT_SENT:
            raise AssertionError("trying to re-reset() a fresh event: reset() comes after send()")
        self._sending = _Outcome()

    def ready(self) -> bool:
        """True when a value or an exception was sent."""
        return self._sending.result is not NOT_SENT

    def has_result(self) -> bool:
        """True when a value was sent."""
        return self._sending.result is not NOT_SENT and self._sending.error is None

    def has_exception(self) -> bool:
        """True when an exception was sent."""
        return self._sending.error is not None

    def poll(self, notready: Any = None) -> Any:
        """The value that was sent, or `notready`. Raises what was sent as an exception. Never parks."""
        sending = self._sending
        return notready if sending.result is NOT_SENT else sending.outcome()

    def poll_result(self, notready: Any = None) -> Any:
        """The value that was sent, or `notready` when it was nothing or an exception. Never parks."""
        return self._sending.result if self.has_result() else notready

    def poll_exception(self, notready: Any = None) -> Any:
        """The exception that was sent, as the tuple of arguments of `send_exception`, or `notready`. Never parks."""
        return self._sending.error if self.has_exception() else notready

    def wait(self, timeout: float | None = None) -> Any:
        """Park until something is sent.

        Args:
            timeout: seconds from now; None: no limit; 0 or less: no wait.
        Returns:
            The value that was sent; None when the time ran out; what `switch` was given, if that ended the wait.
        Raises:
            what was sent as an exception. TypeError, ValueError: `timeout` is no number of seconds.
        """
        sending = self._sending
        if sending.result is not NOT_SENT:
            fairness_tick()
            return sending.outcome()
        # First enter, then look: another OS thread sends first, and then looks for waiters.
        task = sending.waiters.enter()
        if sending.result is not NOT_SENT:
            sending.waiters.withdraw(task)
            return sending.outcome()
        task.value = SWITCHABLE
        came = sending.waiters.wait(task, timeout)
        # What `send` gives to all waiters; or it was sent, by another OS thread, before the line above but one.
        if came is None or came is SWITCHABLE:
            return sending.outcome()
        if came is TIMED_OUT:
            return None
        sending.waiters.leave(task)
        return came.value

    def send(self, result: Any = None, exc: Any = None) -> None:
        """Wake every waiter, with `result`, or with `exc` raised. Never switches.

        Args:
            exc: an exception, an exception class, or a tuple (class, value[, traceback]).
        Raises:
            AssertionError: something was sent already; see `reset`. TypeError: `exc` is no exception.
        """
        if exc is not None:
            exc = _throw_args(exc)
        with guard:
            sending = self._sending
            first = sending.result is NOT_SENT
            if first:
                if exc is not None:
                    sending.error = exc
                    raised = (part for part in exc[:2] if isinstance(part, BaseException))
                    sending.trace = next((error.__traceback__ for error in raised), None)
                sending.result = result
                sending.waiters.unpark_all()
        if not first:
            carries = sending.result if sending.error is None else sending.error
            raise AssertionError(
                f"trying to send() twice: this event carries {carries!r} already; reset() it, or use a new one"
            )

    def send_exception(self, *args: Any) -> None:
        """Wake every waiter with an exception: an instance, a class, or class, value and traceback. See `send`."""
        self.send(None, args)

    def __repr__(self) -> str:
        state = "sent" if self.ready() else f"waiters={len(self._sending.waiters)}"
        return f"<Event at {id(self):#x} {state}>"


def _throw_args(exc: Any) -> tuple[Any, ...]:
    """`exc` as (exception or class[, value[, traceback]]); a TypeError for the sender, not for the waiters."""
    args: tuple[Any, ...] = exc if isinstance(exc, tuple) else (exc,)
    kind = args[0] if args else None
    if not (isinstance(kind, BaseException) or (isinstance(kind, type) and issubclass(kind, BaseException))):
        raise TypeError(f"an exception or an exception class is needed, not {exc!r}")
    return args
