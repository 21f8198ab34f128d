"""What waits for a descriptor, as eventlet's hub shows it: `hub.add` makes a listener, `get_readers` lists them all."""

import errno
from collections.abc import Callable, MutableSet
from traceback import format_stack
from typing import Any

from greening._core.greenthread import GreenThread, spawn, throw_into
from greening._core.poller import IN, OUT
from greening._core.task import Task
from greening._core.waiting import sleep, wait_fd
from greening.errors import GreenletExit

READ = "read"
WRITE = "write"


class IOClosed(OSError):
    """The descriptor that was waited for has been closed."""


def closed_callback(fileno: int) -> None:
    """A callback for `hub.add` that does nothing when its descriptor is ready."""


class FdListener:
    """One that waits for a descriptor.

    Attributes:
        evtype: READ or WRITE. fileno: the descriptor.
        cb: called with the descriptor when it is ready. A green thread that waits by itself has its `switch` here.
        tb: called with an `IOClosed` when the descriptor is closed; None: nothing is.
        mark_as_closed: called before that, without an argument; None: nothing is.
        spent: it calls back no more.
        greenlet: the green thread that waits.
    Raises:
        ValueError: another `evtype`.
    """

    def __init__(
        self,
        evtype: str,
        fileno: int,
        cb: Callable[..., object] | None = None,
        tb: Callable[..., object] | None = None,
        mark_as_closed: Callable[[], object] | None = None,
        greenlet: Task | None = None,
    ) -> None:
        if evtype not in (READ, WRITE):
            raise ValueError(f"a listener waits for {READ!r} or {WRITE!r}, not for {evtype!r}")
        self.evtype = evtype
        self.fileno = fileno
        self.cb = cb
        self.tb = tb
        self.mark_as_closed = mark_as_closed
        self.spent = False
        self.greenlet = greenlet

    def defang(self) -> None:
        """The descriptor is closed: call `mark_as_closed`, and nothing more. Does nothing the second time."""
        if self.spent:
            return
        self.spent = True
        self.cb = closed_callback
        if self.mark_as_closed is not None:
            self.mark_as_closed()

    def stack(self) -> str:
        """Where the green thread waits, as lines of a traceback."""
        frame = None if self.greenlet is None else self.greenlet.gr_frame
        return "" if frame is None else "".join(format_stack(frame))

    def __repr__(self) -> str:
        what = self.cb if self.greenlet is None else self.greenlet
        return f"{type(self).__name__}({self.evtype!r}, {self.fileno}, {what!r})"


class Watch(FdListener):
    """A listener that calls back, in a green thread of its own, until it is removed.

    Args:
        watches: those of the hub. The listener is among them as long as it calls back.
        evtype, fileno, cb, tb, mark_as_closed: as the attributes of `FdListener`.
    """

    def __init__(
        self,
        watches: "MutableSet[FdListener]",
        evtype: str,
        fileno: int,
        cb: Callable[[int], object],
        tb: Callable[..., object] | None,
        mark_as_closed: Callable[[], object] | None,
    ) -> None:
        super().__init__(evtype, fileno, cb, tb, mark_as_closed)
        self._watches = watches
        self._running = False
        thread: GreenThread[None] = spawn(self._watch)
        thread.quiet = False
        thread.calls_back = True
        thread.link(self._forget)
        self.greenlet = thread
        watches.add(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.evtype!r}, {self.fileno}, {self.cb!r})"

    def _forget(self, thread: object) -> None:
        self._watches.discard(self)

    def remove(self) -> None:
        """Call back no more. Does nothing the second time. Never switches."""
        self.spent = True
        self._stop()

    def _stop(self) -> None:
        self._watches.discard(self)
        if self.greenlet is not None and not self._running:
            throw_into(self.greenlet, GreenletExit())

    def obsolete(self) -> None:
        """Its descriptor is closed, or the number is another file's. `tb` is called with the next turn."""
        self._stop()
        if not self.spent:
            self.defang()
            if self.tb is not None:
                spawn(self.tb, closed(self.fileno)).quiet = False

    def _watch(self) -> None:
        mask = IN if self.evtype == READ else OUT
        while not self.spent:
            try:
                wait_fd(self.fileno, mask)
            except OSError:
                self.obsolete()
                return
            if not self.spent:
                self._call(self.cb, self.fileno)
                sleep(0)  # a file that is always ready must not keep the others waiting

    def _call(self, callback: Any, *args: Any) -> None:
        self._running = True
        try:
            callback(*args)
        finally:
            self._running = False


def closed(fileno: int) -> IOClosed:
    """The error for those that waited for a descriptor. Its number, ENOTCONN, is eventlet's."""
    return IOClosed(errno.ENOTCONN, f"descriptor {fileno} is closed, or was closed while it was waited for")
