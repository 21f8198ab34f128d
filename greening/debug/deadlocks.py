"""What is told of a deadlock: the cycle first, then where each green thread waits, in the user's lines.

Imported when there is one. It runs in the hub: it calls no foreign code, and waits for nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from greening._core.hub import Hub
from greening._core.task import Task
from greening.debug.frames import is_machinery, name_in, users_frame
from greening.debug.waits import Seen, Wait, oldest_first, titled, wait_of
from greening.errors import Deadlock

# Lines of a message. All are in `Deadlock.waiting`.
LINES = 40

AT_THE_END = "at the end of the program"


@dataclass(frozen=True, slots=True)
class Parked:
    """A task that waits: its name, the user's line, what it waits for, and which of the others has to act."""

    name: str
    place: str
    wait: Wait
    owner: str = ""

    @property
    def line(self) -> str:
        """All of it in one line."""
        return f"{self.name}: {self.place}, {self.wait}"


def parked(hub: Hub) -> list[Parked]:
    """The main greenlet of a hub and its green threads, as far as they wait."""
    seen = Seen()
    tasks = (hub.main, *oldest_first(hub))
    found = [_parked(task, seen) for task in tasks if wait_of(task, seen).kind not in ("running", "ready", "ended")]
    if found and found[0].place == AT_THE_END:
        # It waits for all the others, so also for one that waits for it.
        waiter = next((each.name for each in found if each.owner == hub.main.name), "")
        found[0] = replace(found[0], owner=waiter)
    return found


def _parked(task: Task, seen: Seen) -> Parked:
    wait = wait_of(task, seen)
    frame = users_frame(task.gr_frame)
    if frame is None:
        place = "in C"
    elif is_machinery(frame) and task is task.hub.main:
        place, frame = AT_THE_END, None
    else:
        place = f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
    if wait.object is not None and (name := name_in(frame, wait.object)):
        title = titled(wait.object)
        wait = wait.renamed(title, f"{name} ({title})")
    owner = wait.owner.name if wait.owner is not None and wait.kind in ("lock", "green thread") else ""
    return Parked(task.name, place, wait, owner)


def cycle_of(tasks: Iterable[Parked]) -> list[Parked]:
    """Tasks of which each waits for the next, and the last for the first. Empty: there is no such cycle."""
    by_name = {task.name: task for task in tasks}
    cleared: set[str] = set()
    for first in by_name.values():
        path: list[str] = []
        name = first.name
        while name in by_name and name not in cleared and name not in path:
            path.append(name)
            name = by_name[name].owner
        if name in path:
            return [by_name[each] for each in path[path.index(name) :]]
        cleared.update(path)
    return []


def drawn(cycle: list[Parked]) -> list[str]:
    """The cycle as text, with an arrow from its end back to its beginning."""
    lines = []
    for task in cycle:
        edge = "+->" if task is cycle[0] else "|  "
        lines.append(f"{edge} {task.name}  {task.place}")
        lines.append(f"|       {task.wait}")
    lines.append(f"+-- {cycle[0].name}")
    return lines


def explain(hub: Hub, hint: str = "") -> Deadlock:
    """The error that tells of the standstill of a hub.

    Args:
        hint: what else its reader has to know.
    """
    tasks = parked(hub)
    cycle = cycle_of(tasks)
    lines = [f"  {line}" for line in drawn(cycle)] if cycle else []
    told = {task.name for task in cycle}
    rest = [task for task in tasks if task.name not in told]
    lines += [f"  {task.line}" for task in rest[:LINES]]
    if len(rest) > LINES:
        lines.append(f"  ... and {len(rest) - LINES} more")
    edges = tuple((task.name, task.wait.what or str(task.wait), task.owner) for task in tasks)
    return Deadlock(
        [task.line for task in tasks],
        [task.name for task in cycle],
        edges,
        "\n".join([*lines, *([hint] if hint else [])]),
    )
