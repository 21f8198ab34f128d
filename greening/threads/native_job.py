"""One call in a native thread, and what a pool of such threads says of itself."""

from collections.abc import Callable
from contextvars import copy_context
from typing import Any, NamedTuple

from greening._core.critical import uninterruptible
from greening._core.hub import Hub
from greening._core.parking_lot import ParkingLot


class NativeNumbers(NamedTuple):
    """A pool of OS threads at one moment.

    Attributes:
        name: what it is for.
        size: threads at most, unless all of them wait. threads: that live. idle: of those, without a call.
        backlog: calls that wait for a thread.
        calls: that have ended so far.
    """

    name: str
    size: int
    threads: int
    idle: int
    backlog: int
    calls: int


@uninterruptible
class Job:
    """One call: made by the green thread that waits for it, run by a worker, settled by the hub."""

    __slots__ = ("_abandoned", "_call", "_context", "error", "hub", "result", "settled", "waiter")

    def __init__(self, hub: Hub, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.hub = hub
        self.waiter = ParkingLot()
        self.settled = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._call: Any = (func, args, kwargs)
        self._context = copy_context()
        self._abandoned = False

    def run(self) -> None:
        """In the worker: make the call, keep the outcome. Never raises."""
        call, self._call = self._call, None
        if call is None:
            return
        func, args, kwargs = call
        del call
        try:
            self.result = self._context.run(func, *args, **kwargs)
        except BaseException as error:  # noqa: BLE001  # raised again in the green thread that waits
            # Without this frame, which refers to us.
            error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ is not None else None
            self.error = error
        # `abandon` sets the flag and then drops the outcome; the worker stores the outcome and then looks at the flag.
        # The second of the two drops it. The hub never does: it must not run the finalisers of a result.
        if self._abandoned:
            self.result = self.error = None

    def settle(self) -> None:
        """In the hub: the worker is done."""
        self.hub.end_external_wait()
        self.settled = True
        self.waiter.unpark_all()

    def abandon(self) -> None:
        """In the green thread that waited: it waits no longer, and a call that has not begun never will."""
        self._abandoned = True
        self._call = self.result = self.error = None

    def outcome(self) -> Any:
        """The result, or the exception raised. Once."""
        error, self.error = self.error, None
        if error is None:
            return self.result
        try:
            raise error
        finally:
            del error
