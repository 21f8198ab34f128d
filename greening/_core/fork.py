"""What the process does around `fork`, in one order: this file alone registers with `os.register_at_fork`.

Facts: the interpreter runs hooks in the order of their registration, which here would be the order of import. A room
needs the rooms below it in order first: in a child, `current()` works only after the engine's hook.
Decision: each hook names its room. Before a fork the upper rooms come first, since they may still park. After it the
engine comes first.
"""

from collections.abc import Callable
from operator import itemgetter
from os import register_at_fork
from typing import Final

from greening._core.unhandled import report_unraisable

# The rooms that have hooks, in their order: 0 is the first after a fork, and the last before it.
ENGINE: Final = 0
THREADS: Final = 1
NET: Final = 2
PATCHES: Final = 3
APPLICATIONS: Final = 4

Hook = Callable[[], object]

_before: list[tuple[int, Hook]] = []
_in_parent: list[tuple[int, Hook]] = []
_in_child: list[tuple[int, Hook]] = []
_order = itemgetter(0)


def before_fork(order: int, function: Hook) -> None:
    """Have `function()` called before every fork, in the greenlet that forks. It may park, unless it is the engine's.

    Args:
        order: its room: ENGINE, THREADS, NET, PATCHES or APPLICATIONS. The last of these comes first.
    """
    _insert(_before, order, function)


def on_parent(order: int, function: Hook) -> None:
    """Have `function()` called in the parent after every fork, the engine's first. It must not park."""
    _insert(_in_parent, order, function)


def on_child(order: int, function: Hook) -> None:
    """Have `function()` called in the child after every fork, the engine's first. It must not park."""
    _insert(_in_child, order, function)


def _insert(hooks: list[tuple[int, Hook]], order: int, function: Hook) -> None:
    hooks.append((order, function))
    hooks.sort(key=_order)


def _run(hooks: list[tuple[int, Hook]]) -> None:
    for _, hook in hooks:
        try:
            hook()
        except BaseException as error:  # noqa: BLE001  # as with the interpreter's hooks: the next one is needed, too
            report_unraisable(error, "exception in a hook of fork", hook)


def _run_before() -> None:
    _run(_before[::-1])


def _run_in_parent() -> None:
    _run(_in_parent)


def _run_in_child() -> None:
    _run(_in_child)


register_at_fork(before=_run_before, after_in_parent=_run_in_parent, after_in_child=_run_in_child)
