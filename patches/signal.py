"""signal: handlers that may block, and waiting for signals that lets others run.

Facts:
- CPython runs a handler in the main OS thread between two instructions of whatever runs there: the main greenlet, a
  green thread, the hub, or the engine in the middle of something.
- The hub may not block. Between EAGAIN and the park that follows no other task may run, or an edge is lost.
- Handlers belong to the main thread: they see its ident, and what they raise is raised there.

Decisions: a handler runs
- at once and in place, when it interrupts code of the main greenlet;
- at once, when it interrupts code of a green thread, but in a green thread of its own, which runs until it parks or
  ends; then the interrupted one goes on;
- in a green thread of its own as soon as the hub can start it, when it interrupts the hub or the engine.
That green thread has the main thread's identity, and what it raises is raised in the main greenlet.
`default_int_handler` is a handler like any other: Ctrl-C belongs to the main greenlet, as it does to the main thread.
It does not belong to the green thread that happens to run, where `threading` would take it for that thread's own
failure. The main greenlet runs next, however busy the interrupted thread is.

A mask that a green thread sets for itself does not make the others deaf: see threads/sigmask.

`signal` and `set_wakeup_fd` are refused outside the main thread, as ever. CPython looks at the OS thread alone: all
green threads would pass, and each event loop would take the wake-up descriptor of another. Programs for eventlet set
handlers in any green thread of the main OS thread: see `SETTERS`.

What stays: alarm, timers, `siginterrupt`. They are the system's.
"""

import _signal
import errno
import signal as _stdlib
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, TypeVar

from greenlet import GreenletExit

from greening._core.critical import is_uninterruptible
from greening._core.current import get_hub, has_hub, hubs
from greening._core.deadlock import SETTINGS as DEADLOCKS
from greening._core.fairness import fairness_tick
from greening._core.greenthread import GreenThread
from greening._core.hub import Hub
from greening._core.idents import idents
from greening._core.parking_lot import ParkingLot
from greening._core.running import known_task
from greening._core.stand_in import StandIn
from greening._core.task import READY, RUNNING, Task
from greening._core.timers import stdlib_number
from greening._core.unhandled import hide_our_frames
from greening._originals import get_ident as _native_ident
from greening._originals import getpid, os_kill, strerror
from greening.patcher.spec import Patch, Undo
from greening.threads.identity import is_main_thread
from greening.threads.sigmask import change
from greening.threads.sigwait import is_awaited, wait_for

F = TypeVar("F", bound=Callable[..., Any])

# The stdlib's own functions: they make enumerations of numbers, differently in each version.
_set_handler = _stdlib.signal
_get_handler = _stdlib.getsignal
_set_wakeup_fd = _stdlib.set_wakeup_fd
# Seconds from which on `sigtimedwait` raises OverflowError: 2**63 nanoseconds.
_TOO_LONG = 9223372036.0


def _of_stdlib(func: F) -> F:
    """Name and document it as the function that it stands for."""
    func.__module__ = "signal"
    func.__doc__ = getattr(_stdlib, func.__name__, func).__doc__
    return func


# Handlers


class _Handler:
    """What the interpreter calls for a handler of the user's."""

    __slots__ = ("handler",)

    def __init__(self, handler: Callable[[int, FrameType | None], object]) -> None:
        self.handler = handler

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if not has_hub():
            self._run_here(signum, frame)
            return
        hub = get_hub()
        task = known_task()
        if task is hub.task or (task is not None and task.state != RUNNING) or is_uninterruptible(frame):
            main = hub.main.greenlet
            if task is hub.task and main is not None:
                frame = main.gr_frame  # where the main thread is: the hub is of no interest
            thread = _HandlerThread(hub, self.handler, (signum, frame), {})
            hub.post(lambda: hub.ready.appendleft(thread))
        elif isinstance(task, GreenThread) and task is not hub.main:
            _go_first(_HandlerThread(hub, self.handler, (signum, frame), {}), task)
        else:
            self._run_here(signum, frame)

    def _run_here(self, signum: int, frame: FrameType | None) -> None:
        try:
            self.handler(signum, frame)
        except KeyboardInterrupt:
            hide_our_frames()
            raise
        finally:
            _pausing.unpark_all()


class _HandlerThread(GreenThread[object]):
    """Runs a handler as the main thread: with its ident, its locals, its context."""

    __slots__ = ()

    # What it has interrupted may never let it run again: a thread that is stuck, which the handler is to report.
    takes_turns = False

    def __init__(self, hub: Hub, func: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(hub, func, args, kwargs)
        main = hub.main
        self.name = f"handler of signal {args[0]}"
        self.known_ident = main.ident
        self.local_values = main.locals
        self.thread_object = main.thread_object
        self.context = None if main.greenlet is None else main.greenlet.gr_context

    def _fail(self, failure: BaseException) -> None:
        self.failure = failure
        if isinstance(failure, GreenletExit):
            return
        hub = self.hub
        hub.raise_in_main(failure)
        if hub.main in hub.ready:
            # Before the thread that was interrupted, which may never park.
            hub.ready.remove(hub.main)
            hub.ready.appendleft(hub.main)

    def _settle(self) -> None:
        super()._settle()
        self.thread_object = None
        _pausing.unpark_all()


def _go_first(thread: _HandlerThread, task: Task) -> None:
    """Run `thread` until it parks or ends, then the caller, then whatever was next."""
    hub = thread.hub
    # The caller's own task stays as it is, RUNNING, so that a timeout or a kill that comes meanwhile waits until it
    # parks.
    again = StandIn(hub, task)
    again.state = READY
    hub.ready.appendleft(again)
    hub.ready.appendleft(thread)
    again.park()


def _unwrapped(handler: Any) -> Any:
    return handler.handler if isinstance(handler, _Handler) else handler


def _needs_wrapping(handler: Any) -> bool:
    return callable(handler) and not isinstance(handler, int | _Handler)


class _Setters:
    """Who may set handlers.

    Attributes:
        all: True: every green thread of the main OS thread, and not the main thread alone. Set by greening.compat.
        in_vain: tasks whose `set_wakeup_fd` does nothing. uvloop looks at the OS thread alone, as CPython does, and
            calls it in green threads of the main one.
    """

    def __init__(self) -> None:
        self.all = False
        self.in_vain: set[Task] = set()


SETTERS = _Setters()


def _only_in_main_thread(function: str) -> None:
    if not is_main_thread():
        raise ValueError(f"{function} only works in main thread of the main interpreter")


@_of_stdlib
def set_wakeup_fd(fd: int, /, *, warn_on_full_buffer: bool = True) -> int:
    if SETTERS.in_vain and known_task() in SETTERS.in_vain:
        return -1
    _only_in_main_thread("set_wakeup_fd")
    before = _set_wakeup_fd(fd, warn_on_full_buffer=warn_on_full_buffer)
    DEADLOCKS.wakeup_fd = fd >= 0
    return before


@_of_stdlib
def signal(signalnum: int, handler: Any) -> Any:
    if not SETTERS.all:
        _only_in_main_thread("signal")
    old = _set_handler(signalnum, _Handler(handler) if _needs_wrapping(handler) else handler)
    fairness_tick()
    return _unwrapped(old)


@_of_stdlib
def getsignal(signalnum: int) -> Any:
    return _unwrapped(_get_handler(signalnum))


def _wrap_existing(undo: Undo) -> None:
    # Only the main OS thread may set handlers. When another one patches, existing handlers stay as they are: they may
    # not block.
    undo.add(_unwrap_all)
    _set_each(lambda handler: _Handler(handler) if _needs_wrapping(handler) else handler)


def _unwrap_all() -> None:
    _set_each(_unwrapped)


def _set_each(change: Callable[[Any], Any]) -> None:
    for signum in _signal.valid_signals():
        old = _signal.getsignal(signum)
        new = change(old)
        if new is not old:
            try:
                _signal.signal(signum, new)
            except ValueError:
                return


# Sending


@_of_stdlib
def raise_signal(signalnum: int, /) -> None:
    if is_awaited(_native_ident(), signalnum):
        os_kill(getpid(), signalnum)
    else:
        _signal.raise_signal(signalnum)
    fairness_tick()


@_of_stdlib
def pthread_kill(thread_id: int, signalnum: int, /) -> None:
    # No OS thread has an odd ident: it is the address of a record, and those are aligned.
    if isinstance(thread_id, int) and (thread_id % 2 or idents.has_given(thread_id)):
        thread_id = _os_thread_of(thread_id)
    if is_awaited(thread_id, signalnum):
        os_kill(getpid(), signalnum)
    else:
        _signal.pthread_kill(thread_id, signalnum)
    fairness_tick()


def _os_thread_of(ident: int) -> int:
    """The OS thread of a green thread, which the system does not know. ProcessLookupError: it has ended."""
    for hub in tuple(hubs):
        for task in (hub.main, *hub.tasks(), *tuple(hub.ready)):
            if task.known_ident == ident:
                return hub.thread
    raise ProcessLookupError(errno.ESRCH, strerror(errno.ESRCH))


# Masks


@_of_stdlib
def pthread_sigmask(how: int, mask: Iterable[int]) -> set[Any]:
    before = change(how, mask)
    if before is None:
        before = set(_signal.pthread_sigmask(how, mask))
    return {_enumerated(signum) for signum in before}


def _enumerated(signum: int) -> Any:
    try:
        return _stdlib.Signals(signum)
    except ValueError:
        return signum


# Waiting

_pausing = ParkingLot()


@_of_stdlib
def pause() -> None:
    with get_hub().external_wait():  # a signal may come without a handler, too, and end the program
        _pausing.park()


@_of_stdlib
def sigwait(sigset: Iterable[int]) -> Any:
    return _enumerated(wait_for(sigset, None).si_signo)


@_of_stdlib
def sigwaitinfo(sigset: Iterable[int], /) -> Any:
    return wait_for(sigset, None)


@_of_stdlib
def sigtimedwait(sigset: Iterable[int], timeout: float, /) -> Any:
    seconds = stdlib_number(timeout)
    if seconds is None or not 0 <= seconds < _TOO_LONG:
        _signal.sigtimedwait(sigset, timeout)  # it knows the error, and does not wait
    return wait_for(sigset, seconds)


_MAIN_ONLY = (signal, set_wakeup_fd)
_GREEN = (getsignal, raise_signal, pthread_kill, pthread_sigmask, pause, sigwait, sigwaitinfo, sigtimedwait)

PATCH = Patch(
    target="signal",
    flag="thread",
    replaces={func.__name__: func for func in _MAIN_ONLY + _GREEN if hasattr(_stdlib, func.__name__)},
    after=_wrap_existing,
)
