"""The process-wide import lock at a fork.

Facts: `fork` takes the import lock first, so that no import is half done in the child. The lock's owner is an OS
thread. So any green thread of that OS thread may fork, as if it held the lock itself.
Decision: the greenlets that hold the lock are written down, and a fork waits until no other green thread holds it.
Nothing else changes. A green thread may still get the lock while another one holds it, because the import system takes
it in places where a green thread may not park, and never parks while it has it.
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

# The holders, one entry per acquisition, in order. All are of one OS thread: the real lock keeps the others out.
_holders: list[greenlet] = []


@_home.builtin
def acquire_lock(_: Any, /) -> None:
    """Take the import lock, as `_imp.acquire_lock`. The OS thread that has it may take it again."""
    _real_acquire()
    try:
        _holders.append(getcurrent())
    except RuntimeError:  # the interpreter is being finalized: there are no greenlets any more, and no forks
        return


@_home.builtin
def release_lock(_: Any, /) -> None:
    """Give the import lock back once, as `_imp.release_lock`.

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
    # `lock_held`: code that captured the real function before the patch may have given the lock back. The holder is
    # then still written down.
    look = Backoff(None)
    while _imp.lock_held() and any(holder is not me and not holder.dead for holder in _holders):
        sleep(look.next())


before_fork(NET, _before_fork)
