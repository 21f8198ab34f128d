"""eventlet.green.profile: the standard library's `profile`, with a call stack for each green thread.

The standard library's has one for the OS thread. When green threads take turns, it sees returns from functions that it
did not see called, and fails. Here time counts for the function that has run, in whatever green thread.

Source: the docstring of the module `profile` on `Profile.cur`.
"""

import warnings
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

from greenlet import getcurrent, greenlet

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # CPython 3.15 deprecates it; programs for eventlet use it
    import profile

__all__ = ["Profile", "run", "runctx"]

_Stack = tuple[Any, ...]

# typeshed describes little of it.
_Base: Any = profile.Profile
_Utils: Any = profile._Utils  # type: ignore[attr-defined]  # typeshed does not know it


class Profile(_Base):  # type: ignore[misc]  # see above
    """See `profile.Profile`, whose interface it has: `run`, `runctx`, `runcall`, `create_stats`, `print_stats` ...

    It profiles all green threads of the OS thread that it is started in. Use it in that OS thread only.

    Args:
        timer: returns the time in seconds; None: the time of the processor.
        bias: seconds that the profiler itself takes for each event; None: as calibrated.
    """

    # Of the base class: the innermost call, with those around it, and the trace function.
    cur: Any
    dispatcher: Any

    def __init__(self, timer: Any = None, bias: float | None = None) -> None:
        # The stacks of the other greenlets.
        self._stacks: WeakKeyDictionary[greenlet, _Stack] = WeakKeyDictionary()
        self._running = getcurrent()
        super().__init__(timer, bias)
        self._account = self.dispatcher
        self.dispatcher = self._dispatch

    def _dispatch(self, frame: FrameType, event: str, arg: Any) -> None:
        running = getcurrent()
        if running is not self._running:
            self._switch(running)
        if event not in ("call", "c_call") and isinstance(self.cur[-2], _Base.fake_frame):
            self.t = self.get_time()  # the function was called before the profiler was started
            return
        self._account(frame, event, arg)

    def _switch(self, running: greenlet) -> None:
        """Put the stack of another greenlet in place. The time so far was that of the one that ran."""
        now = self.get_time()
        total, own, *rest = self.cur
        self._stacks[self._running] = (total, own + now - self.t, *rest)
        self._running = running
        self.cur = self._stacks.pop(running, None)
        if self.cur is None:
            self.simulate_call("greenlet")
        self.t = self.get_time()

    def simulate_cmd_complete(self) -> None:
        """Count what has not returned yet, in all greenlets. Called before the statistics are made."""
        super().simulate_cmd_complete()
        mine = self.cur
        for stack in list(self._stacks.values()):
            self.cur = stack
            while self.cur[-1]:
                self.dispatch["return"](self, self.cur[-2], 0)
        self._stacks.clear()
        self.cur = mine


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
