"""eventlet.debug: switches for what is reported, and lists of what waits."""

import linecache
import re
import sys
from collections.abc import Callable, Collection, Iterable
from types import FrameType
from typing import Any

from greening._core.current import get_hub as engine_of_thread
from greening.compat.eventlet import hubs
from greening.compat.eventlet.hubs.timer import Timer
from greening.compat.eventlet.watchdog import WATCHDOG
from greening.pool.greenpool import GreenPool
from greening.threads.native import TPOOL

__all__ = [
    "format_asyncio_info",
    "format_hub_listeners",
    "format_hub_timers",
    "format_threads_info",
    "hub_blocking_detection",
    "hub_exceptions",
    "hub_listener_stacks",
    "hub_prevent_multiple_readers",
    "hub_timer_stacks",
    "spew",
    "tpool_exceptions",
    "unspew",
]

_WORDS = re.compile(r"\W+")


class Spew:
    """A trace function that prints each line before it runs, and the values of its names.

    Args:
        trace_names: names of the modules to trace; None: all.
        show_values: print the values, too.
    """

    def __init__(self, trace_names: Collection[str] | None = None, show_values: bool = True) -> None:
        self.trace_names = trace_names
        self.show_values = show_values

    def __call__(self, frame: FrameType, event: str, arg: Any) -> "Spew":
        """See `sys.settrace`."""
        if event == "line":
            module = frame.f_globals.get("__name__", "[unknown]")
            if self.trace_names is None or module in self.trace_names:
                self._print(frame, module)
        return self

    def _print(self, frame: FrameType, module: str) -> None:
        file, number = frame.f_code.co_filename, frame.f_lineno
        line = linecache.getline(file, number).rstrip()
        sys.stdout.write(f"{module}:{number}: {line}\n")
        if self.show_values:
            names = dict.fromkeys(_WORDS.split(line))
            values = [f"{name}={frame.f_locals[name]!r}" for name in names if name in frame.f_locals]
            if values:
                sys.stdout.write("\t" + " ".join(values) + "\n")


def spew(trace_names: Collection[str] | None = None, show_values: bool = False) -> None:
    """Print each line of Python that runs from now on in this OS thread. It slows the program down a lot.

    Args:
        trace_names: names of the modules to trace; None: all.
        show_values: print the values of the names in the line, too.
    """
    sys.settrace(Spew(trace_names, show_values))


def unspew() -> None:
    """Take `spew` back."""
    sys.settrace(None)


def format_hub_listeners() -> str:
    """What waits for descriptors in this OS thread, readers and writers, as text: one line each.

    With `hub_listener_stacks(True)` each line is followed by the stack of the green thread that waits.
    """
    hub = hubs.get_hub()
    lines = ["READERS:"]
    lines += _listed(hub.get_readers(), hub.listener_stacks)
    lines += ["WRITERS:"]
    lines += _listed(hub.get_writers(), hub.listener_stacks)
    return "\n".join(lines)


def _listed(listeners: Iterable[Any], stacks: bool) -> Iterable[str]:
    for listener in listeners:
        yield repr(listener)
        if stacks:
            yield listener.stack()


def format_hub_timers() -> str:
    """The timers of this OS thread, by the time that they are due, as text: one line each."""
    engine = engine_of_thread()
    now = engine.now()
    lines = ["TIMERS:"]
    for number, timer in enumerate(engine.timers.pending()):
        call: Callable[..., object] = timer.call
        lines.append(f"{number}: due in {timer.when - now:.3f} s: {call!r} {timer.args!r}")
    return "\n".join(lines)


def format_asyncio_info() -> str:
    """The event loop that runs in this green thread, and its tasks, as text.

    Difference from eventlet's: no error where none runs.
    """
    asyncio = sys.modules.get("asyncio")  # a program that has not imported it has no tasks
    loop = None if asyncio is None else asyncio._get_running_loop()
    tasks = set() if asyncio is None or loop is None else asyncio.all_tasks(loop)
    return f"TASKS:\n{tasks!r}\nEVENTLOOP: {loop!r}"


def format_threads_info() -> str:
    """The threads that `threading` knows, by their idents, as text. Where it is patched, green ones are among them."""
    threading = sys.modules.get("threading")
    threads = {} if threading is None else {thread.ident: thread for thread in threading.enumerate()}
    return f"THREADS:\n{threads!r}"


def hub_listener_stacks(state: bool = False) -> None:
    """Have `format_hub_listeners` show where each green thread waits. For the hub of this OS thread."""
    hubs.get_hub().listener_stacks = bool(state)


def hub_timer_stacks(state: bool = False) -> None:
    """Have a timer remember where it was made: its `repr` says so, and a note to the exception of its call.

    For timers that are made from now on, in any OS thread.
    """
    Timer.remember_stacks = bool(state)


def hub_prevent_multiple_readers(state: bool = True) -> None:
    """Make it an error (RuntimeError) when two green threads read one descriptor at once, or write to it.

    Off unless it is switched on here, unlike eventlet's: greening lets them take turns. For the hub of this OS thread.
    """
    engine_of_thread().registry.exclusive = bool(state)


def hub_exceptions(state: bool = True) -> None:
    """Have unhandled exceptions of green threads reported (the default), or not. For the hub of this OS thread.

    `wait()` raises them all the same. It also sets `eventlet.greenpool.DEBUG`, which is for all OS threads.
    """
    hubs.get_hub().debug_exceptions = GreenPool.reports = bool(state)


def tpool_exceptions(state: bool = False) -> None:
    """Have exceptions of calls in `tpool` reported where they are raised, too; off by default."""
    TPOOL.reports = bool(state)


def hub_blocking_detection(state: bool = False, resolution: float = 1) -> None:
    """Raise a RuntimeError in a green thread that has run for `resolution` seconds without letting others run.

    It is raised in the code that blocks, also in a system call, and names its line. It works by SIGALRM, and therefore
    for the main OS thread only; a program that uses that signal cannot have both.

    Args:
        state: True: look from now on; False: look no more.
        resolution: seconds, above zero.
    Raises:
        ValueError: another OS thread than the main one; or `resolution` is not above zero.
    """
    hub = hubs.get_hub()
    if state:
        WATCHDOG.start(resolution)
    else:
        WATCHDOG.stop()
    hub.debug_blocking = bool(state)
    hub.debug_blocking_resolution = resolution
