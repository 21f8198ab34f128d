"""Green threads: what `spawn` makes. The GreenThread is the identity; the greenlet that carries it is an
implementation detail.
"""

from collections.abc import Callable
from contextvars import copy_context
from typing import Any, Generic, TypeVar

from greenlet import GreenletExit
from greenlet import getcurrent as _running

from greening._compiled import accelerator
from greening._core.critical import guard
from greening._core.current import current, get_hub
from greening._core.fairness import spend
from greening._core.hub import Hub
from greening._core.members import ThreadMembers
from greening._core.parking_lot import ParkingLot
from greening._core.report import report
from greening._core.running import waiting_task
from greening._core.task import DEAD, NEW, PARKED, READY, RUNNING, Task
from greening._core.thrower import Thrower
from greening._core.thrown import exception_of
from greening._core.uninterruptible import uninterruptible
from greening._originals import get_ident

T = TypeVar("T")


@uninterruptible
class GreenThread(ThreadMembers, Task, Generic[T]):
    """A function that runs concurrently with the others of its OS thread. Made by `spawn`, never directly.

    True (`bool`) from its start to its end. All methods are thread-safe except where they say otherwise.
    """

    __slots__ = ()

    def __init__(self, hub: Hub, func: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # Every slot is set here and not by Task.__init__: a spawn costs three quarters of a call less.
        self.hub = hub
        self.resume = None
        self.state = NEW
        self.value = self.error = self.deadline = self.timer = self.thread_object = self._locals = None
        self._ident = self.generation = 0
        self._name = ""
        self.context = copy_context()
        self._func = func
        self._args = args
        self._kwargs = kwargs
        # What it returned; the traceback, when there is a failure.
        self._result = self._failure = None
        # At the end: tasks to wake, links to call. Made when they are needed.
        self._waiters = self._links = self._start_timer = None
        self._quiet = False

    @classmethod
    def ended(cls, hub: Hub, result: T) -> "GreenThread[T]":
        """One that has ended with `result` without ever having run."""
        thread: GreenThread[T] = cls(hub, _nobody, (), {})  # type: ignore[arg-type]  # never called
        thread._settle()
        thread._result = result
        return thread

    # Life

    def execute(self) -> None:
        """Run the function and settle the outcome. Called by the carrier; never raises."""
        func = self._func
        if func is None:  # killed between its turn and its start
            self.resume = None
            return
        self.state = RUNNING
        try:
            if self.error is not None:
                raise self.error
            self._result = func(*self._args, **self._kwargs)
        except BaseException as error:  # noqa: BLE001  # the outcome is kept for whoever waits, and reported
            # Without the frame of `execute`.
            if error.__traceback__ is not None:
                error.__traceback__ = error.__traceback__.tb_next
            self._keep_failure(error)
        del func
        self._settle()
        # The frames of the traceback know this one: the thread, its failure and they must not become a cycle.
        del self

    def _keep_failure(self, error: BaseException) -> None:
        if isinstance(error, GreenletExit):
            # Nobody will look at the frames, and they would keep everything alive that the thread was using.
            error.__traceback__ = None
        self._result = error.__traceback__
        self._fail(error)

    def _fail(self, failure: BaseException) -> None:
        self._failure = failure
        if isinstance(failure, (KeyboardInterrupt, SystemExit)):
            self.hub.raise_in_main(failure)
        elif not isinstance(failure, GreenletExit) and not self._quiet:
            self._report(failure)

    def _report(self, error: BaseException) -> None:
        try:
            report(error, self)
        except BaseException as failure:  # noqa: BLE001  # the hook wants the program to end; our waiters come first
            self.hub.raise_in_main(failure)

    def _settle(self) -> None:
        """The function has ended: wake those who wait, call the links, free what is left. Links and finalisers may
        park.
        """
        # From here on there are no new waiters and links: see `wait` and `link`. What is let go of may have finalisers,
        # which may park: the waiters come first.
        func, self._func = self._func, None
        if self._waiters is not None:
            self._waiters.unpark_all()
        self._args = self._kwargs = self.error = self.context = None  # type: ignore[assignment]  # never read again
        del func
        if self._links is not None:
            links, self._links = self._links, None
            for link in links:
                self._call_link(*link)
        if self._locals is not None:
            self._locals = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.state = DEAD
        self.resume = None

    def lose(self, why: str) -> None:
        """See Task.lose. Whoever waits for it elsewhere is told."""
        self.state = DEAD
        if self._func is None:
            return
        self._failure = GreenletExit(f"{self.name} has not ended, but {why}")
        # Kept. (It may have a result already: what its arguments knew is being freed, which may take its time.)
        self._args = (self._func, self._args, self._result)
        self._func = self._result = self._links = None
        if self._waiters is not None:
            self._waiters.unpark_all()

    def _call_link(self, func: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            func(self, *args, **kwargs)
        except (KeyboardInterrupt, SystemExit) as error:
            self.hub.raise_in_main(error)
        except BaseException as error:  # noqa: BLE001  # one link's error must not cost the next link its call
            self._report(error)

    # What users ask

    @property
    def dead(self) -> bool:
        """True when it has ended, or was killed before it began."""
        return self._func is None

    @property
    def started(self) -> bool:
        """True while its function runs."""
        return self.resume is not None and self._func is not None

    def __bool__(self) -> bool:
        return self.resume is not None and self._func is not None

    def wait(self, timeout: float | None = None) -> T:
        """Park until it has ended. Any number of waiters, any number of times.

        Args:
            timeout: seconds; None: no limit.
        Returns:
            What the function returned.
        Raises:
            what the function raised (GreenletExit when it was killed); TimeoutError when the time ran out;
            RuntimeError when it waits for itself.
        """
        if self._func is not None:
            if self.resume is not None and waiting_task() is self:
                raise RuntimeError(f"{self.name} would wait for itself for ever")
            waiters = self._waiters
            if waiters is None:
                waiters = ParkingLot()  # meanwhile others, of this OS thread or of another, may have made one
                # The look and the step are one: no call. An empty lot counts: somebody may be about to enter it.
                if self._waiters is None:
                    self._waiters = waiters
                else:
                    waiters = self._waiters
            # First enter, then look: it may be ending in another OS thread.
            task = waiters.enter()
            if self._func is None:
                waiters.withdraw(task)
            else:
                waiters.wait(task, timeout)
                if self._func is not None:
                    raise TimeoutError(f"{self.name} has not ended within {timeout} seconds")
        else:
            spend()
        failure = self._failure
        if failure is None:
            return self._result  # type: ignore[no-any-return]  # set by execute
        try:
            # From its own traceback on: those of other waiters do not belong to this one.
            raise failure.with_traceback(self._result)
        finally:
            del failure, self  # the traceback knows this frame, and both of them know the traceback

    def link(self, func: Callable[..., object], /, *args: Any, **kwargs: Any) -> None:
        """Have `func(self, *args, **kwargs)` called when it ends, in its own greenlet; at once when it has ended."""
        what = (func, args, kwargs)
        mine = [what]
        # One step for every OS thread, and for `_settle`: no call but the last.
        if self._func is not None:
            if self._links is None:
                self._links = mine
            else:
                self._links.append(what)
            return
        func(self, *args, **kwargs)

    def unlink(self, func: Callable[..., object], /, *args: Any, **kwargs: Any) -> bool:
        """Take back a `link` made with the same arguments. False: there is none."""
        try:
            (self._links or []).remove((func, args, kwargs))
        except ValueError:
            return False
        return True

    def kill(self, *throw_args: Any) -> None:
        """Raise GreenletExit (or the given exception) in it, now: the caller is rescheduled behind it.

        One that has not started never runs; its waiters see the exception. One that has ended is left alone.

        Args:
            throw_args: an exception, an exception class, or (class, value[, traceback]).
        """
        kill(self, *throw_args)

    def cancel(self, *throw_args: Any) -> None:
        """Like `kill`, but only if it has not started."""
        error = exception_of(throw_args)
        if self.hub.awake != get_ident():
            self.hub.post(lambda: self._cancel(error))
        else:
            self._cancel(error)

    def _cancel(self, error: BaseException) -> None:
        if self.resume is None:
            _strike(self, error)


def _nobody() -> None:
    return None


def kill(thread: Task, *throw_args: Any) -> None:
    """Raise GreenletExit, or the given exception, in a green thread. See `GreenThread.kill`."""
    if not isinstance(thread, Task):
        raise TypeError(f"a green thread is needed, as spawn() and getcurrent() give it, not {thread!r}")
    error = exception_of(throw_args)
    hub = thread.hub
    if hub.awake != get_ident():
        strike(thread, error)
        return
    me = current()
    if thread is me:
        raise error
    if not _strike(thread, error) or me is hub.task:
        return
    me = me.waiter()
    me.state = READY
    hub.ready.append(me)
    me.park()


def strike(thread: Task, error: BaseException) -> None:
    """Have `error` raised in a green thread that is not the running one. Thread-safe; never switches."""
    hub = thread.hub
    if hub.awake != get_ident():
        hub.post(lambda: _strike(thread, error))
    else:
        _strike(thread, error)


def _strike(thread: Task, error: BaseException) -> bool:
    """In the thread's own OS thread: put it at the head of the queue with `error`. False: nothing to run."""
    hub = thread.hub
    if isinstance(thread, GreenThread):
        if thread._func is None:  # ended; its links, which may still run, are not what is to be killed
            return False
        if thread.resume is None:
            never_start(thread, error)
            return False
    ready = hub.ready
    # The look and the step are one for every OS thread: see Task.wake.
    if thread.state == PARKED:
        thread.state = READY
        thread.error = error
    elif thread.state == READY:
        thread.error = error
        with guard:  # an OS thread that has chosen it, and has not told the hub yet, is there now
            try:
                ready.remove(thread)
            except ValueError:  # it is in the inbox still: what lies there is stale now
                thread.generation += 1
    elif thread.state == RUNNING:
        # Suspended by a switch that is not ours (a foreign greenlet, a signal handler).
        ready.appendleft(Thrower(hub, thread, error))
        return True
    else:
        return False
    ready.appendleft(thread)
    return True


def never_start(thread: GreenThread[Any], error: BaseException) -> None:
    timer, thread._start_timer = thread._start_timer, None
    if timer is not None:
        timer.cancel()
    thread._quiet = True
    if current().state != RUNNING:
        # In the hub, which calls no links: it starts after all, but only to end (see execute).
        thread.error = error
        if timer is not None:
            thread.hub.ready.append(thread)
        return
    # Its entry in the ready queue, if it has one, is skipped: a search would make killing n of them n squared.
    thread._result = error.__traceback__
    thread._fail(error)
    thread._settle()


def getcurrent() -> Task:
    """The running green thread (a `Task` for the main greenlet and for foreign greenlets)."""
    return current()


def spawn(func: Callable[..., T], /, *args: Any, **kwargs: Any) -> GreenThread[T]:
    """Have `func(*args, **kwargs)` run concurrently. It starts when the caller next yields, in the order of spawning.

    It runs in a copy of the caller's `contextvars` context. Its exception is reported and raised again by `wait`.

    Returns:
        The green thread.
    Raises:
        TypeError: `func` is not callable.
    """
    if not callable(func):
        raise TypeError(f"a callable is needed, not {func!r}")
    try:
        hub: Hub = _running()._greening_task.hub  # type: ignore[attr-defined]  # set by us; `current`, without its frame
    except AttributeError:
        hub = get_hub()
    thread = GreenThread(hub, func, args, kwargs)
    hub.ready.append(thread)
    if not hub.awake:  # in a signal handler
        hub.wakeup.ring()
    return thread


def spawn_n(func: Callable[..., object], /, *args: Any, **kwargs: Any) -> GreenThread[Any]:
    """Like `spawn`, for when the result does not matter."""
    if not callable(func):
        raise TypeError(f"a callable is needed, not {func!r}")
    hub = current().hub
    thread = GreenThread(hub, func, args, kwargs)
    hub.ready.append(thread)
    if not hub.awake:
        hub.wakeup.ring()
    return thread


if accelerator is not None:
    GreenThread._wait = GreenThread.wait  # type: ignore[attr-defined]  # for what the compiled one does not do
    # The compiled ones, which the members bring, are under these.
    del GreenThread.__init__, GreenThread.execute, GreenThread._settle, GreenThread.wait
    accelerator.double_spawn(GreenThread, copy_context, spawn)
    spawn = accelerator.spawn
