"""What the audit reports: `Finding`, what is looked for, and what no look can show."""

import sys
from typing import NamedTuple


class Finding(NamedTuple):
    """Something that is not green, and may block.

    Attributes:
        kind: "name" (an original function or class), "lock" (a real lock or RLock), "instance" (an object made by a
            class that has been replaced since), "class" (a class derived from one), "module" (one that is loaded and
            waits in C: docs/libraries-in-c.md), "stream" (a file on a pipe, a terminal or a socket, opened before),
            "thread" (an OS thread that is no green thread), "interpreter" (another one in this process).
        where: the place that holds it, as a path from a module where one is found.
        what: what is held there.
        remedy: what to do.
    """

    kind: str
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}\n    {self.remedy}"


# What `audit` looks for, and what no look can show.
LOOKED_FOR = (
    "originals of what was patched: names, default arguments, closures, containers, attributes, bound methods",
    "locks and RLocks, instances and sub-classes of replaced classes",
    "files on pipes, terminals and sockets that were opened before the patch, and sys.stdin",
    "modules that are known to wait in C: README.md and docs/libraries-in-c.md",
    "OS threads that run Python code, and other interpreters of this process",
)
NOT_SEEN = (
    "C libraries that are in neither table, and functions called by ctypes or cffi",
    "calculations, and files on disk: they hold up all green threads of their OS thread as long as they last",
    "what is imported, made or called after this moment",
    "local variables of running functions, and what only C code refers to",
)


def earlier(where: str) -> str:
    """What to do about what is at `where`, if the program's order can be changed."""
    parts = where.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1))
    module = next((name for name in names if name in sys.modules), None)
    if module is None or module == "__main__":
        return "call greening.monkey_patch() before that, at the top of the program"
    return f"call greening.monkey_patch() before {module} is imported"
