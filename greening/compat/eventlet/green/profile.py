"""eventlet.green.profile: the standard library's `profile`, with a call stack for each green thread.

The standard library's has one for the OS thread. When green threads take turns, it sees returns from functions that it
did not see called, and fails. Here time counts for the function that has run, in whatever green thread.

A stack has timings of its own as long as it has calls that have not returned: a function that is at work in two green
threads is not recursive. Programs replace methods of the class (Swift's xprofile: `_setup`, `runctx`, `runcall`), so
what they rely on has eventlet's names.

Source: the docstring of the module `profile` on `Profile.cur` and `Profile.timings`.
"""

import sys
import warnings
from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import Any

from greenlet import getcurrent

from greening._originals import get_ident

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # CPython 3.15 deprecates it; programs for eventlet use it
    import profile

__all__ = ["Profile", "run", "runctx"]

# (time of inner calls, own time, time of callees, function, frame, the stack around it), as in the base class.
_Stack = tuple[Any, ...]
# function -> (calls, how deep it recurses, own time, time with callees, callers and their number of calls).
_Timings = dict[Any, tuple[int, int, float, float, dict[Any, int]]]
_Handler = Callable[..., Any]

# typeshed describes little of it.
_Base: Any = profile.Profile
_Utils: Any = profile._Utils  # type: ignore[attr-defined]  # typeshed does not know it


def ContextWrap(f: _Handler) -> _Handler:
    """Have a handler of `Profile.dispatch` called with the stack of the greenlet that runs."""

    @wraps(f)
    def handle(self: "Profile", frame: Any, t: float) -> Any:
        running = getcurrent()
        if running is self.current_tasklet:
            return f(self, frame, t)
        if self.cur is None:  # a stack begins
            self.current_tasklet = running
            return f(self, frame, t)
        self.SwitchTasklet(self.current_tasklet, running, t)
        f(self, frame, 0.0)
        return True  # the time is counted: it was the other one's

    return handle


class Profile(_Base):  # type: ignore[misc]  # see above
    """See `profile.Profile`, whose interface it has: `run`, `runctx`, `runcall`, `create_stats`, `print_stats` ...

    It profiles all green threads of the OS thread that it is started in. Use it in that OS thread only. Several runs of
    one profiler add up.

    Args:
        timer: returns the time in seconds; None: the time of the processor.
        bias: seconds that the profiler itself takes for each event; None: as calibrated.
    Attributes:
        current_tasklet: the greenlet (or what stands for it) whose stack `cur` is.
        sleeping: the stacks of the other greenlets that have calls open, each with its timings.
    """

    base = _Base

    # Of the base class.
    cur: _Stack | None
    timings: _Timings
    dispatcher: Callable[[FrameType, str, Any], None]

    def __init__(self, timer: Callable[[], Any] | None = None, bias: float | None = None) -> None:
        self.current_tasklet: object = getcurrent()
        self.thread_id = get_ident()
        self.sleeping: dict[Any, tuple[_Stack, _Timings]] = {}
        self.running = False
        self._has_setup = False
        self._ended: _Timings = {}  # timings of stacks whose calls have all returned
        super().__init__(timer, bias)

    def __call__(self, *args: Any) -> None:
        """What `sys.setprofile` calls: an instance may be given to it."""
        self.dispatcher(*args)

    def _setup(self) -> None:
        self._has_setup = True
        self.cur = None
        self.timings = {}
        self.current_tasklet = getcurrent()
        self.thread_id = get_ident()
        self.simulate_call("profiler")

    def start(self, name: str = "start") -> None:
        """Profile what this OS thread does from now on, until `stop`. Does nothing when it is started.

        Args:
            name: of the call in the statistics that stands for all of it.
        """
        if self.running:
            return
        self._setup()
        self.simulate_call(name)
        self.running = True
        self.t = self.get_time()
        sys.setprofile(self.dispatcher)

    def stop(self) -> None:
        """Profile no more. The statistics can be asked for then."""
        sys.setprofile(None)
        self.running = False
        self.TallyTimings()

    def runctx(self, cmd: str, globals: dict[str, Any], locals: dict[str, Any]) -> "Profile":
        """See `profile.Profile.runctx`."""
        if not self._has_setup:
            self._setup()
        try:
            super().runctx(cmd, globals, locals)
        finally:
            self.TallyTimings()
        return self

    def runcall(self, func: Callable[..., Any], /, *args: Any, **kw: Any) -> Any:
        """See `profile.Profile.runcall`."""
        if not self._has_setup:
            self._setup()
        try:
            return super().runcall(func, *args, **kw)
        finally:
            self.TallyTimings()

    def simulate_cmd_complete(self) -> None:
        """Count what has not returned yet, in all greenlets. Called before the statistics are made."""
        self.TallyTimings()
        self.t = self.get_time()

    # Handlers of events

    def trace_dispatch_return_extend_back(self, frame: Any, t: float) -> Any:
        """A function returns. One that was called before the profiler was started is left out."""
        if self.cur is None or isinstance(self.cur[-2], _Base.fake_frame):
            return False
        return self.trace_dispatch_return(frame, t)

    trace_dispatch_c_return_extend_back = trace_dispatch_return_extend_back

    # Stacks

    def SwitchTasklet(self, t0: Any, t1: Any, t: float) -> None:
        """Put the stack of another greenlet in place.

        Args:
            t0: the greenlet that has run until now. t1: the one that runs.
            t: the time since the last event, in seconds. It was that of `t0`.
        """
        if self.cur is not None:
            inner, own, *rest = self.cur
            self.cur = (inner, own + t, *rest)
            if self.cur[-1] is None:  # nothing is open: nothing of the greenlet need be kept
                _add(self._ended, self.timings)
            else:
                self.sleeping[t0] = self.cur, self.timings
        self.current_tasklet = t1
        self.cur, self.timings = self.sleeping.pop(t1, (None, {}))
        if self.cur is None:
            self.simulate_call("greenlet")

    def TallyTimings(self) -> None:
        """Add up the timings of all greenlets, as if what has not returned yet returned now."""
        self.cur = self.Unwind(self.cur, self.timings)
        sleeping, self.sleeping = self.sleeping, {}
        for cur, timings in sleeping.values():
            self.Unwind(cur, timings)
            _add(self.timings, timings)
        _add(self.timings, self._ended)
        self._ended = {}

    def Unwind(self, cur: _Stack | None, timings: _Timings) -> _Stack | None:
        """Count the calls of a stack that have not returned.

        Args:
            timings: of that stack; changed.
        Returns:
            What is left of the stack: its bottom, which stands for what has called the first function.
        """
        mine = self.cur, self.timings
        self.cur, self.timings = cur, timings
        try:
            while self.cur is not None and self.cur[-1] is not None:
                self.trace_dispatch_return(self.cur[-2], 0)
            return self.cur
        finally:
            self.cur, self.timings = mine


Profile.dispatch = {
    event: ContextWrap(Profile.trace_dispatch_return_extend_back if handler is _Base.trace_dispatch_return else handler)
    for event, handler in _Base.dispatch.items()
}


def _add(total: _Timings, timings: _Timings) -> None:
    """Add timings of a stack to others. None of their functions is at work."""
    for function, (calls, depth, own, whole, callers) in timings.items():
        if function not in total:
            total[function] = calls, depth, own, whole, dict(callers)
            continue
        before = total[function]
        for caller, number in callers.items():
            before[4][caller] = before[4].get(caller, 0) + number
        total[function] = before[0] + calls, before[1], before[2] + own, before[3] + whole, before[4]


def run(statement: str, filename: str | None = None, sort: Any = -1) -> None:
    """Run a statement in `__main__` under the profiler, and print the statistics, or save them to a file.

    Args, Raises: as `profile.run`.
    """
    _Utils(Profile).run(statement, filename, sort)


def runctx(
    statement: str, globals: dict[str, Any], locals: dict[str, Any], filename: str | None = None, sort: Any = -1
) -> None:
    """As `run`, in the given namespaces."""
    _Utils(Profile).runctx(statement, globals, locals, filename, sort)


def __getattr__(name: str) -> Any:  # `main`, `help` ... of the standard library's module
    return getattr(profile, name)
