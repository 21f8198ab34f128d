"""asyncio: loops live beside green threads, each in its own, and beside each other.

What blocks here: the selector, which is cooperative by the patches of `select` and `selectors`; nothing else.
What we replace: nothing. What we add: while the greenlet that runs a loop is parked, the OS thread's slots for "the
running loop", "the
current task" and the hooks for asynchronous generators are empty, so that another green thread can run a loop of its
own, and
code that asks "am I in a coroutine?" gets the right answer.

Sources: asyncio.events._set_running_loop and asyncio.tasks._enter_task, _leave_task, which asyncio documents for those
who
implement loops and tasks; sys.set_asyncgen_hooks.
"""

import asyncio
import sys
from asyncio import events, tasks
from typing import Any

from greening._core.slots import SLOTS
from greening.patcher.spec import Patch, Undo

_set_running_loop = events._set_running_loop
_get_running_loop = events._get_running_loop


def _save(loop: Any) -> tuple[Any, Any, Any]:
    task = tasks.current_task(loop)
    if task is not None:
        tasks._leave_task(loop, task)
    hooks = sys.get_asyncgen_hooks()
    if hooks.firstiter is not None or hooks.finalizer is not None:
        sys.set_asyncgen_hooks(None, None)
    _set_running_loop(None)
    return loop, task, hooks


def _restore(state: tuple[Any, Any, Any]) -> None:
    loop, task, hooks = state
    _set_running_loop(loop)
    if hooks.firstiter is not None or hooks.finalizer is not None:
        sys.set_asyncgen_hooks(*hooks)
    if task is not None:
        tasks._enter_task(loop, task)


def install() -> None:
    """Have the engine look after the slots from now on. Idempotent."""
    SLOTS.save = _save
    SLOTS.restore = _restore
    SLOTS.busy = _get_running_loop


def _install(undo: Undo) -> None:
    install()
    undo.add(_uninstall)


def _uninstall() -> None:
    SLOTS.busy = None


PATCH = Patch(target=asyncio.__name__, flag="select", replaces={}, after=_install)
