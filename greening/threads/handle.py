"""Starting and joining green threads the way `_thread` does: started threads, handles, sentinels, the count.

A started thread differs from a spawned one in what `_thread` promises: it runs in an empty context, its exception goes
to `sys.unraisablehook`, SystemExit ends it silently, and it is counted.
"""

import builtins
import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from greenlet import GreenletExit

from greening._core.critical import guard, uninterruptible
from greening._core.current import current
from greening._core.deadlock import idle_natives
from greening._core.external import Backoff
from greening._core.fairness import fairness_tick
from greening._core.fork import THREADS, on_child
from greening._core.greenthread import GreenThread
from greening._core.hub import Hub
from greening._core.parking_lot import ParkingLot
from greening._core.task import Task
from greening._core.unhandled import report_unraisable
from greening._originals import get_ident as _native_ident
from greening._originals import is_finalizing, thread_count
from greening.sync.lock import Lock, check_timeout
from greening.threads.identity import get_ident, home_hub
from greening.threads.locks import BargingLock

# All started threads that have not ended, from the start on.
_live: "set[StartedThread]" = set()

# Handles of threads that were not started here. In a forked child they are done, except that of the forking thread.
_made: "WeakSet[Handle]" = WeakSet()

# Raised when a thread is started at interpreter shutdown. 3.13 and later have an exception of their own for that.
_FinalizationError: type[RuntimeError] = getattr(builtins, "PythonFinalizationError", RuntimeError)


class StartedThread(GreenThread[Any]):
    """A green thread that was started through `_thread` or `threading`.

    Attributes:
        handle: what `join` waits for, or None.
        sentinel: a lock that is released at the very end, or None.
        os_name: what `_thread.set_name` was given, encoded.
        at_end: called without arguments at the very end, or None.
    """

    __slots__ = ("at_end", "handle", "os_name", "sentinel")

    def __init__(self, hub: Hub, func: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(hub, func, args, kwargs)
        self.context = None  # an empty one
        self.handle: Handle | None = None
        self.sentinel: Lock | None = None
        self.os_name = b""
        self.at_end: Callable[[], object] | None = None

    @property
    def name(self) -> str:
        """The name of its `threading.Thread`, when it has one."""
        thread = self.thread_object
        return super().name if thread is None or self._name else str(thread.name)

    @name.setter
    def name(self, value: str) -> None:
        self._name = value

    def _fail(self, failure: BaseException) -> None:
        self.failure = failure
        if not isinstance(failure, (SystemExit, GreenletExit)):
            _report_unraisable(failure, self._func)

    def _settle(self) -> None:
        # Before anything that may park. No task that this wakes runs before the rest is done, unless a finaliser parks.
        _live.discard(self)
        if self.at_end is not None:
            self.at_end()
        if self.sentinel is not None and self.sentinel.locked():
            self.sentinel.release()
        if self.handle is not None:
            self.handle._set_done()
        self.thread_object = None
        super()._settle()


def start_new_thread(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any] | None = None, /
) -> int:
    """Start a green thread that runs `function(*args, **kwargs)`; return its ident. `_thread.start_new_thread`.

    It begins when the caller next parks, in the order of starting.
    """
    if not callable(function):
        raise TypeError("first arg must be callable")
    if not isinstance(args, tuple):
        raise TypeError("2nd arg must be a tuple")
    if kwargs is not None and not isinstance(kwargs, dict):
        raise TypeError("optional 3rd arg must be a dictionary")
    sys.audit("_thread.start_new_thread", function, args, kwargs)
    return _start(_make(function, args, kwargs or {}))


def start_owned_thread(
    bootstrap: Callable[..., object], args: tuple[Any, ...], kind: type[StartedThread] = StartedThread
) -> int:
    """`start_new_thread` for `threading`: the bootstrap method belongs to a `Thread`."""
    sys.audit("_thread.start_new_thread", bootstrap, args, None)
    thread = _make(bootstrap, args, {}, kind)
    thread.thread_object = getattr(bootstrap, "__self__", None)
    return _start(thread)


def start_joinable_thread(
    function: Callable[..., object],
    handle: "Handle | None" = None,
    daemon: bool = True,
    kind: type[StartedThread] = StartedThread,
) -> "Handle":
    """Start a green thread and return its handle. `_thread.start_joinable_thread`.

    Args:
        daemon: not waited for at exit.
        kind: what to make; for `threading` only.
    """
    if not callable(function):
        raise TypeError("thread function must be callable")
    if handle is None:
        handle = Handle()
    elif not isinstance(handle, Handle):
        raise TypeError("'handle' must be a _ThreadHandle")
    sys.audit("_thread.start_joinable_thread", function, daemon, handle)
    if handle._ident:
        raise RuntimeError("thread already started")
    thread = _make(function, (), {}, kind)
    if getattr(function, "__name__", "") == "_bootstrap":
        thread.thread_object = getattr(function, "__self__", None)
    thread.handle = handle
    handle._daemon = bool(daemon)
    handle._ident = thread.ident  # before it starts: in the hub of another OS thread it may end at once
    _start(thread)
    return handle


def _make(
    func: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    kind: type[StartedThread] = StartedThread,
) -> StartedThread:
    if is_finalizing():
        raise _FinalizationError("can't create new thread at interpreter shutdown")
    return kind(home_hub(), func, args, kwargs)


def _start(thread: StartedThread) -> int:
    hub = thread.hub
    _live.add(thread)
    if hub.awake_ident == _native_ident():
        hub.ready.append(thread)
    else:
        hub.post(thread)
    return thread.ident


def count() -> int:
    """How many started threads run, green and native, without our idle ones. `_thread._count`."""
    return thread_count() - len(idle_natives) + len(_live)


def live_thread(ident: int) -> StartedThread | None:
    """The started green thread with this ident that has not ended, or None. Thread-safe."""
    return next((thread for thread in tuple(_live) if thread.ident == ident), None)


def set_sentinel() -> Lock:
    """A lock that is released when the running thread ends. `_thread._set_sentinel` (up to 3.12)."""
    lock = BargingLock()
    task = current()
    if isinstance(task, StartedThread):
        task.sentinel = lock
    elif isinstance(task, GreenThread):
        task.link(_open, lock)
    return lock


def _open(thread: Task, lock: Lock) -> None:
    if lock.locked():
        lock.release()


def _report_unraisable(error: BaseException, func: Any) -> None:
    message, culprit = "Exception ignored in thread started by", func
    if sys.version_info >= (3, 13):
        message, culprit = f"{message} {func!r}", None
    report_unraisable(error, message, culprit)


@uninterruptible
class Handle:
    """What joins a thread. `_thread._ThreadHandle` (3.13 and later). Thread-safe."""

    __slots__ = ("__weakref__", "_daemon", "_done", "_ident", "_waiters")

    def __init__(self) -> None:
        self._ident = 0
        self._daemon = True
        self._done = False
        self._waiters = ParkingLot()

    @property
    def ident(self) -> int:
        """The thread's ident; 0 before it is started."""
        return self._ident

    def is_done(self) -> bool:
        """True when the thread has ended."""
        return self._done

    def join(self, timeout: float | None = None, /) -> None:
        """Park until the thread has ended, or for `timeout` seconds.

        Raises:
            RuntimeError: the thread is not started, or is the caller.
        """
        if not self._ident:
            raise RuntimeError("thread not started")
        if self.is_done():
            fairness_tick()
            return
        if self._ident == get_ident():
            raise RuntimeError("Cannot join current thread")
        self._join(None if timeout is None or timeout < 0 else check_timeout(True, timeout))

    def _join(self, seconds: float | None) -> None:
        with guard:
            if self._done:
                return
            task = self._waiters.enter()
        self._waiters.wait(task, seconds)

    def _set_done(self) -> None:
        if not self._ident:
            raise RuntimeError("thread not started")
        with guard:
            self._done = True
            self._waiters.unpark_all()

    def __repr__(self) -> str:
        return f"<_thread._ThreadHandle object: ident={self._ident}>"


@uninterruptible
class NativeHandle(Handle):
    """The handle of an OS thread. `real` knows when it has ended, but wakes no task: `join` polls it."""

    __slots__ = ("_real",)

    def __init__(self, real: Any) -> None:
        super().__init__()
        self._real = real
        self._ident = real.ident
        _made.add(self)

    def is_done(self) -> bool:
        """True when the OS thread has ended."""
        return self._done or bool(self._real.is_done())

    def _join(self, seconds: float | None) -> None:
        look = Backoff(seconds)
        while not self.is_done() and (pause := look.next()):
            super()._join(pause)

    def _set_done(self) -> None:
        super()._set_done()
        self._real._set_done()


def make_thread_handle(ident: int, /) -> Handle:
    """A handle for a running thread that was not started through `_thread`. `_thread._make_thread_handle`."""
    handle = Handle()
    handle._ident = ident
    _made.add(handle)
    return handle


def shutdown() -> None:
    """Join every green thread that was started joinable and is no daemon: the green part of `_thread._shutdown`."""
    me = current()
    while True:
        waited_for = [
            thread.handle for thread in list(_live) if thread is not me and thread.handle and not thread.handle._daemon
        ]
        if not waited_for:
            return
        for handle in waited_for:
            handle.join()


def abandon() -> None:
    """Have nobody wait at exit for the green threads that run now: eventlet's threads all end with the program.

    `threading` waits for the handles from Python 3.13 on, and for the sentinels up to 3.12.
    """
    for thread in list(_live):
        if thread.handle is not None:
            thread.handle._daemon = True
        if thread.sentinel is not None and thread.sentinel.locked():
            thread.sentinel.release()


def _after_fork_in_child() -> None:
    me = current()
    ident = get_ident()
    for thread in list(_live):
        if thread is not me:
            _live.discard(thread)
            if thread.handle is not None:
                thread.handle._done = True
    for handle in list(_made):
        if handle._ident != ident:
            handle._done = True


on_child(THREADS, _after_fork_in_child)
