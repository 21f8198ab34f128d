"""What a task that is about to park waits for, found out at every park while a trace is on: quickly.

`waits.py` finds out the same for a task that is parked, in full sentences. Here the answer for each function is learned
once, by its code. From then on a park costs a walk over the innermost frames, and makes one tuple.
"""

from collections.abc import Callable, Mapping
from sys import _getframe
from types import CodeType, FrameType
from typing import Any, NamedTuple

from greening._core.critical import uninterruptible
from greening._core.journal import JOURNAL
from greening._core.task import Task
from greening.debug.frames import dotted, is_part_of_wait
from greening.debug.waits import Wait, titled, told_by
from greening.sync.lock import Lock, RLock, holder_of

# Functions that are remembered at most.
MOST_FUNCTIONS = 5000


class Reason(NamedTuple):
    """What a task waits for, and where, as made of a label. It refers to no object of the program.

    Attributes:
        kind: one of `waits.KINDS`.
        what: the rest of the sentence "waits for ...". With "{}" in it: see `thing`.
        thing: the class and the address of the object that is waited for; None: `what` says all.
        file, function, line: the place in the program that waits; "": there is none.
        holder: the number of the task that holds the lock; 0: unknown, or nobody.
    """

    kind: str
    what: str
    thing: tuple[str, int] | None
    file: str
    function: str
    line: int
    holder: int = 0

    def sentence(self) -> str:
        """ "an item of Queue at 0x7f..." """
        if self.thing is None:
            return self.what
        return self.what.format("{} at {:#x}".format(*self.thing))

    def place(self) -> str:
        """ "/srv/crawler.py:42 in fetch"; "": unknown."""
        return f"{self.file}:{self.line} in {self.function}" if self.file else ""


class _Known(NamedTuple):
    """What is known of a function's waits.

    Attributes:
        kind: "": its waits are part of its caller's.
        what: as in `Reason`. None: it is asked each time.
        first: the name of the argument that is the thing.
    """

    kind: str
    what: str | None
    first: str


_OUTSIDE = _Known("outside", None, "")
_SILENT = _Known("", None, "")

# Waits that are nothing but a lock's, whoever takes it; those of a thread and a pool are more than what they use.
_INNER = ("lock", "native call")
_OUTER = ("green thread", "pool")


def _of_descriptors(names: Mapping[str, Any]) -> Wait:
    wants = tuple(names.get("wants", ()))
    if not wants:
        return Wait("sleep", "nothing but the time")
    if len(wants) > 1:
        return Wait("descriptor", f"one of {len(wants)} descriptors ({', '.join(str(fd) for fd, _ in wants[:10])})")
    fd, mask = wants[0]
    return Wait("descriptor", f"descriptor {fd} to be {readiness(mask)}")


def readiness(mask: int) -> str:
    """ "readable", "writable" or both, for events of poll(2)."""
    return " or ".join(word for bit, word in ((0x003, "readable"), (0x004, "writable")) if mask & bit) or "closed"


def _of_sleep(names: Mapping[str, Any]) -> Wait:
    return Wait("sleep", f"{names.get('seconds', 0)} seconds")


_FUNCTIONS: dict[str, Callable[[Mapping[str, Any]], Wait]] = {
    "greening._core.registry.Registry._wait_joined": _of_descriptors,
    "greening._core.waiting.sleep": _of_sleep,
}


@uninterruptible
class Reasons:
    """Tells what the running task is about to wait for, and remembers what it has learned of each function."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[CodeType, _Known] = {}

    def __call__(self) -> tuple[Any, ...]:
        """Called in the task that is about to park. Never raises because of an object that it looks at.

        Returns:
            The fields of a `Reason`, as a tuple of text and numbers: to make a `Reason` takes longer than all the rest.
        """
        found, holder = None, None
        inner = frame = _getframe().f_back  # None: the function of a green thread is compiled
        while frame is not None:
            known = self._known.get(frame.f_code) or self._learn(frame)
            if known is _OUTSIDE:
                break
            if known.kind and (found is None or found.kind not in _INNER or known.kind in _OUTER):
                found, holder = known, frame
            frame = frame.f_back
        place: tuple[str, str, int] = ("", "", 0)
        if frame is not None:
            place = (frame.f_code.co_filename, frame.f_code.co_qualname, frame.f_lineno)
        if found is None or holder is None:
            what = "a wake-up" if inner is None else f"a wake-up in {dotted(inner)}"
            return ("other", what, None, *place)
        if found.what is None:
            return (found.kind, self._ask(holder), None, *place)
        thing = holder.f_locals.get(found.first)
        number = _number_of_holder(thing) if found.kind == "lock" else 0
        return (found.kind, found.what, (type(thing).__qualname__, id(thing)), *place, number)

    def _learn(self, frame: FrameType) -> _Known:
        known = _SILENT
        if not is_part_of_wait(frame):
            known = _OUTSIDE
        elif (wait := _told(frame)) is not None:
            known = _Known(wait.kind, None, "")
            if wait.object is not None:
                title = titled(wait.object)
                pattern = wait.what.replace(title, "{}")
                first = frame.f_code.co_varnames[0] if frame.f_code.co_argcount else ""
                is_plain = "{}" in pattern and not any(map(str.isdigit, pattern))
                if is_plain and frame.f_locals.get(first) is wait.object:
                    known = _Known(wait.kind, pattern, first)
        if len(self._known) >= MOST_FUNCTIONS:  # a program that makes code without end
            self._known.clear()
        self._known[frame.f_code] = known
        return known

    def _ask(self, frame: FrameType) -> str:
        wait = _told(frame)
        return "a wake-up" if wait is None else wait.what


def _number_of_holder(lock: Any) -> int:
    holder = holder_of(lock) if isinstance(lock, Lock | RLock) else None
    return JOURNAL.number(holder) if isinstance(holder, Task) else max(0, holder or 0)


def _told(frame: FrameType) -> Wait | None:
    by_function = _FUNCTIONS.get(dotted(frame))
    try:
        return told_by(frame) if by_function is None else by_function(frame.f_locals)
    except Exception:  # noqa: BLE001  # an attribute of a subclass is its program's; the park goes on without it
        return None
