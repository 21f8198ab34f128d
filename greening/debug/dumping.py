"""The stacks of all green threads as text and as JSON, on demand and on a signal."""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from types import FrameType
from typing import Any, TextIO

from greening._core.names import printable
from greening._core.running import known_task
from greening._core.task import Task
from greening._originals import get_ident
from greening.debug.deadlocks import Parked, cycle_of, drawn
from greening.debug.frames import is_machinery_file
from greening.debug.snapshot import Frame, Stack, stack_of, stacks
from greening.debug.waits import Wait

# Names of green threads that are written for one stack that many of them have.
NAMES = 5


def dump(file: TextIO | None = None, *, locals: bool = False, json: bool = False) -> None:
    """Write what every green thread does or waits for, and its stack.

    Green threads with the same stack are written once, with their number. Frames of greening and of the stdlib that are
    part of a wait are left out of the text: the line above the stack says what it waits for.

    Args:
        file: a text stream; None: standard error.
        locals: add the local variables. That runs the `repr` of foreign objects.
        json: an object with the whole stacks, in the form of `as_json`.
    Thread-safety: call it in any OS thread.
    """
    found = stacks(locals=locals)
    out = sys.stderr if file is None else file
    out.write(as_json(found) + "\n" if json else as_text(found))
    out.flush()


def as_paragraph(task: Task) -> str:
    """What `dump` writes of one green thread. Thread-safety: as `dump`."""
    return _paragraph([stack_of(task)])


def waiting_as_text() -> str:
    """What `dump` writes of the green threads that do not run now: for reports that have the other stacks already."""
    return as_text(stack for stack in stacks() if stack.kind != "native" and stack.wait.kind != "running")


# Text


def as_text(found: Iterable[Stack]) -> str:
    """One paragraph for each stack: what it waits for, the stack, and where it was spawned."""
    found = list(found)
    groups: dict[object, list[Stack]] = {}
    for stack in found:
        places = tuple((frame.file, frame.line) for frame in own_frames(stack.frames))
        alone = stack.frames == () or stack.frames[-1].locals is not None
        key = id(stack) if alone else (stack.kind, stack.wait.kind, places, stack.spawned)
        groups.setdefault(key, []).append(stack)
    return "\n".join([_summary(found), *_deadlock(found), *map(_paragraph, groups.values())])


def _deadlock(found: list[Stack]) -> Iterator[str]:
    """The green threads that wait for each other for ever, while others may go on. Those with equal names are left out:
    which of them is waited for cannot be told.
    """
    tasks = []
    counts = Counter(stack.name for stack in found)
    for stack in found:
        if counts[stack.name] > 1:
            continue
        if stack.wait.kind in ("lock", "green thread") and stack.wait.owner is not None and stack.wait.seconds is None:
            frame = own_frames(stack.frames)[-1] if stack.frames else None
            place = "in C" if frame is None else f"{frame.file}:{frame.line} in {frame.function}"
            tasks.append(Parked(stack.name, place, str(stack.wait), owner=stack.wait.owner.name))
    cycle = cycle_of(tasks)
    if cycle:
        yield "\n".join(["Deadlock: these wait for each other", *(f"  {line}" for line in drawn(cycle))]) + "\n"


def _summary(found: list[Stack]) -> str:
    green = [stack for stack in found if stack.kind != "native"]
    kinds = Counter(_state(stack.wait) for stack in green)
    counted = "".join(f", {count} {state}" for state, count in kinds.most_common()).replace(", ", ": ", 1)
    native = len(found) - len(green)
    others = f"; {native} other OS thread{'s' if native > 1 else ''}" if native else ""
    return f"Process {os.getpid()}: {len(green)} green thread{'s' if len(green) != 1 else ''}{counted}{others}\n"


def _state(wait: Wait) -> str:
    plain = {"running": "running", "ready": "ready", "not begun": "not begun", "ended": "ended", "sleep": "asleep"}
    return plain.get(wait.kind, f"waiting for a {wait.kind}".replace("a event", "an event").replace("a other", "more"))


def _paragraph(group: list[Stack]) -> str:
    lines = [_title(stack) for stack in group[:NAMES]]
    if len(group) > NAMES:
        lines.append(f"... and {len(group) - NAMES} more with the same stack")
    stack = group[0]
    lines.extend(_lines(own_frames(stack.frames)))
    if not stack.frames and stack.wait.kind not in ("not begun", "ended"):
        lines.append("  in a C function")
    if stack.spawned:
        lines.append("  spawned by")
        lines.extend(_lines(own_frames(stack.spawned)))
    return "\n".join(map(printable, lines)) + "\n"


def _title(stack: Stack) -> str:
    kind = "main greenlet, " if stack.kind == "main" and not stack.name.startswith("main greenlet") else ""
    age = "" if stack.age is None else f", {_duration(stack.age)} old"
    return f"{kind}{stack.name}{age}: {stack.wait}"


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s"


def own_frames(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """A stack without what greening and the stdlib have at both of its ends; all of it, if nothing else is there."""
    last = len(frames)
    while last and is_machinery_file(frames[last - 1].file):
        last -= 1
    first = 0
    while first < last and is_machinery_file(frames[first].file):
        first += 1
    return frames[first:last] or frames


def _lines(frames: Iterable[Frame]) -> Iterator[str]:
    for frame in frames:
        yield f'  File "{frame.file}", line {frame.line}, in {frame.function}'
        if frame.source:
            yield f"    {frame.source}"
        for name, value in (frame.locals or {}).items():
            yield f"      {name} = {value}"


# JSON


def as_json(found: Iterable[Stack]) -> str:
    """The same with everything that is known: {"pid": ..., "python": ..., "stacks": [...]}, the fields as `Stack` has
    them."""
    return json.dumps(process_as_plain(found))


def process_as_plain(found: Iterable[Stack]) -> dict[str, Any]:
    """The process and its stacks, as JSON can hold them."""
    return {"pid": os.getpid(), "python": sys.version, "stacks": [as_plain(stack) for stack in found]}


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What `python -m greening dump PID` gets: the text, or with `json` the same as `as_json`. For the inspector."""
    me = get_ident()
    found = [stack for stack in stacks(locals=bool(asked.get("locals"))) if stack.ident != me]
    return process_as_plain(found) if asked.get("json") else {"text": as_text(found)}


def as_plain(stack: Stack) -> dict[str, Any]:
    """A stack as JSON can hold it: of an object its class and address, of an owner its name."""
    plain = {
        "name": stack.name,
        "ident": stack.ident,
        "os_thread": stack.os_thread,
        "kind": stack.kind,
        "age": stack.age,
        "wait": wait_as_plain(stack.wait),
        "frames": [asdict(frame) for frame in stack.frames],
        "spawned": [asdict(frame) for frame in stack.spawned],
    }
    for frame in plain["frames"] + plain["spawned"]:  # type: ignore[operator]  # two lists
        if frame["locals"] is None:
            del frame["locals"]
    return plain


def wait_as_plain(wait: Wait) -> dict[str, Any]:
    """A wait as JSON can hold it."""
    return {
        "kind": wait.kind,
        "what": wait.what,
        "text": str(wait),
        "owner": None if wait.owner is None else wait.owner.name,
        "abandoned": wait.abandoned,
        "fd": wait.fd,
        "seconds": wait.seconds,
    }


# On a signal


class DumpHandler:
    """The handler of the signal that `GREENING_DUMP` names. It is none that could wake a green thread.

    What it raises would end the program: without a standard error that takes text, nothing is written.
    """

    wakes = False

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        mine = known_task()
        name = mine.name if isinstance(mine, Task) and mine.name.startswith("handler of signal") else None
        text = as_text(stack for stack in stacks() if stack.name != name)
        if sys.stderr is None:
            return
        with suppress(OSError, ValueError):  # a full disk, a reader that has gone; it was closed
            sys.stderr.write(text)
            sys.stderr.flush()


def dump_on(name: str) -> None:
    """Have a signal write the stacks to standard error: "SIGUSR2", "USR2" or a number.

    Raises:
        ValueError: there is no such signal, it cannot be handled, or this is not the main thread.
    """
    word = name.strip().upper()
    try:
        number = int(word) if word.isdigit() else getattr(signal, word if word.startswith("SIG") else f"SIG{word}")
        signum = signal.Signals(number)
    except (AttributeError, ValueError):
        raise ValueError(f"there is no signal {name!r}; SIGUSR2 is one") from None
    try:
        signal.signal(signum, DumpHandler())
    except OSError:
        raise ValueError(f"no program can handle {signum.name}; take SIGUSR2") from None
