"""A call whose result is collected later: what maps and piles are made of.

Facts: a worker that collects a result waits for a job of its own pool, directly or by way of jobs of other pools. While
the pool is full, that job waits for a place, and the worker has one of the places.
Consequence: the pool would wait for itself.
Decision: the worker lends its place to the job that it waits for. The job runs in a green thread of its own: an
interruption of the worker does not reach it, and jobs within jobs do not use up the stack. No more than `size` are at
work all the same, since the worker does nothing meanwhile. A place is lent when a wait begins; the last of the chain
that begins to wait lends it.
"""

from collections.abc import Callable, Iterable, Mapping
from types import CoroutineType, MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from greenlet import GreenletExit

from greening._core.current import current
from greening._core.greenthread import GreenThread
from greening._core.mistakes import refuse_coroutine
from greening._core.task import Task
from greening.sync.event import Event

if TYPE_CHECKING:
    from greening.pool.greenpool import GreenPool

T = TypeVar("T")

# The green thread that reads the input of a map -> the one that made the map, and waits for what the reader waits for.
MAKERS: WeakKeyDictionary[Task, Task] = WeakKeyDictionary()
_runs: "dict[Task, Job[Any]]" = {}  # the job that a green thread carries out
_awaits: "dict[Task, Job[Any]]" = {}  # the job that a green thread waits for

# They end the green thread, or the program, besides being the outcome.
_ENDS = (GreenletExit, KeyboardInterrupt, SystemExit)
_NO_KEYWORDS: Mapping[str, Any] = MappingProxyType({})


def works_for(task: Task, pool: "GreenPool") -> bool:
    """True for a worker of the pool, and for a task that a worker waits for: that worker's place may be lent."""
    chain, seen = [task], {task}
    for each in chain:  # it grows
        if each in pool.coroutines_running:
            return True
        maker, job = MAKERS.get(each), _runs.get(each)
        behind = [] if job is None else [waiter for waiter, _ in job._waiters]
        for one in behind if maker is None else [maker, *behind]:
            if one not in seen:
                seen.add(one)
                chain.append(one)
    return False


class _TakenOver(BaseException):
    """Ends the wait for a place: a worker lends its own."""


class Job(Generic[T]):
    """One call in a pool.

    Attributes:
        done: the call has ended, or there is none to come.
        abandoned: there was no call: the task that wanted to start it was interrupted, and what interrupted it is the
            outcome.
        thread: the green thread that carries it out; None: it has not begun, or has ended.
    """

    __slots__ = (
        *("_args", "_error", "_function", "_kwargs", "_pool", "_starter", "_value", "_waiters"),
        *("abandoned", "done", "thread"),
    )

    _value: T

    def __init__(
        self,
        pool: "GreenPool",
        function: Callable[..., T],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] = _NO_KEYWORDS,
    ) -> None:
        self._pool = pool
        self._function = function
        self._args = args
        self._kwargs = kwargs
        self._starter: Task | None = None  # the task that waits for a place, for this job
        self._error: BaseException | None = None
        self.thread: GreenThread[Any] | None = None
        self._waiters: list[tuple[Task, Event]] = []
        self.abandoned = self.done = False

    @property
    def named_after(self) -> Callable[..., T]:
        """The function, after which the green thread is named."""
        return self._function

    def start(self) -> None:
        """Run it in the pool. Parks while the pool is full, unless a worker lends its place."""
        pool = self._pool
        if pool.free() <= 0:
            self._starter = current()
        try:
            pool._claim()
        except _TakenOver:
            return
        except BaseException as error:
            self.abandoned = True
            self.fail(error)
            raise
        finally:
            self._starter = None
        pool._start(self.run, (), {}, self)

    def run(self, *, in_caller: bool = False) -> None:
        """Call the function and keep its outcome for the collector. It is not reported as unhandled.

        Args:
            in_caller: it has no green thread of its own: a Timeout may be the caller's.
        """
        try:
            value: Any = self._function(*self._args, **self._kwargs)
            if type(value) is CoroutineType:
                refuse_coroutine(self._function, value)
            self._value = value
        except BaseException as error:
            self.fail(error)
            if isinstance(error, _ENDS) or (in_caller and not isinstance(error, Exception)):
                raise
        else:
            self._end()

    def fail(self, error: BaseException) -> None:
        """It has ended with `error`."""
        self._error = error
        self._end()

    def _end(self) -> None:
        # First `done`, then the waiters; `wait` does it the other way round. They may be two OS threads.
        self.done = True
        for _, event in tuple(self._waiters):
            event.send()

    def wait(self) -> None:
        """Park until it is done. Raises what interrupts the caller, but not what the function raised."""
        if self.done:
            return
        task, event = current(), Event()
        self._waiters.append((task, event))
        _awaits[task] = self
        try:
            self._lend_a_place(task)
            while not self.done:  # a `switch` to the task ends the wait, too
                event.wait()
        finally:
            del _awaits[task]
            self._waiters.remove((task, event))

    def _lend_a_place(self, task: Task) -> None:
        """`task` begins to wait. If the job at the other end of the chain lacks a place, lend it a worker's."""
        job: Job[Any] | None = self
        seen: set[Job[Any] | None] = {self}
        while job is not None and job._starter is None:
            job = None if job.thread is None else _awaits.get(job.thread)
            if job in seen:
                return  # a deadlock that the program itself has made
            seen.add(job)
        starter = None if job is None else job._starter
        # A task can be interrupted in its own OS thread only: see `Task.interrupt`.
        if job is None or starter is None or starter.hub is not task.hub:
            return
        if any(works_for(waiter, job._pool) for waiter, _ in job._waiters):
            job._starter = None
            if starter.interrupt(_TakenOver()):
                job._pool._lend(job)

    def outcome(self) -> T:
        """What the function returned; raises what it raised."""
        if self._error is None:
            return self._value
        try:
            raise self._error
        finally:
            del self  # the traceback knows this frame

    def thread_started(self, thread: GreenThread[Any]) -> None:
        """This green thread is to carry it out."""
        self.thread = thread
        _runs[thread] = self

    def thread_ended(self, thread: GreenThread[Any]) -> None:
        """That green thread has ended. Its end is the outcome if it did not call `run`, or was killed before it did."""
        del _runs[thread]
        self.thread = None
        if not self.done:
            try:
                self._value = thread.wait()
            except BaseException as error:  # noqa: BLE001  # the outcome
                self.fail(error)
            else:
                self._end()


def wait_for_any(last: Job[Any], came: Callable[[], bool]) -> None:
    """Park until one of the jobs that share their waiters with `last` is done, unless `came()` is true.

    Args:
        last: the one of them that began last: no other can lack a place.
    """
    task, event, waiters = current(), Event(), last._waiters
    waiters.append((task, event))
    _awaits[task] = last
    try:
        last._lend_a_place(task)
        for thread in tuple(_awaits):  # the others lack nothing, but may wait for a job that does
            job = _runs.get(thread)
            if job is not None and job is not last and job._waiters is waiters:
                job._lend_a_place(task)
        if not came():
            event.wait()
    finally:
        del _awaits[task]
        waiters.remove((task, event))
