"""What waits for a descriptor, as eventlet's hub shows it: `hub.add` makes a listener, `get_readers` lists them all."""

from collections.abc import Callable
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
        greenlet: the green thread that waits.
        cb: called with the descriptor, each time that it is ready; None: a green thread that waits by itself.
    """

    def __init__(self, evtype: str, fileno: int, greenlet: Task | None = None) -> None:
        if evtype not in (READ, WRITE):
            raise ValueError(f"a listener waits for {READ!r} or {WRITE!r}, not for {evtype!r}")
        self.evtype = evtype
        self.fileno = fileno
        self.greenlet = greenlet
        self.cb: Callable[[int], object] | None = None

    def stack(self) -> str:
        """Where the green thread waits, as lines of a traceback."""
        frame = None if self.greenlet is None else self.greenlet.gr_frame
        return "" if frame is None else "".join(format_stack(frame))

    def __repr__(self) -> str:
        what = self.greenlet if self.cb is None else self.cb
        return f"{type(self).__name__}({self.evtype!r}, {self.fileno}, {what!r})"


class Watch(FdListener):
    """A listener that calls back, in a green thread of its own, until it is removed."""

    def __init__(
        self,
        evtype: str,
        fileno: int,
        cb: Callable[[int], object],
        tb: Callable[..., object] | None,
        mark_as_closed: Callable[[], object] | None,
    ) -> None:
        super().__init__(evtype, fileno)
        self.cb = cb
        self.tb = tb
        self.mark_as_closed = mark_as_closed
        self.spent = False
        self._running = False
        thread: GreenThread[None] = spawn(self._watch)
        thread.quiet = False
        self.greenlet = thread

    def remove(self) -> None:
        """Call back no more. Does nothing the second time. Never switches."""
        self.spent = True
        if self.greenlet is not None and not self._running:
            throw_into(self.greenlet, GreenletExit())

    def _watch(self) -> None:
        mask = IN if self.evtype == READ else OUT
        while not self.spent:
            try:
                wait_fd(self.fileno, mask)
            except OSError as error:
                self._closed(error)
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

    def _closed(self, error: OSError) -> None:
        self.spent = True
        if self.mark_as_closed is not None:
            self._call(self.mark_as_closed)
        if self.tb is not None:
            self._call(self.tb, IOClosed(error.errno, f"descriptor {self.fileno} was closed"))
