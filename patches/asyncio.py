"""asyncio: loops live beside green threads, each in its own, and beside each other.

What blocks here: the selector, which is cooperative by the patches of `select` and `selectors`; nothing else.
What we replace:
- The debug mode's question "is this the loop's thread?". Its answer was "no" in greenlets that a coroutine has started
  (SQLAlchemy's bridge), since they are threads of their own to `threading`.
- `run_forever`. A kill, or a Timeout from around the loop, may hit a task that blocks in a green call. If the task does
  not catch it, it ends the loop, as KeyboardInterrupt does. asyncio would keep it as that task's result, and the green
  thread could not be killed.
What we add:
- A loop that always has something to do, and so never waits, lets green threads run all the same.
- While the greenlet that runs a loop is parked, the OS thread's slots for "the running loop" and "the current task",
  the hooks for asynchronous generators and the depth of origin tracking (debug mode) are empty. So another green thread
  can run a loop of its own, and code that asks "am I in a coroutine?" gets the right answer.

Sources: asyncio.events._set_running_loop and asyncio.tasks._enter_task, _leave_task (3.12: _swap_current_task), which
asyncio documents for implementors of loops and tasks; sys.set_asyncgen_hooks and
sys.set_coroutine_origin_tracking_depth.
"""

import asyncio
import sys
from asyncio import events, tasks
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from greening._core.asyncio_state import ASYNCIO
from greening._core.current import current
from greening._core.fairness import fairness_tick
from greening._core.timers import MonotonicClock
from greening.errors import GreenletExit
from greening.interop.guest import GUESTS
from greening.patcher.spec import Patch, Undo
from greening.timeout import Timeout, started_at

_set_running_loop = events._set_running_loop
_get_running_loop = events._get_running_loop
_get_hooks, _set_hooks = sys.get_asyncgen_hooks, sys.set_asyncgen_hooks
_get_depth, _set_depth = sys.get_coroutine_origin_tracking_depth, sys.set_coroutine_origin_tracking_depth

State = tuple[Any, Any, Any, int]


def _leave_and_enter(loop: Any, task: Any) -> Any:
    """Make `task` (None: no task) the current task of the running loop; return the one before. One of them is None."""
    before = tasks.current_task(loop)
    if before is not None:
        tasks._leave_task(loop, before)
    if task is not None:
        tasks._enter_task(loop, task)
    return before


# From 3.12 on it is one call.
_swap_task = getattr(tasks, "_swap_current_task", _leave_and_enter)


def _save(loop: Any) -> State:
    if GUESTS and (guest := GUESTS.get(loop)) is not None:
        guest.mark_awake()
    # Asked first: without a current task, 3.12's own raises KeyError (in its first releases).
    task = _swap_task(loop, None) if tasks.current_task(loop) is not None else None
    hooks = _get_hooks()
    if hooks[0] is not None or hooks[1] is not None:
        _set_hooks(None, None)
    depth = _get_depth()
    if depth:
        _set_depth(0)
    _set_running_loop(None)
    return loop, task, hooks, depth


def _restore(state: State) -> None:
    loop, task, hooks, depth = state
    _set_running_loop(loop)
    if hooks[0] is not None or hooks[1] is not None:
        _set_hooks(*hooks)
    if depth:
        _set_depth(depth)
    if GUESTS and (guest := GUESTS.get(loop)) is not None:
        guest.sleep()
    if task is not None:
        _swap_task(loop, task)
        if _runs and (error := current().error) is not None:
            _watch(loop, task, error)


class _Run:
    """One `run_forever`.

    Attributes:
        began: seconds of the hubs' clock.
        fatal: raised when the loop has stopped, or None.
    """

    __slots__ = ("began", "fatal")

    def __init__(self) -> None:
        self.began = _clock.now()
        self.fatal: BaseException | None = None

    def is_meant(self, error: BaseException) -> bool:
        """Whether `error` is for the green thread that runs the loop, and not for code inside a coroutine."""
        if isinstance(error, Timeout):
            started = started_at(error)
            return started is not None and started < self.began
        return isinstance(error, GreenletExit)


_clock = MonotonicClock()
# The runs that are under way, by loop.
_runs: dict[Any, _Run] = {}


def _watch(loop: Any, task: Any, error: BaseException) -> None:
    """Before `error` is raised in a blocking call of `task`: have the loop end, too, if the task ends with it."""
    run = _runs.get(loop)
    if run is None or not run.is_meant(error):
        return

    def ended(task: Any) -> None:
        if not task.cancelled() and task.exception() is error and _runs.get(loop) is run:
            run.fatal = error
            loop.stop()

    task.add_done_callback(ended)


# The parts that want the slots looked after: the patch, until it is taken back; greening.aio, from its first use on.
_users: set[str] = set()


def install(user: str) -> None:
    """Have the engine look after the slots from now on. Idempotent."""
    _users.add(user)
    ASYNCIO.watch(_get_running_loop, _save, _restore)


def _install(undo: Undo) -> None:
    install(__name__)
    undo.add(_uninstall)


def _uninstall() -> None:
    _users.discard(__name__)
    if not _users:
        ASYNCIO.leave_alone()


def ending(real_run: Callable[[Any], None]) -> Callable[[Any], None]:
    """A `run_forever` that raises what one of its tasks ended with, if that was meant for the whole loop."""

    @wraps(real_run)
    def run_forever(self: Any) -> None:
        outer = _runs.get(self)  # it runs already, and the real one is going to say so
        run = _runs[self] = _Run()
        try:
            real_run(self)
        finally:
            if outer is None:
                del _runs[self]
            else:
                _runs[self] = outer
        if run.fatal is not None:
            raise run.fatal

    return run_forever


def _bind(module: ModuleType) -> Patch:
    real_check = module.BaseEventLoop._check_thread

    def _check_thread(self: Any) -> None:
        """Debug mode: raise RuntimeError unless called in the loop, in whatever greenlet, or in the loop's thread."""
        if _get_running_loop() is not self:
            real_check(self)

    real_once = module.BaseEventLoop._run_once

    def _run_once(self: Any) -> None:
        """One round of the loop; now and then the green threads come first."""
        fairness_tick()
        real_once(self)

    run_forever = ending(module.BaseEventLoop.run_forever)
    methods = {"BaseEventLoop": {"_check_thread": _check_thread, "run_forever": run_forever, "_run_once": _run_once}}
    return PATCH._replace(methods=methods, bind=None)


PATCH = Patch(target=asyncio.__name__, flag="select", replaces={}, after=_install, bind=_bind)
