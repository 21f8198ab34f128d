"""Deadlocks: nothing is runnable, no timer is set, no task waits for a descriptor, no native call is pending."""

import _signal
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final

from greening._originals import get_ident, get_native_id, getsignal, thread_count
from greening.errors import Deadlock

if TYPE_CHECKING:
    from greening._core.hub import Hub

# `get_native_id` of native threads that wake no task until they get work: the tpool's idle ones.
idle_natives: set[int] = set()

# Seconds until the next check while other OS threads exist: one that ends sends no wake-up.
LOOK_AGAIN = 1.0
# Seconds without a signal after which a standstill of a program with signal handlers is reported.
GRACE = 5.0

_listdir = os.listdir


class Settings:
    """Process-wide: when a standstill is reported although the program has signal handlers.

    Attributes:
        grace: seconds in which no signal must have come; None: no standstill is reported at all.
        wakeup_fd: True while `signal.set_wakeup_fd` has a descriptor: the program waits for signals.
        on_report: called with each `Deadlock` before it is raised, or None. In the hub: it must not wait.
    """

    __slots__ = ("grace", "on_report", "wakeup_fd")

    def __init__(self, asked_for: str) -> None:
        self.grace: float | None = GRACE
        self.wakeup_fd = False
        self.on_report: Callable[[Deadlock], object] | None = None
        if asked_for.lower() in ("off", "no", "never"):
            self.grace = None
        elif asked_for:
            try:
                seconds = float(asked_for)
            except ValueError:
                seconds = -1.0
            if seconds >= 0:
                self.grace = seconds
            else:
                sys.stderr.write(f"greening: GREENING_DEADLOCK={asked_for}: a number of seconds is needed, or off\n")


def report_deadlock(hub: "Hub") -> None:
    """Raise `Deadlock` in the main greenlet, unless something outside the hub may still wake a task.

    Another OS thread may: so only the process's first thread gets the error, and only when it is alone. A Python signal
    handler may: so while there is one, the report waits for the grace, and for an alarm that is set.
    """
    if hub.thread != first_thread or SETTINGS.grace is None:
        return
    handled = _handled()
    if _others_exist():
        hub.timers.add(hub.now() + LOOK_AGAIN, _nothing)
    elif handled and (SETTINGS.wakeup_fd or _alarm_is_due(handled) or not _grace_is_over(hub, SETTINGS.grace)):
        return
    elif not hub.wakeup.inbox:  # checked last: a thread that has ended may have posted before
        hub.standstill = None
        error = deadlock_of(hub, _hint(handled, SETTINGS.grace) if handled else "")
        if SETTINGS.on_report is not None:
            SETTINGS.on_report(error)
        hub.raise_in_main(error)


def _alarm_is_due(handled: list[int]) -> bool:
    """Whether `signal.alarm` or `setitimer` has a signal come that the program handles."""
    return _signal.SIGALRM in handled and _signal.getitimer(_signal.ITIMER_REAL)[0] > 0


def _grace_is_over(hub: "Hub", grace: float) -> bool:
    """Whether the hub has stood still for so long. What wakes a hub that sleeps sets `standstill` back."""
    now = hub.now()
    if hub.standstill is None:
        hub.standstill = now + grace
    if now >= hub.standstill:
        return True
    hub.timers.add(hub.standstill, _nothing)
    return False


def _hint(handled: list[int], grace: float) -> str:
    names = ", ".join(_signal_name(number) for number in handled)
    return (
        f"The program handles {names}, but no signal has come for {grace:g} s. If one is to wake it, wait by "
        "signal.pause() or signal.sigwait(); GREENING_DEADLOCK=SECONDS sets another time, and off switches this off"
    )


def _signal_name(number: int) -> str:
    signals = sys.modules.get("signal")
    known = () if signals is None else signals.Signals  # of those for real time it has the first and the last
    return next((signum.name for signum in known if signum == number), f"signal {number}")


def deadlock_of(hub: "Hub", hint: str = "") -> Deadlock:
    """The error that says who waits for whom. What finds that out is imported now: few programs need it."""
    try:
        explained: Deadlock = import_module("greening.debug.deadlocks").explain(hub, hint)
    except Exception as error:  # noqa: BLE001  # a report that is not all it could be is better than none
        return Deadlock([f"(who waits for whom could not be found out: {error!r})"])
    return explained


def is_alone(hub: "Hub") -> bool:
    """True when nothing can happen in this process until the caller, the main greenlet, goes on: so it may block."""
    return (
        hub.thread == first_thread
        and not (hub.ready or hub.wakeup.inbox or hub.external_waits or hub.registry.waiting())
        and hub.timers.next_deadline() is None
        and not _handled()
        and not _others_exist()
    )


def _others_exist() -> bool:
    # From /proc: `_thread._count` misses threads that have just been started, and those of C libraries. Both may wake
    # a task.
    try:
        threads = {int(name) for name in _listdir("/proc/self/task")}
    except OSError:
        return thread_count() > len(idle_natives)
    return not threads <= idle_natives | {get_native_id()}


def _nothing() -> None:
    return None


def _handled() -> list[int]:
    """The signals with a handler that may wake a task. `default_int_handler` only ends the program."""
    found = []
    for number in range(1, _signal.NSIG):
        handler = getsignal(number)
        handler = getattr(handler, "handler", handler)  # the patch of `signal` wraps each one
        if not callable(handler) or handler is _signal.default_int_handler or isinstance(handler, int):
            continue
        if getattr(handler, "wakes", True):
            found.append(number)
    return found


# `get_ident()` of the OS thread that the process began with; in the child of a fork, of the one that forked.
first_thread = get_ident()

SETTINGS: Final = Settings(os.environ.get("GREENING_DEADLOCK", ""))
