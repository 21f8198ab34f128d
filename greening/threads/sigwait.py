"""Waiting for signals in native threads: what is behind `signal.sigwait` and its kin.

Facts:
- sigwaitinfo(2) blocks, and takes what is pending for the process or for the OS thread that calls it.
- A signal that is not blocked in some OS thread may be handled there instead.
- A C call in another OS thread can be ended by a signal only.

Consequence: the OS thread that waits has all signals blocked, and is told to leave by a signal of our own. Meanwhile
the OS thread of the waiting green thread has the wanted signals blocked, as POSIX asks of it anyway.
"""

import _signal
from collections.abc import Iterable
from typing import Any

from greening._core.critical import guard
from greening._core.fairness import fairness_tick
from greening._core.fork import THREADS, on_child
from greening._originals import get_ident, getpid, os_kill
from greening.threads import sigmask
from greening.threads.native import NativePool
from greening.timeout import Timeout

# The signal that tells a listener to leave. It is ignored unless the program handles it; Go's runtime uses it alike.
_LEAVE = _signal.SIGURG
# siginfo.si_code of a signal that was sent to one OS thread.
_SI_TKILL = -6

# Threads at most: as many as there are signals.
_LISTENERS = NativePool(_signal.NSIG, block_signals=True)

# (OS thread, signal) -> [how many wait for it, whether it is blocked because of them]
_awaited: dict[tuple[int, int], list[int]] = {}


def wait_for(sigset: Iterable[int], timeout: float | None) -> Any:
    """Park until a signal of `sigset` comes, and take it: no handler runs.

    Args:
        timeout: seconds from now; None: no limit; 0: one look, without parking.
    Returns:
        Its `struct_siginfo`; None: the time ran out.
    Raises:
        TypeError, ValueError: `sigset` is not a set of signals.
    """
    wanted = frozenset(sigset)
    fairness_tick()
    _hold(wanted)
    try:
        info = _signal.sigtimedwait(wanted, 0)
        if info is not None or timeout == 0:
            return info
        listener = _Listener(wanted)
        try:
            with Timeout(timeout, False):
                return _LISTENERS.execute(listener.run)
            return listener.leave()
        except BaseException:
            late = listener.leave()
            if late is not None:
                os_kill(getpid(), late.si_signo)
            raise
    finally:
        _release(wanted)


class _Listener:
    """Waits for signals in a native thread, and can be told to leave. What it took in vain it puts back."""

    __slots__ = ("_left", "_taken", "_thread", "_wanted")

    def __init__(self, wanted: frozenset[int]) -> None:
        self._wanted = wanted
        self._thread = 0
        self._left = False
        self._taken: Any = None

    def run(self) -> Any:
        """In the native thread: the info of the first signal. None: told to leave."""
        in_vain: list[int] = []
        with guard:
            if self._left:
                return None
            self._thread = get_ident()
        while not self._take(_signal.sigwaitinfo(self._wanted | {_LEAVE}), in_vain):
            pass
        for signum in in_vain:
            os_kill(getpid(), signum)
        return self._taken

    def _take(self, info: Any, in_vain: list[int]) -> bool:
        with guard:
            call = info.si_signo == _LEAVE and info.si_code == _SI_TKILL and info.si_pid == getpid()
            if not call and info.si_signo in self._wanted and not self._left:
                self._taken = info
            elif not call:
                in_vain.append(info.si_signo)
            # Otherwise the call was for a listener that had this OS thread before, and left without hearing it.
            if not self._left and self._taken is None:
                return False
            self._thread = 0
            return True

    def leave(self) -> Any:
        """In the green thread: stop waiting. Returns the info of a signal that was taken just before."""
        with guard:
            self._left = True
            if self._thread:
                _signal.pthread_kill(self._thread, _LEAVE)
            return self._taken


def _hold(wanted: frozenset[int]) -> None:
    """Block these in this OS thread while one of its green threads waits for them: a handler would take them."""
    sigmask.settle()
    blocked = _signal.pthread_sigmask(_signal.SIG_BLOCK, wanted)
    for signum in wanted:
        _awaited.setdefault((get_ident(), signum), [0, signum not in blocked])[0] += 1


def _release(wanted: frozenset[int]) -> None:
    sigmask.settle()
    done = []
    for signum in wanted:
        key = (get_ident(), signum)
        entry = _awaited[key]
        entry[0] -= 1
        if not entry[0]:
            del _awaited[key]
            if entry[1]:
                done.append(signum)
    if done:
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, done)


def is_awaited(thread: int, signum: int) -> bool:
    """Whether a green thread of that OS thread waits for the signal.

    A signal that is sent to one OS thread is seen by that one only. An awaited one must be sent to the process instead.
    """
    return bool(_awaited) and (thread, signum) in _awaited


def _after_fork_in_child() -> None:
    ours = [signum for (thread, signum), entry in _awaited.items() if entry[1] and thread == get_ident()]
    _awaited.clear()
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, ours)


on_child(THREADS, _after_fork_in_child)
