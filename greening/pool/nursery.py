"""A block that its green threads do not outlive: `with nursery() as n: n.spawn(...)`.

Decision: an exception that leaves the block alone, or comes from a green thread of it, is raised in an ExceptionGroup,
as in trio. What interrupts the block from outside (a kill, a Timeout, Ctrl-C) is raised as it is: whoever sent it knows
it by its identity. Then the exceptions of the green threads have no place in it, and are reported.
"""

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from greening._core.critical import guard, uninterruptible
from greening._core.current import current
from greening._core.delivery import DeliveryTask
from greening._core.greenthread import GreenThread, spawn, throw_into
from greening._core.parking_lot import ParkingLot
from greening._core.shield import shield, shields
from greening._core.task import RUNNING, Task
from greening._core.unhandled import report_unhandled
from greening.errors import Cancelled, GreenletExit
from greening.pool.collect import end_all

P = ParamSpec("P")
T = TypeVar("T")


@uninterruptible
class nursery:
    """A block that waits for the green threads that were spawned in it, and raises what they raise.

        with greening.nursery() as n:
            n.spawn(fetch, "a")
            n.spawn(fetch, "b")
        # here both have ended, and neither has failed

    When one of them, or the block itself, raises an exception, `Cancelled` is raised in all others, and in the block.
    When all have ended, the exceptions are raised together, in an ExceptionGroup, by the block. `except*` catches them.
    A kill, a Timeout or Ctrl-C that interrupts the block also cancels all, and is raised by the block when all have
    ended. Exceptions that they raise meanwhile are reported.

    A green thread that is killed has not failed, and cancels nobody. The green threads may call `spawn` of the nursery,
    too, as long as the block has not ended.

    Raises (at the end of the block):
        ExceptionGroup: of what was raised in it. BaseExceptionGroup: if a Timeout, say, is among that.
    Thread-safety: use it in the OS thread of the block.
    Difference from trio's: `Cancelled` is raised once in each, not at every further wait; one that catches it and goes
        on keeps the block waiting, and no kill or Timeout ends that wait. `spawn` returns a green thread, whose `wait`
        gives the result. From `asyncio.TaskGroup`: `cancel`.
    """

    def __init__(self) -> None:
        self._children: set[GreenThread[Any]] = set()
        self._failures: list[tuple[GreenThread[Any], BaseException]] = []
        self._end = ParkingLot()  # here the block waits for the last of them
        self._host: Task | None = None  # the task of the block
        self._in_body = False
        self._shield: shield | None = None  # the one that the block is in
        self._cancelled: Cancelled | None = None  # what is raised in all of them

    def spawn(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> GreenThread[T]:
        """Have `function(*args, **kwargs)` run concurrently, until the end of the block at the latest. See `spawn`.

        Returns:
            The green thread. In a nursery that is cancelled, it never begins.
        Raises:
            TypeError: `function` is not callable. RuntimeError: the block has not begun, or has ended, or is that of
            another OS thread.
        """
        self._check_open()
        if "func" in kwargs:  # the function's own, and not that of `spawn`
            thread = spawn(partial(function, *args, **kwargs))
        else:
            thread = spawn(function, *args, **kwargs)
        thread.quiet = True
        self._children.add(thread)
        thread.link(self._ended)
        if self._cancelled is not None:
            throw_into(thread, self._cancelled)
        return thread

    def cancel(self) -> None:
        """Raise `Cancelled` in all green threads of the nursery, and in the block, which then ends without an error.

        The caller, if it is one of them, goes on to its next wait. A second call does nothing.

        Raises:
            RuntimeError: as `spawn`.
        """
        self._check_open()
        self._cancel("its nursery was cancelled")

    def _check_open(self) -> None:
        if self._host is None:
            raise RuntimeError(
                "this nursery is not open: green threads of it begin and end inside `with nursery() as n:`"
            )
        if current().hub is not self._host.hub:
            raise RuntimeError("this nursery belongs to another OS thread: make one in each, with a block of its own")

    def _cancel(self, why: str) -> None:
        if self._cancelled is not None:
            return
        self._cancelled = error = Cancelled(why)
        me = current()
        for child in tuple(self._children):
            if child is not me:
                throw_into(child, error)
        self._end.unpark_all()  # from here on the block waits under a shield
        host = self._host
        inside = (me is host and self._in_body) or me in self._children
        if inside and me.error is None and me.state == RUNNING:
            me.error = error  # for its next wait
        if host is not None and host is not me and self._in_body and not self._interrupt(host, error):
            host.hub.ready.append(DeliveryTask(host.hub, host, error, lambda: self._in_body, self._interrupt))

    def _interrupt(self, host: Task, error: BaseException) -> bool:
        """As `Task.interrupt`. A block of `shield` inside ours keeps the error."""
        block = shields.get(host) if shields else None
        if block is None or block is self._shield:
            return host.interrupt(error)
        block.keep(error, lambda: self._in_body)
        return True

    def _ended(self, child: GreenThread[Any]) -> None:
        self._children.discard(child)
        failure = child.failure
        if failure is not None and not isinstance(failure, GreenletExit):
            self._failures.append((child, failure))
            self._cancel(f"{child.name} of the same nursery has failed: {failure!r}")
        if not self._children and self._end:
            self._end.unpark_all()

    def __enter__(self) -> "nursery":
        if self._host is not None or self._cancelled is not None or self._failures:
            raise RuntimeError("a nursery is good for one block: make a new one")
        self._host = host = current()
        self._shield = shields.get(host) if shields else None
        self._in_body = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        host = self._host
        assert host is not None
        self._in_body = False
        if self._cancelled is not None and host.error is self._cancelled:
            host.error = None  # the block did not wait any more
        if error is not None and error is not self._cancelled:
            self._cancel(f"the block of its nursery was left by {type(error).__name__}")
        interruption = None
        try:
            self._wait_for_children()
        except BaseException as failure:  # noqa: BLE001  # raised below, when all have ended
            interruption = failure
        self._host = None
        return self._leave(host, error, interruption)

    def _wait_for_children(self) -> None:
        # In the child of a fork, those that stayed behind in the parent are dead, and have called no link.
        self._children = {child for child in self._children if not child.dead}
        try:
            while self._children and self._cancelled is None:
                with guard:
                    waiter = self._end.enter()
                if self._children and self._cancelled is None:
                    self._end.wait(waiter)
                else:
                    self._end.withdraw(waiter)
        except BaseException as interruption:
            self._cancel(f"the block of its nursery was interrupted by {type(interruption).__name__}")
            self._end_children()
            raise
        self._end_children()

    def _end_children(self) -> None:
        cancelled = self._cancelled
        if cancelled is not None:  # all have been told
            end_all(lambda: self._children, lambda: cancelled, tuple(self._children))

    def _leave(self, host: Task, error: BaseException | None, interruption: BaseException | None) -> bool:
        """Raise what the block raises. True: it ends without an error, False: with the one that it was left by."""
        failures, self._failures = self._failures, []
        errors = [failure for _, failure in failures]
        if error is self._cancelled:
            error = None
        elif isinstance(error, Exception) and error not in errors:
            errors.append(error)
        outside = interruption or (error if error is not None and error not in errors else None)
        if outside is not None:
            for child, failure in failures:
                if not isinstance(failure, (KeyboardInterrupt, SystemExit)):  # the main greenlet has these
                    report_unhandled(failure, child)
            if interruption is not None:
                raise interruption
            return False
        if errors:
            raise BaseExceptionGroup("unhandled errors in a nursery", errors) from None
        return True

    def __repr__(self) -> str:
        state = "cancelled" if self._cancelled is not None else "not open" if self._host is None else "open"
        return f"<nursery at {id(self):#x} {state} running={len(self._children)}>"
