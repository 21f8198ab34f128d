"""The last resort of the watchdog: stacks are written while C code keeps the GIL, and perhaps never gives it back.

Facts: no Python code runs meanwhile, so nothing can be named. `faulthandler.dump_traceback_later` has a thread in C
that writes the stacks of all OS threads without the GIL. There is one such timer in a process. What it reads may change
under it, so it is safe only while nothing runs.
Decision: it is set anew as long as the watchdog has its turns, and to seconds rather than to the threshold. It then
writes when nothing has run for long. A block that ends is told by the watchdog, with names.

The program's own use of that timer comes first: it is left alone until it has fired or was cancelled.
"""

import faulthandler
import sys
from math import inf
from typing import Any, Final

from greening._core.deadlock import idle_natives
from greening._originals import monotonic
from greening.debug.periodic import COMM, comm, read_file, threads, threads_called, wait_gone
from greening.patcher.ledger import Changes

# Seconds at least until the stacks are written.
LEAST: Final = 2.0
# Signals that a thread of faulthandler has blocked, and hardly any other: SIGINT, SIGFPE, SIGSEGV, SIGTERM.
_BLOCKED = 1 << 1 | 1 << 7 | 1 << 10 | 1 << 14

_set = faulthandler.dump_traceback_later
_cancel = faulthandler.cancel_dump_traceback_later


class LastResort:
    """The timer of `faulthandler`, set again and again. For one OS thread.

    Args:
        seconds: until the stacks are written.
        fd: where they are written.
    """

    def __init__(self, seconds: float, fd: int) -> None:
        self.seconds = seconds
        self._fd = fd
        self._next = 0.0
        self._changes = Changes()
        self._natives: set[int] = set()
        # Until when the timer is the program's, in the time of `monotonic`.
        self._theirs = inf if _is_set() else 0.0

    def begin(self) -> None:
        """Find out from now on when the program itself uses the timer."""
        names: Any = vars(faulthandler)
        self._changes.set_item(names, "dump_traceback_later", self._set_by_program)
        self._changes.set_item(names, "cancel_dump_traceback_later", self._cancelled_by_program)

    def end(self) -> None:
        """Cancel the timer, unless it is the program's, and leave it alone."""
        self.cancel()
        while self._changes.steps:
            self._changes.steps.pop()()

    def cancel(self) -> None:
        """Cancel the timer, unless it is the program's."""
        if self._next and monotonic() >= self._theirs:
            _cancel()
            wait_gone(self._natives)
        self._next = 0.0
        idle_natives.difference_update(self._natives)
        self._natives.clear()

    def in_child(self) -> None:
        """In the child of a fork. CPython hangs there when a timer of the parent's, set at that moment, is set anew."""
        if monotonic() < self._theirs:
            self._theirs = inf

    def put_off(self, now: float) -> None:
        """The watchdog had a turn: set the timer anew, a few times in its period."""
        if now < self._next or now < self._theirs:
            return
        _set(self.seconds, file=self._fd)
        self._next = now + self.seconds / 4
        # Its thread wakes nobody: it does not keep a deadlock from being reported.
        natives = threads_called(COMM)
        idle_natives.difference_update(self._natives - natives)
        idle_natives.update(natives)
        self._natives = natives

    def _set_by_program(self, timeout: float, repeat: bool = False, file: Any = None, exit: bool = False) -> None:
        before, self._theirs = self._theirs, inf
        try:
            _set(timeout, repeat, sys.stderr if file is None else file, exit)
        except BaseException:
            self._theirs = before
            raise
        self._theirs = inf if repeat else monotonic() + timeout

    def _cancelled_by_program(self) -> None:
        _cancel()
        self._theirs = self._next = 0.0


def _is_set() -> bool:
    """Whether the timer seems to be the program's already: there is a thread like that of faulthandler."""
    return any(_blocks_signals(thread) for thread in threads() if comm(thread) != COMM)


def _blocks_signals(thread: str) -> bool:
    if int(thread) in idle_natives:
        return False
    for line in read_file(f"/proc/self/task/{thread}/status").splitlines():
        if line.startswith("SigBlk:"):
            return int(line[7:], 16) & _BLOCKED == _BLOCKED
    return False
