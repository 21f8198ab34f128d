"""Which task runs: it hangs on the running greenlet, so that no switch can leave a stale answer behind."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

if TYPE_CHECKING:
    from greening._core.task import Task


class _Adoption:
    """How a greenlet that the engine does not know becomes a task; told by current.py, which knows hubs."""

    __slots__ = ("adopt",)

    adopt: "Callable[[greenlet], Task]"


ADOPTION = _Adoption()


def running_task() -> "Task":
    """The running task. A greenlet that is not ours (SQLAlchemy's, say) becomes one the first time it asks."""
    try:
        return getcurrent()._greening_task  # type: ignore[attr-defined, no-any-return]  # set by us
    except AttributeError:
        return ADOPTION.adopt(getcurrent())
