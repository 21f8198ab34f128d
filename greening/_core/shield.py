"""`shield`: a block that kills and Timeouts of outside wait for.

Decision: what would interrupt is kept with the task that it is for, and raised where the block ends. So the block sees
nothing of it: it may wait as often as it likes, and its own Timeouts work. Only `kill` and Timeouts are kept back. A
descriptor that is closed, Ctrl-C and a deadlock are news that the block itself needs.

The table is empty as long as no block runs, so that nobody else pays for it.
"""

from collections.abc import Callable
from types import TracebackType

from greening._core.critical import uninterruptible
from greening._core.current import current
from greening._core.task import RUNNING, Task

# An error that was kept back, and what tells whether it is still wanted: a Timeout may be cancelled meanwhile.
Kept = tuple[BaseException, Callable[[], bool] | None]


@uninterruptible
class shield:
    """`with shield():` a block that kills and Timeouts of outside wait for. What came meanwhile is raised at its end.

    For a commit, an answer that has to be read whole, a file that must not be left half written. Timeouts that are
    started inside the block work inside it. Nested blocks are one: the outermost counts. If the block raises an error
    of its own, that is raised, and what came from outside at the next wait.

    It protects the green thread that runs the block, and not those that it spawns. It is no protection against Ctrl-C,
    SystemExit in the main greenlet, or the end of the process. A block that never ends cannot be killed.

    Args:
        late: what came meanwhile is raised at the next wait, and not at the end of the block. For a block whose end
            must not fail, such as that of a lock.
    Thread-safety: complete; a kill may come from any OS thread.
    """

    __slots__ = ("_kept", "_late", "_outermost", "_task")

    def __init__(self, late: bool = False) -> None:
        self._late = late
        self._kept: list[Kept] = []
        self._task: Task | None = None
        self._outermost = False

    def __enter__(self) -> None:
        self._task = task = current()
        self._outermost = shields.setdefault(task, self) is self
        if self._outermost and task.error is not None:  # it came in a call that did not have to wait
            self.keep(task.error, lambda: True)
            task.error = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task = self._task
        if not self._outermost or task is None:
            return
        del shields[task]
        self._outermost = False
        self._kept.sort(key=lambda each: each[1] is not None)  # a Timeout may be caught, which must not cost a kill
        kept = [each for each, wanted in self._kept if wanted is None or wanted()]
        self._kept.clear()
        if not kept:
            return
        if error is None and not self._late:
            raise kept[0]
        if task.error is None and task.state == RUNNING:
            task.error = kept[0]

    def keep(self, error: BaseException, wanted: Callable[[], bool] | None = None) -> None:
        """Have `error` raised at the end of the block, if it is `wanted` then. None: always, and before the others.

        Of each sort the first one counts.
        """
        self._kept.append((error, wanted))


# The block in which a task is. Empty: nobody is in one.
shields: dict[Task, shield] = {}
