"""`threading.Thread.start` for classes whose threads have to be OS threads in a patched process.

Some threads of libraries wait in C code, or must go on while everything else stands still. A plug-in gives the class of
such threads this method:

    module.Heartbeat.start = start_natively

What they call is as green as before, in an OS thread of their own that holds up nobody. To join one holds up the OS
thread of the caller: it is for threads that nobody waits for.
"""

import sys
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import wraps
from typing import Any

from greening._core.running import known_task
from greening.monkey import original

# Where a `threading.Thread` has its handle: from 3.14 on, and in 3.13. Up to 3.12 it has none.
HANDLES = ("_os_thread_handle", "_handle")

# Made here: to make the copies of the originals takes long, and lets others run.
native = original("_thread")
NativeEvent: type = original("threading").Event


def in_one_turn(method: Callable[..., Any]) -> Callable[..., Any]:
    """It takes green locks (as `threading.enumerate` does), and may not let others run because its slice is over."""

    @wraps(method)
    def in_one_turn(*args: Any, **kwargs: Any) -> Any:
        task = known_task()
        if task is None:
            return method(*args, **kwargs)
        took_turns, task.takes_turns = task.takes_turns, False
        try:
            return method(*args, **kwargs)
        finally:
            task.takes_turns = took_turns

    return in_one_turn


@in_one_turn
def start_natively(self: Any) -> None:
    """Start a `threading.Thread` in an OS thread, as `start` does in an unpatched process.

    It waits natively until the thread runs, which lets no other green thread run: a debugger that has stopped one
    starts threads. The difference: it does not hold up the end of the interpreter, even if it is no daemon.

    Raises:
        RuntimeError: it was started before.
    """
    shared: Any = threading
    if self._started.is_set():
        raise RuntimeError("threads can only be started once")
    self._started = NativeEvent()
    if getattr(self, "_context", self) is None:  # from 3.14 on it runs in a context
        self._context = copy_context() if getattr(sys.flags, "thread_inherit_context", False) else Context()
    with shared._active_limbo_lock:
        shared._limbo[self] = self
    handle_name = next((name for name in HANDLES if hasattr(self, name)), None)
    try:
        if handle_name is not None:
            handle = native._ThreadHandle()
            setattr(self, handle_name, handle)
            native.start_joinable_thread(self._bootstrap, handle=handle, daemon=True)
        else:
            native.start_new_thread(_run_to_its_end, (self,))
    except BaseException:
        with shared._active_limbo_lock:
            del shared._limbo[self]
        raise
    self._started.wait()
    if handle_name is None:
        with shared._shutdown_locks_lock:
            shared._shutdown_locks.discard(self._tstate_lock)


def _run_to_its_end(thread: Any) -> None:
    """Up to 3.12 a lock says whether a thread runs. The interpreter does not release the green one in its place."""
    try:
        thread._bootstrap()
    finally:
        lock = thread._tstate_lock
        if lock is not None and lock.locked():
            lock.release()
