"""eventlet.hubs.timer: a call at a later time, which can be cancelled."""

from collections.abc import Callable
from contextvars import Context, copy_context
from traceback import format_stack
from typing import Any

from greening._core.current import current, get_hub
from greening._core.greenthread import GreenThread, spawn
from greening._core.hub import Hub
from greening._core.task import Task
from greening._core.timers import Timer as EngineTimer
from greening._core.timers import deadline_after
from greening._originals import get_ident

__all__ = ["LocalTimer", "Timer"]


class Timer:
    """Calls `cb(*args, **kw)` once, `seconds` after `schedule()`. A hub's `schedule_call_global` makes and starts one.

    The call is made in a green thread of its own, so that it may wait. Difference from eventlet: there it is made in
    the hub, where nothing may wait.

    Args:
        seconds: relative to `schedule()`. 0 or less: with the next turn of those that are runnable.
        cb: what to call, with the arguments that follow.
    """

    # True: a timer remembers where it was made. Set by `debug.hub_timer_stacks`.
    remember_stacks = False

    def __init__(self, seconds: float, cb: Callable[..., object], *args: Any, **kw: Any) -> None:
        self.seconds = seconds
        self.tpl: tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]] | None = (cb, args, kw)
        # True when it has made its call, or never will.
        self.called = False
        # The hub's time of the call, in seconds; None before `schedule()`.
        self.scheduled_time: float | None = None
        self._hub: Hub | None = None
        self._timer: EngineTimer | None = None
        self._made_at = "".join(format_stack()[:-1]) if self.remember_stacks else ""

    @property
    def pending(self) -> bool:
        """True as long as it will make its call."""
        return not self.called

    def schedule(self) -> "Timer":
        """Start it. Returns the timer.

        Raises:
            TypeError, ValueError: `seconds` is no number of seconds.
        """
        hub = self._hub = get_hub()
        now = hub.now()
        deadline = deadline_after(now, self.seconds)
        self.called = False
        self.scheduled_time = deadline
        if deadline <= now:
            spawn(self).calls_back = True
        else:
            # Most timers are cancelled: the green thread is made when the time has come.
            self._timer = hub.call_at(deadline, self._start, hub, copy_context())
        return self

    def _start(self, hub: Hub, context: Context) -> None:
        """In the hub: make the call in a green thread."""
        if not self.called:
            thread: GreenThread[None] = GreenThread(hub, self, (), {})
            thread.context = context
            thread.calls_back = True
            hub.ready.append(thread)

    def copy(self) -> "Timer":
        """Another timer with the same call, not started."""
        if self.tpl is None:
            raise RuntimeError(f"{self!r} has made its call, and has none any more to copy")
        cb, args, kw = self.tpl
        return type(self)(self.seconds, cb, *args, **kw)

    def cancel(self) -> None:
        """Have it never make its call. Does nothing when it has."""
        if self.called:
            return
        self.called = True
        self.tpl = None
        timer, hub = self._timer, self._hub
        if timer is not None and hub is not None and hub.awake_ident == get_ident():
            timer.cancel()

    def __call__(self) -> None:
        """Make the call now, unless it was made or cancelled."""
        if self.called or self.tpl is None:
            return
        self.called = True
        (cb, args, kw), self.tpl = self.tpl, None
        try:
            cb(*args, **kw)
        except BaseException as error:
            if self._made_at:
                error.add_note(f"The timer of this call was made here:\n{self._made_at}")
            raise

    def __repr__(self) -> str:
        call = "" if self.tpl is None else f" {self.tpl[0]!r}"
        place = f"\n{self._made_at}" if self._made_at else ""
        return f"<{type(self).__name__} at {id(self):#x} seconds={self.seconds}{call}>{place}"

    def __lt__(self, other: "Timer") -> bool:
        return id(self) < id(other)


class LocalTimer(Timer):
    """A timer that makes no call if the green thread that made it has ended by then."""

    def __init__(self, seconds: float, cb: Callable[..., object], *args: Any, **kw: Any) -> None:
        super().__init__(seconds, cb, *args, **kw)
        self._maker: Task | None = current()

    @property
    def pending(self) -> bool:
        """True as long as it will make its call."""
        return not self.called and (self._maker is None or not self._maker.dead)

    def __call__(self) -> None:
        """Make the call now, unless it was made or cancelled, or the maker has ended."""
        if self.pending:
            super().__call__()

    def cancel(self) -> None:
        """Have it never make its call."""
        super().cancel()
        self._maker = None
