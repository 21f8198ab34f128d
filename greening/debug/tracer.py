"""`trace`: what every green thread did, when, and what it waited for, in a file for Perfetto or chrome://tracing."""

import atexit
import gzip
import json
import os
import sys
from collections.abc import Iterator
from itertools import islice
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from greening._core.current import current, get_hub, hubs
from greening._core.fairness import fairness_tick
from greening._core.fork import PATCHES, on_child
from greening._core.hub import Hub
from greening._core.journal import FILE, JOURNAL, RUN, WAIT_FD
from greening._core.registry import arrivals
from greening._core.task import Task
from greening._originals import raw_socket
from greening.debug.asyncio_jobs import Jobs
from greening.debug.reasons import Reasons
from greening.debug.trace_format import Event, Format, Names
from greening.debug.waits import file_of, green_threads

# Entries that are kept unless another number is asked for: 12 MB in the compiled build.
EVENTS = 250_000

# Viewers for the file.
VIEWERS = "https://ui.perfetto.dev, or in chrome://tracing"

# The recording, if there is one.
_under_way: "list[Trace]" = []

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Trace:
    """A recording that is under way, or has been written. Made by `trace`.

    Attributes:
        file: where it is written when it ends, as an absolute path.
        noted: after the end, how many events there were. lost: how many of them, the oldest, are not in the file.
    """

    def __init__(self, file: "str | PathLike[str]", events: int) -> None:
        self.file = Path(file).absolute()
        self.noted = self.lost = 0
        self._room = events
        self._pid = os.getpid()
        self._jobs = Jobs()
        self._names: dict[int, str] = {}
        self._hub_of: dict[int, int] = {}
        self._hubs: dict[int, str] = {}
        self._ended = False

    def stop(self) -> None:
        """End the recording and write the file. Other green threads go on meanwhile. Idempotent.

        In the child of a fork nothing is written: the recording is the parent's.

        Raises:
            OSError: the file cannot be written.
        """
        if self._ended or not self.is_ours():
            return
        _note_running()  # the end of the slices that are open
        self.end()
        self._learn_names()
        self.noted = JOURNAL.noted
        self.lost = self.noted - len(JOURNAL)
        try:
            with self._open() as out:
                self._write(out)
        finally:  # while it is written no other recording may begin
            _forget(self)

    def end(self) -> None:
        """End the recording, and write nothing."""
        self._ended = True
        JOURNAL.end()
        self._jobs.remove()
        arrivals.clear()

    def is_ours(self) -> bool:
        """Whether this process records it. False: it is a child of the one that does."""
        return self._pid == os.getpid()

    def __enter__(self) -> "Trace":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _begin(self) -> None:
        get_hub()
        self._open().close()  # what is wrong with the name is an error now, and not at the end
        JOURNAL.begin(self._room, Reasons())
        _under_way.append(self)
        arrivals.append(_note_socket)
        self._learn_names()
        _note_running()
        self._jobs.install()

    def _open(self) -> IO[str]:
        if self.file.suffix == ".gz":
            return gzip.open(self.file, "wt", encoding="utf-8", compresslevel=5)
        return open(self.file, "w", encoding="utf-8")

    def _learn_names(self) -> None:
        """At the begin, and at the end: tasks have names as long as they live."""
        for hub in tuple(hubs):
            number = JOURNAL.number(hub.task)
            self._hubs.setdefault(number, _name_of_os_thread(hub))
            for task in (hub.main, *tuple(hub.adopted), *green_threads(hub)):
                self._names[JOURNAL.number(task)] = _name_of(task)
                self._hub_of[JOURNAL.number(task)] = number

    def _write(self, out: IO[str]) -> None:
        program = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
        names = Names(self._pid, program, self._names, self._hubs, self._hub_of, _sockets())
        about = {"events": self.noted, "lost": self.lost, "python": sys.version.split()[0]}
        out.write('{"displayTimeUnit": "ns", "otherData": ' + json.dumps(about) + ', "traceEvents": [\n')
        events = _events(names)
        comma = ""
        while some := list(islice(events, 100)):  # a list is encoded faster than its items one by one
            out.write(comma + _encode(some)[1:-1])
            comma = ",\n"
            fairness_tick()
        out.write("\n]}\n")


def _events(names: Names) -> Iterator[Event]:
    return Format(names).events(JOURNAL[index] for index in range(len(JOURNAL)))


def _note_running() -> None:
    me = current()
    JOURNAL.note(RUN, me, JOURNAL.number(me.hub.task))


def _sockets() -> dict[int, str]:
    """The ends of the sockets that tasks have waited for, and which were there before the recording."""
    wanted, told = set(), set()
    for index in range(len(JOURNAL)):
        _, kind, subject, other, _, _ = JOURNAL[index]
        if kind == WAIT_FD:
            wanted.add(other)
        elif kind == FILE:
            told.add(subject)
    found = {}
    for fd in wanted - told:
        for hub in tuple(hubs):
            reg = hub.regs.get(fd)
            owner = None if reg is None or reg.owner is None else reg.owner()
            if owner is not None:
                found[fd] = file_of(fd, owner)
    return found


def _note_socket(fd: int, owner: Any) -> None:
    if isinstance(owner, raw_socket):
        JOURNAL.note(FILE, fd, 0, 0, file_of(fd, owner))


def _name_of(task: Task) -> str:
    try:
        return task.name
    except Exception:  # noqa: BLE001  # that of a `threading.Thread` is its program's
        return type(task).__name__


def _name_of_os_thread(hub: Hub) -> str:
    threading = sys.modules.get("threading")
    threads = () if threading is None else threading.enumerate()
    return next((thread.name for thread in threads if thread.ident == hub.thread), f"{hub.thread:#x}")


def trace(file: "str | PathLike[str]", events: int = EVENTS) -> Trace:
    """Record what green threads do until `stop()`, or until the end of a `with` block, and write it to a file.

        with greening.debug.trace("trace.json"):
            serve_for_a_while()

    The file is in Chrome's Trace Event Format: open it at https://ui.perfetto.dev or in chrome://tracing. Each green
    thread, each hub and each task of asyncio has a track; each OS thread is shown as a process. The slices of a track
    tell when it ran, when it was ready to run and did not, and what it waited for, where. Arrows lead from the slice
    in which a green thread was woken to the one in which it went on.

    Args:
        file: its name. One that ends in ".gz" is compressed; Perfetto opens it as it is.
        events: how many are kept, the last ones. Each takes 48 bytes, and a wait with its end is three or four of them.
    Returns:
        The recording.
    Raises:
        OSError: the file cannot be written. RuntimeError: a recording is under way. ValueError: `events` is below 1.
    Thread-safety: it records all OS threads of the process; call it in any of them. There is one recording at a time.
    """
    if _under_way:
        raise RuntimeError(f"a trace is being recorded already, for {_under_way[0].file}: stop() that one first")
    made = Trace(file, events)
    made._begin()
    return made


def trace_until_exit(file: str) -> None:
    """Record until the interpreter ends, write the file then, and say so on standard error.

    Raises:
        OSError: the file cannot be written.
    """
    atexit.register(_finish, trace(file))  # before those of the program, and so the last one to be called


def _finish(made: Trace) -> None:
    if not made.is_ours():
        return
    try:
        made.stop()
    except OSError as error:
        text = f"it could not be written: {error}"
    else:
        lost = f", without the {made.lost:,} oldest" if made.lost else ""
        text = f"{made.noted - made.lost:,} events in {made.file}{lost}: open it at {VIEWERS}"
    if sys.stderr is not None:
        sys.stderr.write(f"greening: trace: {text}\n")


def _forget(made: Trace) -> None:
    JOURNAL.clear()
    _under_way.remove(made)


def _end_in_child() -> None:
    """The child of a fork is not recorded."""
    for made in tuple(_under_way):
        made.end()
        _forget(made)


on_child(PATCHES, _end_in_child)
