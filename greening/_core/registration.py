"""One descriptor of one hub: which tasks wait for it, and what is known about it."""

import errno
from typing import Any
from weakref import ref

from greening._compiled import double
from greening._core.journal import JOURNAL, WAIT_FD
from greening._core.names import who_and_where
from greening._core.parking_lot import ParkingLot
from greening._core.poller import IN, NVAL, OUT, PRI, RDHUP, READ
from greening._core.task import PARKED, Task
from greening._originals import strerror


@double
class RegistrationOps:
    """What every wait does. `Registration` adds the rest."""

    __slots__ = (
        "drained",
        "edge",
        "fd",
        "owner",
        "read_news",
        "readers",
        "recheck_due",
        "stream",
        "write_news",
        "writers",
    )

    drained: bool
    edge: bool
    fd: int
    owner: "ref[Any] | None"
    read_news: bool
    readers: ParkingLot | None
    recheck_due: bool
    stream: bool
    write_news: bool
    writers: ParkingLot | None

    @property
    def wanted(self) -> int:
        """The events that tasks wait for."""
        return (IN | PRI | RDHUP if self.readers else 0) | (OUT if self.writers else 0)

    def enter(self, task: Task, mask: int) -> None:
        """`task`, which is PARKED, waits for events of `mask`."""
        # To make a lot may run a finaliser. If another task makes the lot meanwhile, that one stays.
        if mask & READ:
            if self.readers is None:
                made = ParkingLot()
                if self.readers is None:
                    self.readers = made
            self.readers.enter(task)
        if mask & OUT:
            if self.writers is None:
                made = ParkingLot()
                if self.writers is None:
                    self.writers = made
            self.writers.enter(task)

    def enter_unless_news(self, task: Task, mask: int) -> bool:
        """Make `task` PARKED, and `enter`. False: it must not wait: an event has come since the last try began."""
        task.state = PARKED
        # First enter, then check: an event that comes in between wakes the task, or is found.
        self.enter(task, mask)
        if self.edge and self.take_news(mask):
            self.leave(task)
            task.cancel_park(keep_error=True)
            return False
        if JOURNAL.on:
            JOURNAL.note(WAIT_FD, task, self.fd, mask)
        return True

    def leave(self, task: Task) -> None:
        """`task` waits no longer, in either direction."""
        if self.readers:
            self.readers.leave(task)
        if self.writers:
            self.writers.leave(task)

    def take_news(self, mask: int) -> bool:
        """Whether an event of `mask` has come since the last try began. A new try begins now."""
        news = (mask & READ and self.read_news) or (mask & OUT and self.write_news)
        if mask & READ:
            self.read_news = False
        if mask & OUT:
            self.write_news = False
        return bool(news)


class Registration(RegistrationOps):
    """One descriptor of one hub.

    `drained`: a read was short since the last event, so that the next one would find nothing (streams only).
    `recheck_due`: a recheck is scheduled, in case data was left all the same (see schedule_recheck).
    `stream`: short reads may be trusted: a TCP socket on which no hang-up, error or urgent data has been seen.
    `read_news`, `write_news`: an event has come since the last try began. Code that interrupts a task between EAGAIN
    and the park may let the hub run. The event is reported only once, so the park that follows ends at once.
    """

    __slots__ = ()

    def __init__(self, fd: int, owner: "ref[Any] | None", edge: bool, stream: bool) -> None:
        self.fd = fd
        self.owner = owner
        self.edge = edge
        self.stream = stream
        self.drained = self.recheck_due = self.read_news = self.write_news = False
        # Made when they are needed: 10,000 empty ones cost.
        self.readers = self.writers = None

    def end(self) -> None:
        """The descriptor is closed: its waiters get OSError (EBADF), which says by whom."""
        self.read_news = self.write_news = True  # for a task between its try and its park: see `release`
        if not (self.readers or self.writers):
            return
        text = f"{strerror(errno.EBADF)}: descriptor {self.fd} was closed meanwhile by {who_and_where()}"
        for lot in (self.readers, self.writers):
            while lot:
                task = lot[0]
                lot.leave(task)
                if task.resume is None:  # it has not begun: it begins, and finds the descriptor closed itself
                    task.wake(NVAL)
                else:
                    task.interrupt(OSError(errno.EBADF, text))

    def release(self, events: int) -> None:
        """Have every waiter try again, and every task that was interrupted between its try and its park."""
        self.read_news = self.write_news = True
        for lot in (self.readers, self.writers):
            if lot:
                lot.unpark_all(events)
