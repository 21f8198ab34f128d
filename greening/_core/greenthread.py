"""Green threads: what `spawn` makes. The GreenThread is the identity; the greenlet that carries it is an
implementation detail.
"""

from collections.abc import Callable
from contextvars import copy_context
from types import CoroutineType
from typing import Any, Generic, ParamSpec, TypeVar

from greenlet import GreenletExit

from greening._compiled import accelerator, double
from greening._core.begun_by_switch import BegunBySwitch, nobody
from greening._core.critical import guard, uninterruptible
from greening._core.current import current, get_hub
from greening._core.delivery import DeliveryTask, kill_error
from greening._core.hub import Hub
from greening._core.mistakes import not_callable, refuse_coroutine
from greening._core.shield import shields
from greening._core.suspend import switch
from greening._core.task import DEAD, PARKED, READY, RUNNING, Task
from greening._core.thread_ops import ThreadOps
from greening._core.timers import deadline_after
from greening._core.unhandled import report_unhandled
from greening._originals import get_ident

P = ParamSpec("P")
T = TypeVar("T")


@uninterruptible
class GreenThread(ThreadOps[T], BegunBySwitch, Generic[T]):
    """A function that runs concurrently with the others of its OS thread. Made by `spawn`, never directly.

    True (`bool`) from its start to its end. All methods are thread-safe except where they say otherwise.
    Difference from eventlet's: it is not a greenlet, but runs on one. Programs may set attributes on it.
    """

    __slots__ = ()

    # `GreenThread[int]` is Generic's: the compiled base has one of its own, which comes before it.
    __class_getitem__ = vars(Generic)["__class_getitem__"]

    @classmethod
    def ended(cls, hub: Hub, result: T) -> "GreenThread[T]":
        """A green thread that has ended with `result` and never ran."""
        thread: GreenThread[T] = cls(hub, nobody, (), {})  # type: ignore[arg-type]  # never called
        thread._settle()
        thread._result = result
        return thread

    def _check_coroutine(self, result: Any) -> None:
        """The function has returned a coroutine. Raises TypeError if it is an `async def`."""
        refuse_coroutine(self._func, result)

    def _keep_failure(self, error: BaseException) -> None:
        if isinstance(error, GreenletExit):
            # After a kill the frames are of no interest, and they would keep alive everything that the thread used.
            error.__traceback__ = None
        self._result = error.__traceback__
        self._fail(error)

    def _fail(self, failure: BaseException) -> None:
        self.failure = failure
        if isinstance(failure, (KeyboardInterrupt, SystemExit)):
            self.hub.raise_in_main(failure)
        elif not isinstance(failure, GreenletExit) and not self.quiet:
            self._report(failure)

    def _report(self, error: BaseException) -> None:
        if not self.hub.reports:
            return
        try:
            report_unhandled(error, self)
        except BaseException as failure:  # noqa: BLE001  # the hook wants the program to end; our waiters come first
            self.hub.raise_in_main(failure)

    def orphan(self, why: str) -> None:
        """See `Task.orphan`. Tasks of other OS threads that wait for it are woken."""
        self.state = DEAD
        if self._func is None:
            return
        self.failure = GreenletExit(f"{self.name} has not ended, but {why}")
        # Kept, with the result that it may have already: nothing of it may be freed.
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

    @property
    def due(self) -> float | None:
        """When a delayed start is due, in seconds of the hub's clock; None: it is not delayed, or has begun."""
        timer = self._start_timer
        return None if timer is None else timer.when

    def waiting(self) -> list[Task]:
        """The tasks that wait for its end. Thread-safe."""
        return list(self._waiters or ())

    def link(self, /, func: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Have `func(self, *args, **kwargs)` called when it ends, in its own greenlet. If it has ended: call it now."""
        what = (func, args, kwargs)
        mine = [what]
        # Atomic for all OS threads, and for `_settle`: no call but the last.
        if self._func is not None:
            if self._links is None:
                self._links = mine
            else:
                self._links.append(what)
            return
        func(self, *args, **kwargs)

    def unlink(self, /, func: Callable[..., object], *args: Any, **kwargs: Any) -> bool:
        """Take back a `link` made with the same arguments. False: there is none."""
        try:
            (self._links or []).remove((func, args, kwargs))
        except ValueError:
            return False
        return True

    def kill(self, *throw_args: Any) -> None:
        """Raise GreenletExit, or the given exception, in it now. The caller is rescheduled behind it.

        One that has not started never runs, and its waiters get the exception. One that has ended is left alone.

        Args:
            throw_args: an exception, an exception class, or (class, value[, traceback]).
        Raises: as the function `kill`.
        """
        kill(self, *throw_args)

    def cancel(self, *throw_args: Any) -> None:
        """Like `kill`, but only if it has not started."""
        error = kill_error(throw_args)
        if self.hub.awake_ident != get_ident():
            self.hub.post(lambda: self._cancel(error))
        else:
            self._cancel(error)

    def _cancel(self, error: BaseException) -> None:
        if self.resume is None:
            _throw_here(self, error)


def kill(g: Task, *throw_args: Any) -> None:
    """Raise GreenletExit, or the given exception, in a green thread now. The caller is rescheduled behind it.

    Args:
        g: a green thread, of any OS thread. One that has ended is left alone; one that has not started never runs.
        throw_args: an exception, an exception class, or (class, value[, traceback]).
    Raises:
        TypeError: `g` is no green thread, or the arguments are no exception. The exception itself, if the thread
            is the running one.
    Thread-safety: complete. For a green thread of another OS thread, that thread's hub raises it, and the caller goes
    on at once.
    """
    if not isinstance(g, Task):
        raise TypeError(f"a green thread is needed, as spawn() and getcurrent() give it, not {g!r}")
    error = kill_error(throw_args)
    hub = g.hub
    if g is hub.task:  # the loop's own: what is thrown into a loop that nobody is to stop comes out in its parent
        g = hub.main
    if hub.awake_ident != get_ident():
        throw_into(g, error)
        return
    me = current()
    if g is me:
        raise error
    if not _throw_here(g, error) or me is hub.task:
        return
    me = me.waiter()
    me.state = READY
    if me.calls_back:  # right behind the first one
        ready = hub.ready
        first = ready[0]
        del ready[0]
        ready.appendleft(me)
        ready.appendleft(first)
    else:
        hub.ready.append(me)
    me.park()


def throw_into(thread: Task, error: BaseException) -> None:
    """Have `error` raised in a green thread other than the running one. Thread-safe. Never switches."""
    hub = thread.hub
    if hub.awake_ident != get_ident():
        hub.post(lambda: _throw_here(thread, error))
    else:
        _throw_here(thread, error)


def _throw_here(thread: Task, error: BaseException) -> bool:
    """In the thread's own OS thread: put it at the head of the queue with `error`. False: nothing to run."""
    hub = thread.hub
    if shields and (block := shields.get(thread)) is not None:
        block.keep(error)
        return False
    if isinstance(thread, GreenThread):
        if thread._func is None:  # it has ended; its links, which may still run, are not killed
            return False
        if thread.resume is None:
            cancel_unstarted(thread, error)
            return False
    ready = hub.ready
    # Check and change are atomic for all OS threads: see `Task.wake`.
    if thread.state == PARKED:
        thread.state = READY
        thread.error = error
    elif thread.state == READY:
        thread.error = error
        with guard:  # an OS thread that chose it under the guard has told the hub by now
            try:
                ready.remove(thread)
            except ValueError:  # it is still in the inbox: make that post stale
                thread.generation += 1
    elif thread.state == RUNNING:
        # Suspended by a foreign switch (a foreign greenlet, a signal handler).
        ready.appendleft(DeliveryTask(hub, thread, error, interrupt=_interrupt_unless_shielded))
        return True
    else:
        return False
    ready.appendleft(thread)
    return True


def _interrupt_unless_shielded(thread: Task, error: BaseException) -> bool:
    if shields and (block := shields.get(thread)) is not None:
        block.keep(error)
        return True
    return thread.interrupt(error)


def cancel_unstarted(thread: GreenThread[Any], error: BaseException) -> None:
    timer, thread._start_timer = thread._start_timer, None
    if timer is not None:
        timer.cancel()
    thread.quiet = True
    if current().state != RUNNING:
        # In the hub, which must not call links: the thread starts, and ends at once (see `execute`).
        thread.error = error
        if timer is not None:
            thread.hub.ready.append(thread)
        return
    # Its entry in the ready queue, if any, is skipped later. To search for it would make n kills cost n squared.
    thread._result = error.__traceback__
    thread._fail(error)
    thread._settle()


# What a greenlet has, and programs for eventlet use of its green threads and of `getcurrent()`.
Task.throw = kill
Task.switch = switch


@double
def getcurrent() -> Task:
    """The running green thread; for a main or a foreign greenlet, its `Task`.

    Difference from `greenlet.getcurrent`: the result is not a greenlet.
    """
    return current()


@double
def spawn(func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> GreenThread[T]:
    """Have `func(*args, **kwargs)` run concurrently. It starts when the caller next lets others run.

    Green threads start in the order of spawning. `func` runs in a copy of the caller's `contextvars` context. Its
    exception is reported, and `wait` raises it again.

    Args:
        func: what to run, with the arguments that follow.
    Returns:
        The green thread.
    Raises:
        TypeError: `func` is not callable.
    Thread-safety: it runs in the calling OS thread.
    """
    if not callable(func):
        raise not_callable(func)
    hub = current().hub
    thread = GreenThread(hub, func, args, kwargs)
    hub.ready.append(thread)
    if not hub.awake_ident:  # in a signal handler
        hub.wakeup.notify()
    return thread


@double
def spawn_n(func: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> GreenThread[Any]:
    """Like `spawn`, for when the result does not matter. Difference from eventlet's: it returns a green thread.

    Raises:
        TypeError: `func` is not callable.
    """
    # `spawn` without its frame: 11 % of the row `spawn-n` in pure Python.
    if not callable(func):
        raise not_callable(func)
    hub = current().hub
    thread = GreenThread(hub, func, args, kwargs)
    hub.ready.append(thread)
    if not hub.awake_ident:
        hub.wakeup.notify()
    return thread


if accelerator is not None:
    accelerator.tell_thread_class(GreenThread, copy_context, CoroutineType)


# Green threads that start later.


def spawn_after(seconds: float, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> GreenThread[T]:
    """Like `spawn`, but the function starts later. `cancel()` prevents the start.

    Args:
        seconds: relative. 0 or less: it starts when the caller next yields, as with `spawn`.
        func: what to run, with the arguments that follow.
    Raises:
        TypeError: `func` is not callable, or `seconds` is not a real number. ValueError: it is nan.
    """
    if not callable(func):
        raise not_callable(func)
    hub = get_hub()
    now = hub.now()
    deadline = deadline_after(now, seconds)
    if deadline <= now:
        return spawn(func, *args, **kwargs)
    thread = GreenThread(hub, func, args, kwargs)
    thread._start_timer = hub.call_at(deadline, _start, thread)
    return thread


def _start(thread: GreenThread[Any]) -> None:
    thread._start_timer = None
    thread.hub.ready.append(thread)


class LocalGreenThread(GreenThread[T]):
    """A green thread that does not start if another has ended by then."""

    __slots__ = ("maker",)

    maker: Task | None

    def execute(self) -> None:
        """See `ThreadOps.execute`."""
        maker, self.maker = self.maker, None
        if isinstance(maker, GreenThread) and maker.dead:
            self.error = GreenletExit()
        del maker
        super().execute()


def spawn_after_local(seconds: float, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> GreenThread[T]:
    """Like `spawn_after`, but it does not start if the calling green thread has ended by then.

    Args, Raises: as `spawn_after`.
    """
    if not callable(func):
        raise not_callable(func)
    maker = current()
    hub = maker.hub
    now = hub.now()
    deadline = deadline_after(now, seconds)
    thread = LocalGreenThread(hub, func, args, kwargs)
    thread.maker = maker
    if deadline <= now:
        hub.ready.append(thread)
        if not hub.awake_ident:  # in a signal handler
            hub.wakeup.notify()
    else:
        thread._start_timer = hub.call_at(deadline, _start, thread)
    return thread
