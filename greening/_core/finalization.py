"""The end of the interpreter, for the OS threads that are still there.

Facts:
- Up to 3.13, CPython ends an OS thread that asks for the GIL after the interpreter has begun to end. Its
  pthread_exit(3) unwinds the C stack, and greenlet's frames need the GIL for that: the process aborts, or never ends.
- An OS thread that waits for a real lock holds no GIL, and asks for none before it has the lock.
- `atexit` frees what it holds after its last function has returned. No Python code runs between that and the end.

Decision: when `atexit` frees what is registered here, every other OS thread that is in a hub, or enters one, waits for
a lock that is never released. So exit functions can still use every thread. 3.14 and later hang every thread that asks
for the GIL, and nothing is needed there.
"""

import _signal
import atexit
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from greening._core.critical import resume_gc_for_good
from greening._core.external import Backoff
from greening._core.task import RUNNING
from greening._originals import allocate_lock, get_ident, monotonic, time_sleep

if TYPE_CHECKING:
    from greening._core.hub import Hub

# Seconds that the end waits for OS threads that sleep in a hub. They need some 100 us, unless the machine is busy.
_PATIENCE = 1.0
# Seconds that it waits for those that are awake: a green thread may compute for ever. (The accelerator stops these, see
# runner.c. The Python source cannot.)
_PATIENCE_AWAKE = 0.05

_lock = allocate_lock()
_lock.acquire()
_wait_for_ever = _lock.acquire


class _State:
    """thread: `get_ident()` of the OS thread that ends the interpreter; 0 until the end has come."""

    __slots__ = ("thread",)

    def __init__(self) -> None:
        self.thread = 0


_state: Final = _State()


def hang_if_it_has_come(hub: "Hub | None" = None) -> None:
    """Once the end has come, hang for ever, except in the OS thread that ends the interpreter.

    Args:
        hub: the hub of this OS thread; its `halted` is set.
    """
    if _state.thread in (0, get_ident()):
        return
    # A signal would end the wait, and the thread would ask for the GIL.
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    if hub is not None:
        # CPython hands the GIL over at calls and backward jumps only: the thread that ends the interpreter sees this
        # only when this one waits.
        hub.halted = True
    _wait_for_ever()


class _Last:
    """Held by `atexit` alone, so that it is freed after the last exit function."""

    __slots__ = ("_called", "_guard", "_hubs")

    def __init__(self, hubs: "list[Hub]", guard: Any) -> None:
        self._hubs = hubs
        self._guard = guard
        self._called = False

    def __call__(self) -> None:
        self._called = True

    def __del__(self) -> None:
        # Not called: the list of exit functions was emptied, and this is not the end.
        if self._called:
            _state.thread = get_ident()
            _halt(self._hubs)
            # Take it before an OS thread ends in a critical step: we would wait for it for ever.
            self._guard.__enter__()
            resume_gc_for_good()


def _halt(hubs: "list[Hub]") -> None:
    others = {hub: _PATIENCE_AWAKE if hub.awake_ident else _PATIENCE for hub in hubs if hub.thread != get_ident()}
    for hub in others:
        hang = partial(hang_if_it_has_come, hub)
        # The OS thread calls it instead of its next switch to the hub, or in the hub's loop.
        hub._enter = hang
        hub.switches_left = 0
        hub.post(hang)
    # Polled: an OS thread cannot signal that it has begun to wait.
    begun, look = monotonic(), Backoff(None, longest=0.001)
    while any(not _has_halted(hub) and monotonic() - begun < patience for hub, patience in others.items()):
        time_sleep(look.next())


def _has_halted(hub: "Hub") -> bool:
    """True when that OS thread hangs, or is in its main greenlet and can leave it only to hang."""
    if hub.halted or (hub.switches_left <= 0 and hub.main.state == RUNNING):
        return True
    hub.switches_left = 0  # a round may have begun meanwhile
    return False


def prepare(hubs: "list[Hub]", guard: Any) -> None:
    """Before the interpreter ends, stop the OS threads of the hubs that are in `hubs` then."""
    if sys.version_info < (3, 14):
        atexit.register(_Last(hubs, guard))
