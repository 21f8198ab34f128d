"""Which task runs: it hangs on the running greenlet, so that no switch can leave a stale answer behind."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

if TYPE_CHECKING:
    from greening._core.task import Task


class _Adoption:
    """How a greenlet that the engine does not know gets a task. Told by current.py, which knows hubs.

    Attributes:
        adopt: gives it one. wait: gives it one that waits, and makes no hub for an OS thread that may block.
        block: gives a task to the OS thread, when there are no greenlets any more.
    """

    __slots__ = ("adopt", "block", "wait")

    adopt: "Callable[[greenlet], Task]"
    block: "Callable[[], Task]"
    wait: "Callable[[greenlet], Task]"


ADOPTION = _Adoption()


def task_of(glet: Any) -> "Task | None":
    """The task of a greenlet. None: the engine does not know it, or it is no more."""
    return getattr(glet, "_greening_task", None)


def set_task(glet: Any, task: "Task | None") -> None:
    """Say which task runs on a greenlet. None: none does any more."""
    if task is not None:
        glet._greening_task = task
    else:
        del glet._greening_task


def known_task() -> "Task | None":
    """The running task. None: the engine does not know the running greenlet, or there are no greenlets any more."""
    try:
        return getattr(getcurrent(), "_greening_task", None)
    except RuntimeError:  # the interpreter is being finalized
        return None


def running_task() -> "Task":
    """The running task. A greenlet that is not ours (SQLAlchemy's, say) becomes one the first time it asks.

    When the interpreter has no greenlets any more, a task that blocks.
    """
    try:
        return getcurrent()._greening_task  # type: ignore[attr-defined, no-any-return]  # set by us
    except AttributeError:
        return ADOPTION.adopt(getcurrent())
    except RuntimeError:
        return ADOPTION.block()


def waiting_task() -> "Task":
    """The running task, for a caller that means to park it and nothing else.

    Unlike `running_task`, it makes no hub for an OS thread that has none: that one blocks, and holds nothing up.
    """
    try:
        return getcurrent()._greening_task  # type: ignore[attr-defined, no-any-return]  # set by us
    except AttributeError:
        return ADOPTION.wait(getcurrent())
    except RuntimeError:
        return ADOPTION.block()
