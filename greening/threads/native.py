"""Real OS threads for calls that block where no hub can see it: `tpool.execute`, and the look-up of names.

A green thread hands its call to a worker and parks; the worker posts the outcome to the green thread's hub.

Facts:
- A waiting green thread can be interrupted; a C call that has begun cannot.
- An idle OS thread still counts for `os.fork` (which warns of it from 3.12 on), at exit, and in the search for
  deadlocks.
Consequence: a caller that is killed leaves at once, and the outcome of its call is dropped. Workers are made when they
are needed. They leave after `IDLE_SECONDS` without work, and before a fork.

Laws:
- `guard`, the engine's process-wide lock, protects the pool's books. Under it no task parks, and no foreign code runs.
- A worker is on the idle list exactly while its native id is in `idle_natives`. It enters both *before* it posts the
  outcome, so the books are right when the hub gets the outcome and finds everything else waiting.
- Only the hub's own OS thread counts the external waits of the hub and touches a job's `settled`.
"""

import _signal
import atexit
from collections import OrderedDict
from collections.abc import Callable, Iterable
from types import CoroutineType
from typing import Any, Final, ParamSpec, TypeVar

from greening._core.blocking import BlockingTask
from greening._core.critical import guard, uninterruptible
from greening._core.current import current
from greening._core.deadlock import idle_natives
from greening._core.fork import THREADS, before_fork, on_child
from greening._core.hub import Hub
from greening._core.mistakes import not_callable, refuse_coroutine
from greening._core.runner import flush_streams
from greening._core.unhandled import report_unraisable
from greening._originals import (
    allocate_lock,
    get_native_id,
    getpid,
    monotonic,
    os_stat,
    real_local,
    start_new_thread,
    time_sleep,
)
from greening.threads.growth import Growth, from_environment, number_of_threads
from greening.threads.native_job import Job, NativeNumbers

P = ParamSpec("P")
T = TypeVar("T")

# Seconds after which a worker without work leaves.
IDLE_SECONDS = 5.0
# Seconds that exit, fork and killall wait at most for workers that were told to leave. Those need some 100 us.
_PATIENCE = 0.2


class _Worker:
    """One OS thread. It waits for `wake_lock`, which is released after `job` is set. Without a job it leaves."""

    __slots__ = ("wake_lock", "job", "native_id")

    def __init__(self, job: Job) -> None:
        self.wake_lock = allocate_lock()
        self.wake_lock.acquire()
        self.job: Job | None = job
        self.native_id = 0

    def wake(self, job: Job | None) -> None:
        """Hand over a job, or tell it to leave. Under `guard`, after taking it off the idle list."""
        self.job = job
        self.wake_lock.release()


_here = real_local()  # .worker: set in OS threads of ours


@uninterruptible
class NativePool:
    """Up to `size` OS threads that run calls for green threads. All methods are thread-safe.

    Args:
        size: threads at most; 0: every call is made on the spot, and blocks all green threads. An attribute, too, which
            `resize` changes.
        most: threads at most while all of them wait, see `growth`; no more than `size`: it does not grow.
        block_signals: its threads have all signals blocked, so that none is delivered to a thread that the program does
            not know. For calls that start no child processes, which would inherit the mask.
        name: what it is for, in statistics.
    Raises:
        TypeError, ValueError: `size` is not a number of threads.
    """

    def __init__(self, size: int, *, most: int = 0, block_signals: bool = False, name: str = "other calls") -> None:
        self.size = number_of_threads(size)
        self.name = name
        self._block_signals = block_signals
        self.reports = False  # True: exceptions of calls are given to `sys.unraisablehook`, too
        self._alive: set[_Worker] = set()  # those that may still take a job
        self._idle: list[_Worker] = []  # the one that became idle last is last: it is the next to work
        self._backlog: OrderedDict[Job, None] = OrderedDict()
        self._growth = Growth(most)
        self.ended = 0  # calls
        _pools.append(self)

    def idents(self) -> list[int]:
        """Native idents of the threads that have been started and may still take a job."""
        return [worker.native_id for worker in tuple(self._alive)]

    def numbers(self) -> NativeNumbers:
        """What it does at this moment."""
        return NativeNumbers(self.name, self.size, len(self._alive), len(self._idle), len(self._backlog), self.ended)

    # What green threads call

    def execute(self, meth: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call in an OS thread; park meanwhile.

        It runs in a copy of the caller's `contextvars` context. In a thread of a pool, without threads, and when the
        interpreter has no greenlets any more, the call is made on the spot. A caller that is killed or times out leaves
        at once: a call that has not begun is never made, the outcome of one that has is dropped.

        Returns:
            what the call returns.
        Raises:
            what the call raises, with its traceback. TypeError: `meth` is not callable.
        """
        if not callable(meth):
            raise not_callable(meth, "execute(")
        if not self.size or hasattr(_here, "worker"):
            return meth(*args, **kwargs)
        caller = current()
        if isinstance(caller, BlockingTask):
            return meth(*args, **kwargs)
        hub = caller.hub
        job = Job(hub, meth, args, kwargs)
        hub.begin_external_wait()
        if not self._submit(job):
            hub.end_external_wait()
            return meth(*args, **kwargs)
        try:
            with guard:
                # A finaliser may have let the hub run since the job was submitted.
                task = None if job.settled else job.waiter.enter()
            if task is not None:
                job.waiter.wait(task)
        except BaseException:
            self._abandon(job)
            raise
        result: Any = job.outcome()
        if type(result) is CoroutineType:
            refuse_coroutine(meth, result)
        return result  # type: ignore[no-any-return]  # what meth returned

    def launch(self, hub: Hub, func: Callable[[], object]) -> bool:
        """Have `func()` called in an OS thread and go on; `hub` expects it as a call under way. It must not raise.

        Returns:
            False: no thread is to be had.
        """
        job = Job(hub, func, (), {})
        hub.begin_external_wait()
        if not self._submit(job):
            hub.end_external_wait()
            return False
        return True

    def _submit(self, job: Job) -> bool:
        """Give it to an idle worker, a new one, or the next that is free. False: there is none, and none to be had."""
        with guard:
            if self._idle:
                worker = self._idle.pop()
                idle_natives.discard(worker.native_id)
                worker.wake(job)
                return True
            if len(self._alive) < self.size and self._start(job):
                return True
            if self._alive:
                self._backlog[job] = None
                if self._growth.most > self.size:
                    self._growth.watch(self, job.hub)
            return bool(self._alive)

    def _start(self, job: Job) -> bool:
        # No thread is to be had when the interpreter shuts down (3.12+), or when the system has no more. The same call
        # works in a program that is not patched. So the caller makes it on the spot if no worker can.
        worker = _Worker(job)
        self._alive.add(worker)
        try:
            start_new_thread(self._work, (worker,))
        except RuntimeError:
            self._alive.discard(worker)
            return False
        return True

    def _abandon(self, job: Job) -> None:
        with guard:
            waited = self._backlog.pop(job, job) is None
        if waited:
            job.hub.end_external_wait()
        job.abandon()

    # What workers do

    def _work(self, worker: _Worker) -> None:
        if self._block_signals:
            _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        _here.worker = worker
        worker.native_id = get_native_id()
        pid = getpid()
        job, worker.job = worker.job, None
        while job is not None:
            job.run()
            if self.reports and job.error is not None:
                report_unraisable(job.error, "exception in a call of tpool", self)
            if getpid() != pid:
                # The call has forked, and this is the child. It ends with its only OS thread, as it would unpatched.
                flush_streams()
                return
            done, job = job, self._next(worker)
            done.hub.post(done.settle)
            del done
            if job is None:
                job = self._wait(worker)

    def _next(self, worker: _Worker) -> Job | None:
        """The next job of the backlog; None: the worker is on the idle list, or shall leave."""
        with guard:
            self.ended += 1
            # An accepted job must be done. When no other worker is left, one that was told to leave does it.
            if self._backlog and (worker in self._alive or not self._alive):
                return self._backlog.popitem(last=False)[0]
            if worker in self._alive:
                self._idle.append(worker)
                idle_natives.add(worker.native_id)
            else:
                worker.wake(None)
            return None

    def _wait(self, worker: _Worker) -> Job | None:
        """Wait on the idle list. None: leave."""
        if not worker.wake_lock.acquire(True, IDLE_SECONDS):
            with guard:
                if worker in self._idle:
                    self._strike_off(worker)
                    return None
            worker.wake_lock.acquire()
        job, worker.job = worker.job, None
        return job

    def _strike_off(self, worker: _Worker) -> None:
        self._alive.discard(worker)
        self._idle.remove(worker)
        idle_natives.discard(worker.native_id)

    # Size, and ends

    def resize(self, nthreads: int) -> None:
        """Have up to `nthreads` threads from now on. No more of them, whatever waits. Surplus ones leave when idle.

        Raises:
            TypeError, ValueError: `nthreads` is not a number of threads.
        """
        size = number_of_threads(nthreads)
        with guard:
            self.size, self._growth.most = size, 0  # the number that was asked for, and no other
            surplus = max(0, len(self._alive) - size)
            for worker in sorted(self._alive, key=self._idle.__contains__, reverse=True)[:surplus]:
                self._dismiss(worker)
            self._serve_backlog()

    def _dismiss(self, worker: _Worker) -> None:
        if worker in self._idle:
            self._strike_off(worker)
            worker.wake(None)
        else:
            self._alive.discard(worker)

    def _serve_backlog(self) -> None:
        self.start_for_backlog(self.size - len(self._alive))

    def start_for_backlog(self, count: int) -> None:
        """Start up to `count` threads for the calls that wait longest. Under `guard`."""
        for job in list(self._backlog)[: max(0, count)]:
            if not self._start(job):
                return
            del self._backlog[job]

    def dismiss_idle(self) -> list[_Worker]:
        """Have the idle threads leave. Returns those that were told."""
        with guard:
            idle = list(self._idle)
            for worker in idle:
                self._dismiss(worker)
        return idle

    def dismiss_all(self) -> None:
        """Have all threads leave: the idle ones now, the others when their call is done. New calls get new threads."""
        with guard:
            told = self.dismiss_idle()
            self._alive.clear()
            self._serve_backlog()
        wait_gone(told)

    def forget(self) -> None:
        """In the child of a fork: its parent's threads and jobs are not here."""
        self._alive.clear()
        self._idle.clear()
        self._backlog.clear()


def wait_gone(workers: Iterable[_Worker]) -> None:
    """Wait until these threads, which were told to leave, are gone for the system. Not for ever, and not greenly."""
    deadline = monotonic() + _PATIENCE
    for worker in workers:
        while _exists(worker) and monotonic() < deadline:
            time_sleep(0.0001)


def _exists(worker: _Worker) -> bool:
    try:
        os_stat(f"/proc/self/task/{worker.native_id}")
    except OSError:
        return False
    return True


_pools: list[NativePool] = []


def native_pools() -> list[NativePool]:
    """All pools of the process."""
    return list(_pools)


TPOOL: Final = NativePool(
    from_environment("GREENING_THREADPOOL_SIZE", 20),
    most=from_environment("GREENING_THREADPOOL_MAX", 200),
    name="tpool",
)
execute = TPOOL.execute
set_num_threads = TPOOL.resize
killall = TPOOL.dismiss_all


def dismiss_all_idle() -> None:
    """Before a fork, and at exit: idle threads would only be in the way."""
    told = [worker for pool in _pools for worker in pool.dismiss_idle()]
    wait_gone(told)


def _after_fork_in_child() -> None:
    idle_natives.clear()
    for pool in _pools:
        pool.forget()


before_fork(THREADS, dismiss_all_idle)
on_child(THREADS, _after_fork_in_child)
atexit.register(dismiss_all_idle)
