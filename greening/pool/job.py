"""A call whose result is collected later: what maps and piles are made of.

Facts: a worker that collects a result waits for a job of its own pool. While the pool is full, that job waits for a
place, and one of the places is the worker's: the pool would wait for itself.
Decision: the worker lends its place to the job that it waits for. The job runs in a green thread of its own, so that an
interruption of the worker does not reach it, and jobs within jobs do not use up the stack. No more than `size` are at
work all the same: the worker does nothing meanwhile.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from greening._core.current import current
from greening._core.greenthread import GreenThread
from greening._core.task import Task
from greening.sync.event import Event

if TYPE_CHECKING:
    from greening.pool.greenpool import GreenPool

T = TypeVar("T")

_NO_KEYWORDS: Mapping[str, Any] = MappingProxyType({})


class _TakenOver(BaseException):
    """Ends the wait for a place: a worker lends its own."""


class Job(Generic[T]):
    """One call in a pool.

    Attributes:
        done: the call has ended, or there is none to come.
        abandoned: there was no call: what wanted to start it was interrupted.
    """

    __slots__ = ("_args", "_error", "_function", "_kwargs", "_starter", "_value", "_waiters", "abandoned", "done")

    _value: T

    def __init__(
        self, function: Callable[..., T], args: Iterable[Any] = (), kwargs: Mapping[str, Any] = _NO_KEYWORDS
    ) -> None:
        self._function = function
        self._args = args
        self._kwargs = kwargs
        self._starter: Task | None = None  # what waits for a place, for this job
        self._error: BaseException | None = None
        self._waiters: list[Event] = []
        self.abandoned = self.done = False

    def start(self, pool: "GreenPool") -> None:
        """Run it in the pool. Parks while the pool is full, unless a worker lends its place."""
        if pool.free() <= 0:
            self._starter = current()
        try:
            pool._claim()
        except _TakenOver:
            return
        except BaseException:
            self.abandoned = True
            self._end()
            raise
        finally:
            self._starter = None
        pool._start(self.run, (), {}, self)

    def run(self) -> None:
        """Call the function and keep its outcome: it is the collector's, and is not reported as unhandled."""
        try:
            self._value = self._function(*self._args, **self._kwargs)
        except BaseException as error:
            self.fail(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._end()

    def fail(self, error: BaseException) -> None:
        """It has ended with `error`."""
        self._error = error
        self._end()

    def _end(self) -> None:
        # In this order, and in the opposite one in `wait`: they may be two OS threads.
        self.done = True
        for event in self._waiters:
            event.send()

    def wait(self, pool: "GreenPool") -> None:
        """Park until it is done. Raises what interrupts the caller, and nothing of the job's own."""
        if self.done:
            return
        starter = self._starter
        # A task is interrupted in its own OS thread only: see `Task.interrupt`.
        if starter is not None and starter.hub is current().hub and pool._is_worker():
            self._starter = None
            if starter.interrupt(_TakenOver()):
                pool._lend(self.run, self)
        event = Event()
        self._waiters.append(event)
        if not self.done:
            event.wait()

    def outcome(self) -> T:
        """What the function returned; raises what it raised."""
        if self._error is None:
            return self._value
        try:
            raise self._error
        finally:
            del self  # the traceback knows this frame

    def thread_ended(self, thread: GreenThread[None]) -> None:
        """Its green thread has ended. One that was killed before it began has called nothing."""
        if not self.done:
            try:
                thread.wait()
            except BaseException as error:  # noqa: BLE001  # the outcome
                self.fail(error)
