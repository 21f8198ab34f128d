"""The process-wide import lock at a fork.

Facts: `fork` takes the import lock first, so that no import is half done in the child. The lock's owner is the OS
thread: to whichever green thread of it calls `fork`, the lock is its own.
Decision: who holds it is written down by greenlet, and a fork waits until no other green thread does. Nothing else
changes: a green thread may still be given the lock while another holds it, because the import system takes it in
places where nobody may park, and never parks while it has it.
"""

import _imp
from typing import Any

from greenlet import getcurrent, greenlet

from greening._builtin_method import ModuleSelf
from greening._core.current import current, has_hub
from greening._core.external import Backoff
from greening._core.fork import NET, before_fork
from greening._core.waiting import sleep

_real_acquire = _imp.acquire_lock
_real_release = _imp.release_lock
_home = ModuleSelf("_imp")

# One entry per acquisition of this OS thread (the real lock keeps the others out), in order.
_holders: list[greenlet] = []


@_home.builtin
def acquire_lock(_: Any, /) -> None:
    """Take the import lock; the OS thread that has it may take it again."""
    _real_acquire()
    try:
        _holders.append(getcurrent())
    except RuntimeError:  # the interpreter is being finalized: there are no greenlets any more, and no forks
        return


@_home.builtin
def release_lock(_: Any, /) -> None:
    """Give the import lock back once.

    Raises:
        RuntimeError: this OS thread does not have it.
    """
    _real_release()
    try:
        me = getcurrent()
    except RuntimeError:
        return
    if me in _holders:
        _holders.remove(me)


def _before_fork() -> None:
    if not _holders or not has_hub():
        return
    task = current()
    if task is task.hub.task:
        return
    me = getcurrent()
    # `lock_held`: whoever gave the lock back through a name captured before the patch is still written down.
    look = Backoff(None)
    while _imp.lock_held() and any(holder is not me and not holder.dead for holder in _holders):
        sleep(look.next())


before_fork(NET, _before_fork)
