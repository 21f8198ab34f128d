"""The journal: what the tasks did last, written down while somebody wants to know. `greening.debug.trace` reads it.

Facts: greenlet's own trace function (`greenlet.settrace`) is called at every switch, costs a Python call each time, and
there is one for each OS thread: whoever sets it takes it away from others.
Decision: the engine writes into a ring of fixed size, at the few places through which every task goes: it begins,
parks, becomes runnable, goes on, ends. While the journal is off each of them asks one flag. The compiled build writes
48 bytes an entry and reads the processor's counter for the time; it makes no object.

What a task waits for is written down when it parks. A descriptor and a green thread are known there. For all else the
frames are asked, by a function of the reader's.

Numbers stand for tasks: the journal keeps none alive. A number is never used twice.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from greening._compiled import double
from greening._core.critical import uninterruptible
from greening._core.running import known_task
from greening._originals import monotonic

if TYPE_CHECKING:
    from greening._core.task import Task

# Kinds of entries, and what `other`, `extra` and `label` are. 0 and None: nothing. accelerator.h has the same numbers.
RUN: Final = 0  # a task goes on: its hub; 1 after a timeout, 2 with an error; the error's class
BEGIN: Final = 1  # a green thread begins: its hub; -; its name
END: Final = 2  # it has ended: as for BEGIN, but 1 for a main task, which ends with its hub
YIELD: Final = 3  # a task parks, and is runnable
WAIT: Final = 4  # it waits: -; -; what the reader's function returned
WAIT_FD: Final = 5  # it waits for a descriptor: its number; the events
WAIT_END: Final = 6  # it waits for the end of a green thread: that one
READY: Final = 7  # it becomes runnable: the task that did it, 0 for the hub
POST: Final = 8  # another OS thread has woken it: the task that did it, 0 for an OS thread without one
ROUND: Final = 9  # a hub has looked at descriptors, posts and timers, and begins a round
AWAKE: Final = 10  # a hub has slept until now
FILE: Final = 11  # a socket is waited for the first time (the subject is its descriptor): -; -; its two ends
HUB: Final = 12  # an OS thread gets a hub (the subject is the hub's own task): its main task; -; the thread's ident
NAME: Final = 13  # a task that no runner begins (a foreign greenlet's, a stand-in): its hub; -; its name
WAITS: Final = (WAIT, WAIT_FD, WAIT_END)

# Bytes of an entry in the compiled build, without its label.
ENTRY_BYTES: Final = 48

# Nanoseconds since `begin`, kind, subject, other, extra, label.
Entry = tuple[int, int, int, int, int, Any]


@double
@uninterruptible
class Journal:
    """A ring of entries. There is one, `JOURNAL`.

    `on` tells whether it is written; `noted`, how many entries were written since `begin`, also those that are lost.
    `len` is the number of those that are kept. Read them when it is off: `journal[0]` is the oldest.
    """

    __slots__ = ("_began", "_entries", "_reason", "noted", "on")

    def __init__(self) -> None:
        self.on = False
        self.noted = 0
        self._began = 0.0
        # With the time as the clock gives it.
        self._entries: deque[tuple[float, int, int, int, int, Any]] = deque()
        self._reason: Callable[[], object] = _nothing

    def begin(self, room: int, reason: Callable[[], object]) -> None:
        """Begin anew.

        Args:
            room: the number of entries that are kept, the last ones.
            reason: called, without arguments, in a task that is about to park; the frames are its own. What it returns
                is the label of the entry. It must not park, nor return what refers to objects of the program.
        Raises:
            ValueError: there is room for none. RuntimeError: it is on.
        """
        if room < 1:
            raise ValueError(f"there must be room for one entry at least, not for {room}")
        if self.on:
            raise RuntimeError("the journal is being written already")
        self._entries = deque(maxlen=room)
        self._reason = reason
        self.noted = 0
        self._began = monotonic()
        self.on = True
        Ready.append = _noted_append  # type: ignore[method-assign, assignment]  # so that it costs nothing otherwise
        Ready.appendleft = _noted_appendleft  # type: ignore[method-assign, assignment]  # as above

    def end(self) -> None:
        """Write no more. What was written stays until the next `begin`, or `clear`."""
        if self.on:
            self.on = False
            self._reason = _nothing
            del Ready.append, Ready.appendleft

    def clear(self) -> None:
        """Give the memory back."""
        self.end()
        self._entries = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Entry:
        when, *rest = self._entries[index]
        return (int((when - self._began) * 1e9), *rest)

    def number(self, task: "Task") -> int:
        """The number that stands for a task."""
        return task.ident

    def note(self, kind: int, subject: "Task | int", other: int = 0, extra: int = 0, label: Any = None, /) -> None:
        """Write an entry.

        Args:
            subject: a task, or a number.
        """
        number = subject if isinstance(subject, int) else subject.known_ident or subject.ident
        self._entries.append((monotonic(), kind, number, other, extra, label))
        self.noted += 1

    def note_wake(self, kind: int, task: "Task") -> None:
        """READY or POST: the running task has made `task` runnable."""
        me = known_task()
        other = 0 if me is None or me is me.hub.task else me.known_ident or me.ident
        self._entries.append((monotonic(), kind, task.known_ident or task.ident, other, 0, None))
        self.noted += 1

    def note_park(self, task: "Task", yields: bool) -> None:
        """`task`, which runs, is about to park. What it waits for may be noted already.

        Args:
            yields: it stays runnable.
        """
        if self._entries:
            _, kind, subject, *_ = self._entries[-1]
            if kind in WAITS and subject == task.ident:
                return
        if yields:
            self.note(YIELD, task)
        else:
            self.note(WAIT, task, 0, 0, self._reason())

    def note_begin(self, task: "Task") -> str:
        """A green thread begins. Returns its name."""
        try:
            name = task.name
        except Exception:  # noqa: BLE001  # that of a `threading.Thread` is its program's
            name = ""
        self.note(BEGIN, task, task.hub.task.ident, 0, name)
        return name

    def note_run(self, task: "Task", timed_out: bool) -> None:
        """`task` goes on after a park."""
        error = task.error
        hub = task.hub.task
        number, other = task.known_ident or task.ident, hub.known_ident or hub.ident
        if error is None:
            self._entries.append((monotonic(), RUN, number, other, int(timed_out), None))
        else:
            self._entries.append((monotonic(), RUN, number, other, 2, type(error).__name__))
        self.noted += 1


def _nothing() -> None:
    return None


class Ready(deque["Task"]):
    """The queue of runnable tasks, in the Python source. While the journal is on it notes what enters it."""

    __slots__ = ()


@uninterruptible
def _noted_append(ready: Ready, task: "Task") -> None:
    deque.append(ready, task)
    JOURNAL.note_wake(READY, task)


@uninterruptible
def _noted_appendleft(ready: Ready, task: "Task") -> None:
    deque.appendleft(ready, task)
    JOURNAL.note_wake(READY, task)


JOURNAL: Final = Journal()
