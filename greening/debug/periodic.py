"""An OS thread of an instrument, which looks at the program again and again.

The program does not know it: signals are not delivered to it, a deadlock is one in spite of it, and it leaves before a
fork, since CPython warns of a fork beside other OS threads.

Facts: from 3.12 on CPython counts the threads for that warning when the parent's hooks have run.
Decision: in the parent the thread begins again in a hub's next turn, and at once if there is no hub.
"""

import _signal
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from greening._core.current import hubs
from greening._core.deadlock import idle_natives
from greening._core.external import Backoff
from greening._core.fork import APPLICATIONS, before_fork, on_child, on_parent
from greening._core.unhandled import report_unraisable
from greening._originals import (
    allocate_lock,
    builtin_open,
    get_ident,
    get_native_id,
    monotonic,
    os_stat,
    start_new_thread,
    time_sleep,
)

# What the system calls these threads; a thread in C inherits it from the one that starts it.
COMM: Final = "greening-debug"
# Seconds that `end` waits for the thread, which may be in a callback of the program.
_PATIENCE: Final = 0.2


class Periodic:
    """Calls `look()` again and again, in an OS thread of its own.

    Args:
        look: returns the seconds until it is called again. Its errors are reported.
        first: seconds until the first call.
        started: called in the thread, before its start is over.
        paused: called when the thread has left, for a fork or for good.
        in_child: called in the child of a fork; True: go on there.

    Attributes:
        ident: `get_ident()` of the thread; 0: it does not run. native_id: what the system calls it.
    """

    def __init__(
        self,
        look: Callable[[], float],
        first: float,
        started: Callable[[], object],
        paused: Callable[[], object],
        in_child: Callable[[], bool],
    ) -> None:
        self._look = look
        self._first = first
        self._started = started
        self._paused = paused
        self.in_child = in_child
        self._stop = allocate_lock()
        self._goes = False
        self.ident = self.native_id = 0

    def begin(self) -> None:
        """Start the thread."""
        _running.append(self)
        self.start()

    def end(self) -> None:
        """Have the thread leave, and wait until it has. Idempotent."""
        if self in _running:
            _running.remove(self)
            self.pause()

    def start(self) -> None:
        """Start the thread, or start it again after `pause`. It has begun when this returns."""
        if self._goes or self not in _running:
            return
        self._goes = True
        self._stop, begun = allocate_lock(), allocate_lock()
        self._stop.acquire()
        begun.acquire()
        stop = self._stop
        start_new_thread(lambda: self._run(stop, begun.release), ())  # in a tuple the audit would find the lock
        begun.acquire()

    def pause(self) -> None:
        """Have the thread leave, and wait until it has, for the system as well. Not greenly: a fork may be next."""
        if not self._goes:
            return
        self._goes = False
        self._stop.release()
        if self.ident != get_ident():
            wait_gone({self.native_id} if self.native_id else ())
        self._paused()

    def forget(self) -> None:
        """In the child of a fork: the thread is not here."""
        self._goes = False
        self.ident = self.native_id = 0

    def _run(self, stop: Any, begun: Callable[[], object]) -> None:
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        native_id = self.native_id = get_native_id()
        self.ident = get_ident()
        idle_natives.add(native_id)
        _name_thread(native_id)
        self._started()
        begun()
        pause = self._first
        try:
            while not stop.acquire(True, pause):
                try:
                    pause = self._look()
                except Exception as error:  # noqa: BLE001  # a callback of the program; the next look is needed
                    report_unraisable(error, "exception in an instrument of greening", self._look)
        finally:
            idle_natives.discard(native_id)
            if stop is self._stop:
                self.ident = 0


def wait_gone(native_ids: Iterable[int]) -> None:
    """Wait until these OS threads, which are about to leave, are gone for the system. Not for ever, and not greenly."""
    look, deadline = Backoff(None, first=0.0001, longest=0.001), monotonic() + _PATIENCE
    for native_id in tuple(native_ids):
        while _exists(native_id) and monotonic() < deadline:
            time_sleep(look.next())


def _exists(native_id: int) -> bool:
    try:
        os_stat(f"/proc/self/task/{native_id}")
    except OSError:
        return False
    return True


def _name_thread(native_id: int) -> None:
    try:
        with builtin_open(f"/proc/self/task/{native_id}/comm", "w", encoding="ascii") as file:
            file.write(COMM)
    except OSError:
        return


def threads_called(name: str) -> set[int]:
    """The OS threads of this process that the system calls so."""
    return {int(thread) for thread in threads() if comm(thread) == name}


def threads() -> list[str]:
    """The OS threads of this process, as the system numbers them."""
    try:
        return os.listdir("/proc/self/task")
    except OSError:
        return []


def comm(thread: str) -> str:
    """What the system calls an OS thread. "": it has ended."""
    return read_file(f"/proc/self/task/{thread}/comm").rstrip("\n")


def read_file(path: str) -> str:
    """The text of a small file. "": it cannot be read."""
    try:
        with builtin_open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


_running: list[Periodic] = []


@contextmanager
def looking_away() -> Iterator[None]:
    """Have all of these threads leave, and begin again at the end."""
    paused = tuple(_running)
    for periodic in paused:
        periodic.pause()
    try:
        yield
    finally:
        for periodic in paused:
            periodic.start()


def _before_fork() -> None:
    for periodic in tuple(_running):
        periodic.pause()


def _in_parent() -> None:
    for periodic in tuple(_running):
        if hubs:
            hubs[0].post(periodic.start)
        else:
            periodic.start()


def _in_child() -> None:
    for periodic in tuple(_running):
        periodic.forget()
        if periodic.in_child():
            periodic.start()
        else:
            _running.remove(periodic)


before_fork(APPLICATIONS, _before_fork)
on_parent(APPLICATIONS, _in_parent)
on_child(APPLICATIONS, _in_child)
