"""A call whose result is collected later: what maps and piles are made of.

Facts: a worker that collects a result waits for a job of its own pool, directly or by way of jobs of other pools. While
the pool is full, that job waits for a place, and the worker has one of the places.
Consequence: the pool would wait for itself.
Decision: the worker lends its place to the job that it waits for. The job runs in a green thread of its own: an
interruption of the worker does not reach it, and jobs within jobs do not use up the stack. No more than `size` are at
work all the same, since the worker does nothing meanwhile. A place is lent when a wait begins; the last of the chain
that begins to wait lends it.

Facts: a worker may wait for any of several jobs, and then goes on while the others are at work. Workers of two pools
may wait for jobs of each other's pool, and neither of them waits for what its own pool lacks a place for.
Decision: in these cases a place is lent only if no worker of the pool can go on before the job has run.
"""

from collections.abc import Callable, Iterable, Mapping
from types import CoroutineType, MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from greenlet import GreenletExit

from greening._core.current import current, get_hub
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


def works_for(task: Task, pool: "GreenPool", *, alone: bool = False) -> bool:
    """True for a worker of the pool, and for a task that a worker waits for: that worker's place may be lent.

    Args:
        alone: the worker waits for nothing else beside it, so that it cannot go on before the task does.
    """
    chain, seen = [task], {task}
    for each in chain:  # it grows
        if each in pool.coroutines_running:
            return True
        maker, job = MAKERS.get(each), _runs.get(each)
        behind = [] if job is None or (alone and job.shared) else [waiter for waiter, _ in job._waiters]
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

    # True: its waiters wait for several jobs, of which this one is one.
    shared = False

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
        starter = current() if pool.free() <= 0 else None
        try:
            if starter is not None:
                self._starter = starter
                _awaits[starter] = self
                if _waits_for_itself(pool):
                    pool._lend(self)
                    return
            pool._claim()
        except _TakenOver:
            return
        except BaseException as error:
            self.abandoned = True
            self.fail(error)
            raise
        finally:
            self._starter = None
            if starter is not None:
                del _awaits[starter]
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
        """`task` begins to wait. If a job at the other end of the chain lacks a place, lend it a worker's."""
        for job in self._lacking():
            starter = job._starter
            # A task can be interrupted in its own OS thread only: see `Task.interrupt`.
            if starter is None or starter.hub is not task.hub:
                continue
            if job._has_lender() or _waits_for_itself(job._pool):
                job._take_over(starter)
                return

    def _take_over(self, starter: Task) -> None:
        """Run it in the place of a worker, instead of `starter`, which waits for a place for it."""
        self._starter = None
        if starter.interrupt(_TakenOver()):
            self._pool._lend(self)

    def _has_lender(self) -> bool:
        """True if a worker of its pool waits for it, and for nothing else."""
        return not self.shared and any(works_for(waiter, self._pool, alone=True) for waiter, _ in self._waiters)

    def _lacking(self) -> "list[Job[Any]]":
        """The jobs without a place that its waiters wait for, directly or by way of other jobs."""
        if len(_awaits) == 1:  # nobody else waits: there is no other job behind this one
            return [self]
        found: list[Job[Any]] = []
        chain, seen = list(self._needed() or ()), set[Job[Any]]()
        for job in chain:  # it grows
            inner = None if job.thread is None else _awaits.get(job.thread)
            if job._starter is not None:
                found.append(job)
            elif inner is not None and inner not in seen:
                seen.add(inner)
                chain += inner._needed() or ()
        return found

    def _needed(self) -> "tuple[Job[Any], ...] | None":
        """The jobs of which one has to end before its waiters go on. None: they can go on now."""
        return None if self.done else (self,)

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


def _waits_for_itself(pool: "GreenPool") -> bool:
    """True if no worker of the pool can go on before a job gets a place in it: each waits for jobs that lack a place in
    this pool, or in another one of which the same is true, or that run in green threads which wait like that.
    """
    chain: list[Any] = [pool]  # pools, and green threads
    seen: set[Any] = {pool}
    for each in chain:  # it grows
        if isinstance(each, Task):
            job = _awaits.get(each)
            needed = None if job is None else job._needed()
            if needed is None or any(one.thread is None and one._starter is None for one in needed):
                return False
            behind = {one._pool if one.thread is None else one.thread for one in needed}
        elif each.has_room():
            return False
        else:
            behind = each.coroutines_running
        chain += behind - seen
        seen |= behind
    return True


def lend_again(pool: "GreenPool") -> None:
    """A job that had a lent place has ended. If the pool waits for itself still, lend the place to the next job.

    Call it in the OS thread of that job.
    """
    for starter, job in tuple(_awaits.items()):
        lacks = job._pool is pool and job._starter is starter and starter.hub is get_hub()
        if lacks and (job._has_lender() or _waits_for_itself(pool)):
            job._take_over(starter)
            return


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
        if not came():
            event.wait()
    finally:
        del _awaits[task]
        waiters.remove((task, event))
