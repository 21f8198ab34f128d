"""The running task: an attribute of the running greenlet, so that it is right after every switch."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

if TYPE_CHECKING:
    from greening._core.task import Task


class _Adoption:
    """How a greenlet without a task gets one. Set by current.py, which knows hubs.

    Attributes:
        adopt: makes the task of a greenlet, and a hub if the OS thread has none.
        wait: the same for a caller that only parks. It makes no hub where the OS thread may block.
        block: gives the OS thread a task that blocks, when there are no greenlets any more.
    """

    __slots__ = ("adopt", "block", "wait")

    adopt: "Callable[[greenlet], Task]"
    block: "Callable[[], Task]"
    wait: "Callable[[greenlet], Task]"


ADOPTION = _Adoption()


def task_of(glet: Any) -> "Task | None":
    """The task of a greenlet. None: it has none, or none any more."""
    return getattr(glet, "_greening_task", None)


def set_task(glet: Any, task: "Task | None") -> None:
    """Set the task of a greenlet. None: it has none any more."""
    if task is not None:
        glet._greening_task = task
    else:
        del glet._greening_task


def known_task() -> "Task | None":
    """The running task. None: the running greenlet has none, or there are no greenlets any more."""
    try:
        return getattr(getcurrent(), "_greening_task", None)
    except RuntimeError:  # the interpreter is being finalized
        return None


def running_task() -> "Task":
    """The running task. A foreign greenlet (SQLAlchemy's, say) gets one the first time it asks.

    When the interpreter has no greenlets any more, it is a `BlockingTask`.
    """
    try:
        return getcurrent()._greening_task  # type: ignore[attr-defined, no-any-return]  # set by us
    except AttributeError:
        return ADOPTION.adopt(getcurrent())
    except RuntimeError:
        return ADOPTION.block()


def waiting_task() -> "Task":
    """The running task, for a caller that only parks it.

    Unlike `running_task`, it makes no hub for an OS thread that has none: to park blocks that thread.
    """
    try:
        return getcurrent()._greening_task  # type: ignore[attr-defined, no-any-return]  # set by us
    except AttributeError:
        return ADOPTION.wait(getcurrent())
    except RuntimeError:
        return ADOPTION.block()
