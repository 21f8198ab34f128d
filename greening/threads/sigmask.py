"""Signal masks of green threads.

Facts: threads block signals that are not for them, often all of them and for good, so that the main thread gets them
(`multiprocessing` does). The system knows one mask per OS thread. The main thread shares its own with every green
thread.
Decision: a green thread's mask is in force until the hub runs next. So what the thread does between blocking and
unblocking is protected, and a child that it starts there inherits the mask. After that the OS thread has the mask of
its main greenlet again. The green thread is still told its own mask when it asks, and the child of its `fork` gets it.
A signal that is sent to a green thread is sent to its OS thread, blocked or not.
"""

import _signal
from collections.abc import Iterable
from functools import partial
from weakref import WeakKeyDictionary

from greening._core.current import current, get_hub, has_hub
from greening._core.fork import THREADS, on_child
from greening._core.greenthread import GreenThread
from greening._core.hub import Hub
from greening._core.task import Task

_real = _signal.pthread_sigmask

# Green threads whose mask is not that of their OS thread's main greenlet.
_masks: "WeakKeyDictionary[Task, set[int]]" = WeakKeyDictionary()
# Hubs in whose OS thread a green thread's mask is in force -> the mask of the main greenlet.
_displaced: dict[Hub, set[int]] = {}


def change(how: int, mask: Iterable[int]) -> set[int] | None:
    """`_signal.pthread_sigmask` for the running green thread. Arguments, result and errors are its own.

    Returns:
        The mask that it had; None: it has the system's, of its OS thread, which the caller may change.
    """
    task = current() if has_hub() else None
    if task is None or not isinstance(task, GreenThread) or task.ident == task.hub.main.ident:
        settle()
        return None
    hub = task.hub
    now = set(_real(_signal.SIG_BLOCK, ()))
    main = _displaced.get(hub, now)
    before = _masks.get(task, main)
    if before != now:
        _real(_signal.SIG_SETMASK, before)
    try:
        _real(how, mask)
    finally:
        after = set(_real(_signal.SIG_BLOCK, ()))
        if after == main:
            _masks.pop(task, None)
        else:
            _masks[task] = after
            if hub not in _displaced:
                _displaced[hub] = main
                hub.post(partial(_settle, hub))
                hub.end_round()  # the next task that parks goes through the hub
    return before


def settle() -> None:
    """Put the mask of this OS thread's main greenlet in force."""
    if _displaced and has_hub():
        _settle(get_hub())


def _settle(hub: Hub) -> None:
    main = _displaced.pop(hub, None)
    if main is not None:
        _real(_signal.SIG_SETMASK, main)


def _after_fork_in_child() -> None:
    settle()
    _displaced.clear()
    mask = _masks.get(current()) if _masks else None
    _masks.clear()
    if mask is not None:
        _real(_signal.SIG_SETMASK, mask)


on_child(THREADS, _after_fork_in_child)
