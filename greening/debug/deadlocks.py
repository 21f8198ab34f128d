"""What is told of a deadlock: the cycle first, then where each green thread waits, in the user's lines.

Imported when there is one. It runs in the hub: it calls no foreign code, and waits for nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from greening._compiled import accelerator
from greening._core.hub import Hub
from greening._core.names import distinct, printable
from greening._core.task import Task
from greening.debug.frames import is_machinery, name_in, programs_frame, users_frame
from greening.debug.waits import Seen, oldest_first, titled, wait_of
from greening.errors import Deadlock
from greening.sync.lock import Lock

# Lines of a message, and names in one of them. All are in `Deadlock.waiting`.
LINES = 40
NAMES = 3

AT_THE_END = "at the end of the program"
NOWHERE = "in no line of the program"

# Told if there is no cycle, and no accelerator.
HOLDERS_UNKNOWN = (
    "Without the accelerator the holder of a Lock is unknown (that of an RLock is known). With it, a cycle is drawn; "
    "greening.debug.info() tells why it does not run"
)


@dataclass(frozen=True, slots=True)
class Parked:
    """A task that waits: its name, the user's line, what it waits for, which of the others has to act, and for which
    object it waits.
    """

    name: str
    place: str
    says: str
    what: str = ""
    owner: str = ""
    thing: object = None

    @property
    def line(self) -> str:
        """All of it in one line."""
        return f"{self.name}: {self.place}, {self.says}"


def parked(hub: Hub) -> list[Parked]:
    """The main greenlet of a hub and its green threads, as far as they wait."""
    seen = Seen()
    tasks = (hub.main, *oldest_first(hub))
    waiting = [task for task in tasks if wait_of(task, seen).kind not in ("running", "ready", "ended")]
    names = unique_names(waiting)
    found = [_parked(task, seen, names) for task in waiting]
    if found and found[0].place == AT_THE_END:
        # It waits for all the others, so also for one that waits for it.
        waiter = next((each.name for each in found if each.owner == found[0].name), "")
        found[0] = replace(found[0], owner=waiter)
    return found


def unique_names(tasks: Iterable[Task]) -> dict[Task, str]:
    """A name for each task: its own, on one line. Threads may share a name: "worker", "worker #2"."""
    tasks = tuple(tasks)
    return dict(zip(tasks, distinct(printable(task.name) for task in tasks), strict=True))


def _parked(task: Task, seen: Seen, names: dict[Task, str]) -> Parked:
    wait = wait_of(task, seen)
    frame = users_frame(task.gr_frame)
    if frame is None:
        place = "in C"
    elif is_machinery(frame):
        place, frame = AT_THE_END if task is task.hub.main else NOWHERE, None
    else:
        own = programs_frame(task.gr_frame) or frame
        place = printable(f"{own.f_code.co_filename}:{own.f_lineno} in {own.f_code.co_name}")
    if wait.object is not None and (name := name_in(frame, wait.object)):
        title = titled(wait.object)
        wait = wait.renamed(title, f"{name} ({title})")
    owner = "" if wait.owner is None else names.get(wait.owner) or printable(wait.owner.name)
    if wait.owner is not None and wait.kind == "green thread":
        wait = wait.renamed(wait.owner.name, owner)
    acts = owner if wait.kind in ("lock", "green thread") else ""
    return Parked(
        names[task], place, printable(wait.sentence(owner)), wait.what or wait.sentence(owner), acts, wait.object
    )


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
        lines.append(f"|       {task.says}")
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
    rest = list(grouped(task for task in tasks if task.name not in told))
    lines += [f"  {line}" for line, _ in rest[:LINES]]
    if len(rest) > LINES:
        lines.append(f"  ... and {sum(count for _, count in rest[LINES:])} more")
    if not cycle and accelerator is None and any(isinstance(task.thing, Lock) for task in tasks):
        lines.append(HOLDERS_UNKNOWN)
    return Deadlock(
        [task.line for task in tasks],
        [task.name for task in cycle],
        [(task.name, task.what, task.owner) for task in tasks],
        "\n".join([*lines, *([hint] if hint else [])]),
    )


def grouped(tasks: Iterable[Parked]) -> Iterator[tuple[str, int]]:
    """Lines for tasks, and how many tasks each is for: those that wait at the same place for the same have one."""
    groups: dict[tuple[str, str], list[str]] = {}
    for task in tasks:
        groups.setdefault((task.place, task.says), []).append(task.name)
    for (place, says), names in groups.items():
        shown = ", ".join(names[:NAMES])
        more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
        yield f"{shown}{more}: {place}, {says}", len(names)
