"""asyncio's tasks in a trace: their steps, what they await, and who wakes them.

Facts:
- A step of a task is the call of a `Handle` by its loop. Both are Python code of `asyncio.events` and `base_events`.
- A task factory belongs to the program, and `_enter_task` is not called by tasks in C.
Decision: while a trace is on, `Handle._run` and `Handle.__init__` are replaced. The first is the step, the second is
called when a task is made runnable. Loops with handles of their own in C (uvloop) are not seen.
"""

import sys
from collections.abc import Callable
from itertools import count
from types import ModuleType
from typing import Any, Final
from weakref import WeakKeyDictionary

from greening._core.current import current
from greening._core.journal import JOURNAL
from greening.patcher.deferred import Watch, when_imported

# Kinds of entries, beside those of the engine; and what `other` and `label` are.
JOB_RUN: Final = 100  # a step begins: the hub; the task's name
JOB_WAIT: Final = 101  # the task awaits something: -; what
JOB_END: Final = 102  # it has ended: the hub; its name
JOB_READY: Final = 103  # a step of it is scheduled: the asyncio task, or the green thread, that did it

# The numbers of asyncio's tasks. Those of green threads are smaller, or so large that they are addresses.
_FIRST: Final = 1 << 40

# What the functions are called that a loop calls for a step. A method like `task.cancel` is none of them.
_STEPS = frozenset({"TaskStepMethWrapper", "TaskWakeupMethWrapper", "task_wakeup", "__step", "__wakeup"})


class Jobs:
    """Notes what asyncio's tasks do, in all loops, from `install` to `remove`."""

    def __init__(self) -> None:
        self._numbers: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._count = count(_FIRST)
        self._watch: Watch | None = None
        self._undo: list[Callable[[], None]] = []

    def install(self) -> None:
        """Begin, now or as soon as asyncio is imported."""
        self._watch = when_imported("asyncio.events", self._replace)

    def remove(self) -> None:
        """End."""
        if self._watch is not None:
            self._watch.cancel()
        while self._undo:
            self._undo.pop()()

    def _replace(self, events: ModuleType) -> None:
        handle: Any = events.Handle
        real_init, real_run = handle.__init__, handle._run

        def __init__(self: Any, callback: Any, *args: Any, **kwargs: Any) -> None:
            real_init(self, callback, *args, **kwargs)
            task = _task_of_step(callback)
            if task is not None:
                scheduled(task)

        def _run(self: Any) -> Any:
            task = _task_of_step(self._callback)
            if task is None:
                return real_run(self)
            begins(task)
            try:
                return real_run(self)
            finally:
                ends(task)

        scheduled, begins, ends = self._scheduled, self._begins, self._ends
        handle.__init__, handle._run = __init__, _run

        def undo() -> None:
            if handle.__init__ is __init__:
                handle.__init__ = real_init
            if handle._run is _run:
                handle._run = real_run

        self._undo.append(undo)

    def _number(self, task: Any) -> int:
        number = self._numbers.get(task)
        if number is None:
            number = self._numbers[task] = next(self._count)
        return number

    def _scheduled(self, task: Any) -> None:
        if JOURNAL.on:
            waker = sys.modules["asyncio"].current_task() if _loop_runs() else None
            other = JOURNAL.number(current()) if waker is None else self._number(waker)
            JOURNAL.note(JOB_READY, self._number(task), other)

    def _begins(self, task: Any) -> None:
        if JOURNAL.on:
            JOURNAL.note(JOB_RUN, self._number(task), JOURNAL.number(current().hub.task), 0, name_of(task))

    def _ends(self, task: Any) -> None:
        if not JOURNAL.on:
            return
        if task.done():
            JOURNAL.note(JOB_END, self._number(task), JOURNAL.number(current().hub.task), 0, name_of(task))
        else:
            JOURNAL.note(JOB_WAIT, self._number(task), 0, 0, awaited_by(task))


def _loop_runs() -> bool:
    events = sys.modules.get("asyncio.events")
    return events is not None and events._get_running_loop() is not None


def _task_of_step(callback: Any) -> Any:
    """The task of which `callback` is a step; None: it is something else."""
    task = getattr(callback, "__self__", None)
    if task is None or not hasattr(task, "get_coro"):
        return None
    name = getattr(callback, "__name__", None) or type(callback).__name__
    return task if name in _STEPS or type(callback).__name__ in _STEPS else None


def name_of(task: Any) -> str:
    """ "Task-3 (fetch)": its name, and its coroutine."""
    coroutine = task.get_coro()
    function = getattr(coroutine, "__qualname__", type(coroutine).__name__)
    return f"{task.get_name()} ({function})"


def awaited_by(task: Any) -> str:
    """What a suspended task awaits: the innermost coroutine ("Queue.get"), or the object under it."""
    inner = task.get_coro()
    while (below := getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)) is not None:
        if not hasattr(below, "__qualname__"):  # a future, or its iterator
            break
        inner = below
    name = getattr(inner, "__qualname__", type(inner).__name__)
    return str(name) if inner is not task.get_coro() else "a future"
