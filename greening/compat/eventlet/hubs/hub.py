"""eventlet.hubs.hub: the interface of eventlet's hubs, on greening's."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from greening._core.current import current
from greening._core.current import get_hub as engine_of_thread
from greening._core.hub import Hub
from greening._core.suspend import suspend, switch
from greening._core.task import Task
from greening._core.waiting import forget_fd, sleep
from greening._originals import monotonic
from greening.compat.eventlet.hubs.listener import READ, WRITE, FdListener, Watch, closed, closed_callback
from greening.compat.eventlet.hubs.timer import LocalTimer, Timer

__all__ = ["READ", "WRITE", "BaseHub", "FdListener", "closed_callback"]


class BaseHub:
    """The hub of an OS thread, as programs for eventlet know it. `hubs.get_hub()` gives it.

    Thread-safety: use it in its own OS thread.
    Difference from eventlet's: it cannot be derived from to make another hub, timers and listeners call back in green
    threads of their own (so that they may wait), and `switch` resumes the caller only by its own `switch` or `throw`.

    Args:
        clock: accepted for eventlet's sake if it is the monotonic clock, which is the engine's.
    Raises:
        ValueError: another clock.
    """

    SYSTEM_EXCEPTIONS = (KeyboardInterrupt, SystemExit)
    READ = READ
    WRITE = WRITE

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        if clock not in (None, monotonic):
            raise ValueError("greening's hub runs on the monotonic clock; greening.testing has a hub with another one")
        # What `debug` sets.
        self.listener_stacks = self.debug_blocking = False
        self.debug_blocking_resolution: float = 1
        self._aborted = self._main_waits = False
        # Listeners that must hear of a closed descriptor: those of `add`, and of `trampoline(mark_as_closed=...)`.
        self.watches: set[FdListener] = set()

    @property
    def engine(self) -> Hub:
        """greening's own hub of this OS thread."""
        return engine_of_thread()

    @property
    def clock(self) -> Callable[[], float]:
        """The hub's clock: absolute monotonic time in seconds."""
        return self.engine.now

    @property
    def greenlet(self) -> Task:
        """The task of the loop itself. It is never the running one in a program's own code."""
        return self.engine.task

    @property
    def debug_exceptions(self) -> bool:
        """Whether unhandled exceptions of green threads are reported. See `debug.hub_exceptions`."""
        return self.engine.reports

    @debug_exceptions.setter
    def debug_exceptions(self, value: bool) -> None:
        self.engine.reports = bool(value)

    def set_timer_exceptions(self, value: bool) -> None:
        """`debug.hub_exceptions(value)`."""
        self.debug_exceptions = value

    def set_debug_listeners(self, value: bool) -> None:
        """`debug.hub_listener_stacks(value)`."""
        self.listener_stacks = bool(value)

    # Calls

    def schedule_call_global(self, seconds: float, cb: Callable[..., object], *args: Any, **kw: Any) -> Timer:
        """Have `cb(*args, **kw)` called after `seconds`, whatever becomes of the caller.

        Args:
            seconds: relative; 0 or less: with the next turn of those that are runnable.
            cb: also `g.switch` or `g.throw` of a green thread.
        Returns:
            The timer; `cancel()` prevents the call.
        """
        return Timer(seconds, cb, *args, **kw).schedule()

    def schedule_call_local(self, seconds: float, cb: Callable[..., object], *args: Any, **kw: Any) -> Timer:
        """As `schedule_call_global`, unless the calling green thread has ended by then."""
        return LocalTimer(seconds, cb, *args, **kw).schedule()

    def add_timer(self, timer: Timer) -> float:
        """Start a timer. Returns the hub's time of its call, in seconds."""
        timer.schedule()
        assert timer.scheduled_time is not None
        return timer.scheduled_time

    def get_timers_count(self) -> int:
        """Number of timers, those included that were cancelled and are still kept: see `timers_canceled`."""
        return len(self.engine.timers) + self.timers_canceled

    @property
    def timers_canceled(self) -> int:
        """Number of timers that will not call and are still kept, for a while: never more than a few hundred, or than
        half of all.
        """
        return self.engine.timers.dead

    # Switches

    def switch(self) -> Any:
        """Park the caller until its `switch(value)` is called. Returns that value. Its `throw` ends the wait, too.

        In the main greenlet, `abort` ends it as well, and None is returned.
        """
        self._aborted = False
        if current() is not self.engine.main:
            return suspend()
        self._main_waits = True
        try:
            return suspend()
        finally:
            self._main_waits = False

    def ensure_greenlet(self) -> None:
        """Do nothing: the loop is always there."""

    @property
    def running(self) -> bool:
        """False after `abort`, until the hub is used again."""
        return not self._aborted and not self.engine.closed

    @property
    def stopping(self) -> bool:
        """False: `abort` stops nothing."""
        return False

    def abort(self, wait: bool = False) -> None:
        """Stop the loop, which begins anew when something waits. Here it only notes that: what waits is not lost.

        A `switch` of the main greenlet returns: that is how a program ends that has given its main greenlet away.

        Args:
            wait: True: let what is runnable run first.
        """
        if wait:
            sleep(0)
        self._aborted = True
        if self._main_waits:
            switch(self.engine.main, None)

    # Descriptors

    def add(
        self,
        evtype: str,
        fileno: int,
        cb: Callable[[int], object],
        tb: Callable[..., object] | None = None,
        mark_as_closed: Callable[[], object] | None = None,
    ) -> Watch:
        """Have `cb(fileno)` called whenever a descriptor is ready, until the listener is removed.

        Args:
            evtype: `READ` or `WRITE`.
            fileno: an open descriptor. Borrowed.
            tb: called with an `IOClosed` when `notify_close` says that the descriptor is closed, or a green socket is.
            mark_as_closed: called before that, without an argument.
        Returns:
            The listener, for `remove`.
        Raises:
            ValueError: another `evtype`.
        """
        return Watch(self.watches, evtype, fileno, cb, tb, mark_as_closed)

    def remove(self, listener: FdListener) -> None:
        """Have a listener of `add` call back no more. Does nothing the second time."""
        if isinstance(listener, Watch):
            listener.remove()

    def notify_close(self, fileno: int) -> None:
        """A descriptor is closed: those that wait for it get an `IOClosed`, or a green socket's own error."""
        for listener in tuple(self.watches):
            if listener.fileno != fileno:
                continue
            if isinstance(listener, Watch):
                listener.obsolete()
            else:
                listener.defang()
        reg = self.engine.regs.get(fileno)
        if reg is not None and reg.owner is None:  # not those of a green socket: they get the stdlib's error below
            for task in (*(reg.readers or ()), *(reg.writers or ())):
                task.interrupt(closed(fileno))
        forget_fd(fileno)

    def mark_as_reopened(self, fileno: int) -> None:
        """The number of a descriptor is another file's now: as `notify_close`."""
        self.notify_close(fileno)

    def remove_descriptor(self, fileno: int) -> None:
        """Have nobody wait for a descriptor any more: as `notify_close`, but listeners of `add` are only removed."""
        for listener in tuple(self.watches):
            if listener.fileno == fileno and isinstance(listener, Watch):
                listener.remove()
        self.notify_close(fileno)

    def get_readers(self) -> list[FdListener]:
        """Those that wait to read, one entry each."""
        return self._waiting(READ)

    def get_writers(self) -> list[FdListener]:
        """Those that wait to write, one entry each."""
        return self._waiting(WRITE)

    def _waiting(self, evtype: str) -> list[FdListener]:
        found: list[FdListener] = []
        for fd, reg in tuple(self.engine.regs.items()):
            tasks = reg.readers if evtype == READ else reg.writers
            found.extend(FdListener(evtype, fd, task.switch, task.throw, None, task) for task in tuple(tasks or ()))
        return found


class _Module(ModuleType):
    """This module: the engine has what programs take for a variable of the module."""

    @property
    def g_prevent_multiple_readers(self) -> bool:
        """See `debug.hub_prevent_multiple_readers`, which sets it, too."""
        return engine_of_thread().registry.exclusive

    @g_prevent_multiple_readers.setter
    def g_prevent_multiple_readers(self, value: object) -> None:
        engine_of_thread().registry.exclusive = bool(value)


sys.modules[__name__].__class__ = _Module
