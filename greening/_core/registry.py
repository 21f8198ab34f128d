"""Who waits for which descriptor: one `Registration` per descriptor number, filled by waiters, emptied by events.

Law: numbers are reused by the system, so a registration that belongs to a socket remembers its owner, and a wait of
another owner replaces it. An event for a number that nobody has registered is stale and dropped. A wake-up may be
spurious: every waiter tries its system call again.
"""

import errno
from collections import deque
from typing import Any
from weakref import ref

from greening._compiled import accelerator
from greening._core.members import RegistrationMembers
from greening._core.poller import ERR, HUP, IN, NVAL, OUT, PRI, RDHUP, READ, WRITE, Poller
from greening._core.task import PARKED, READY, RUNNING, TIMED_OUT, Task
from greening._originals import raw_socket, strerror

_fileno = raw_socket.fileno


class Registration(RegistrationMembers):
    """One descriptor of one hub.

    `drained`: a read came back short since the last event, so that the next one would find nothing (streams only).
    `stream`: short reads may be trusted: a TCP socket on which no hang-up, error or urgent data has been seen.
    """

    __slots__ = ()

    def __init__(self, fd: int, owner: "ref[Any] | None", edge: bool, stream: bool) -> None:
        self.fd = fd
        self.owner = owner
        self.edge = edge
        self.stream = stream
        self.drained = False
        # None, a task, or a list of tasks in order of arrival: nearly always one at most, and 10,000 empty lists cost.
        self.readers = self.writers = None

    @property
    def wanted(self) -> int:
        """The events that somebody waits for."""
        return (IN | PRI | RDHUP if self.readers is not None else 0) | (OUT if self.writers is not None else 0)

    def leave(self, task: Task) -> None:
        """`task` waits no longer, in whichever direction it did."""
        self.readers = _without(self.readers, task)
        self.writers = _without(self.writers, task)


def _with(waiters: Task | list[Task] | None, task: Task) -> Task | list[Task]:
    if waiters is None:
        return task
    if type(waiters) is list:
        waiters.append(task)
        return waiters
    return [waiters, task]  # type: ignore[list-item]  # mypy does not narrow on `type(x) is list`


def _without(waiters: Task | list[Task] | None, task: Task) -> Task | list[Task] | None:
    if waiters is task:
        return None
    if type(waiters) is list and task in waiters:
        waiters.remove(task)
        return waiters or None
    return waiters


def _each(waiters: Task | list[Task] | None) -> list[Task]:
    if waiters is None:
        return []
    return waiters if type(waiters) is list else [waiters]  # type: ignore[list-item]  # as above


class Registry:
    """The registrations of one hub. Use it in the hub's own OS thread only."""

    __slots__ = ("bell", "poller", "ready", "regs", "rung")

    def __init__(self, poller: Poller, ready: deque[Task]) -> None:
        self.poller = poller
        self.ready = ready
        self.regs: dict[int, Registration] = {}
        # The hub's wake-up descriptor, and whether it was among the events.
        self.bell = -1
        self.rung = False

    def socket(self, fd: int, owner: Any, stream: bool) -> Registration:
        """The registration of a socket of ours, armed once and for all.

        Args:
            fd: its descriptor. Borrowed.
            owner: the socket object, by whose identity a reused number is recognised.
            stream: True for a TCP socket.
        """
        reg = self.regs.get(fd)
        if reg is not None:
            known = None if reg.owner is None else reg.owner()
            if known is owner:
                return reg
            if isinstance(known, raw_socket) and _fileno(known) == fd:
                return self._share(reg, owner)
            self._evict(reg)
        reg = Registration(fd, ref(owner), self.poller.edge, stream and self.poller.edge)
        if reg.edge:
            self.poller.arm_edge(fd)
        self.regs[fd] = reg
        return reg

    def _share(self, reg: Registration, owner: Any) -> Registration:
        # Two socket objects have one number: `socket(fileno=...)` of a live one, or a number that was closed behind our
        # back. Armed again, the entry is that of the file which has the number now. If each threw the other's waiters
        # out,
        # the two would wake each other for ever.
        reg.owner = ref(owner)
        reg.drained = reg.stream = False
        if reg.edge:
            self.poller.arm_edge(reg.fd)
        return reg

    def _evict(self, reg: Registration) -> None:
        # Another file has this number now. Whoever waits for the old one by number alone (a raw wait) may go on waiting
        # for the new one, as poll(2) would; its retry tells. The owner of a closed socket learns that it is closed.
        self.regs.pop(reg.fd, None)
        for task in (*_each(reg.readers), *_each(reg.writers)):
            task.wake(ERR)

    def wait(self, reg: Registration, task: Task, mask: int, deadline: float | None) -> int:
        """Park `task` until an event of `mask` comes for `reg`.

        Returns:
            The events (0: the deadline, absolute hub time, passed first). They may be stale: try, and wait again.
        Raises:
            OSError: EBADF, the descriptor was closed meanwhile.
        """
        if task.state != RUNNING:
            task.refuse()
        task.state = PARKED
        if mask & READ:
            reg.readers = task if reg.readers is None else _with(reg.readers, task)
        if mask & OUT:
            reg.writers = task if reg.writers is None else _with(reg.writers, task)
        if not reg.edge and not self._arm(reg, task):
            return mask
        try:
            events = task.park(deadline)
        except BaseException:
            reg.leave(task)
            raise
        if events is TIMED_OUT:
            reg.leave(task)
            return 0
        if mask & OUT and mask & READ:
            reg.leave(task)
        return events  # type: ignore[no-any-return]  # the mask that dispatch woke us with

    def _arm(self, reg: Registration, task: Task) -> bool:
        """False: there is nothing to wait for, since the file is always ready."""
        try:
            self.poller.arm_once(reg.fd, reg.wanted)
        except BaseException as error:
            reg.leave(task)
            task.unparked()
            if isinstance(error, PermissionError):
                return False
            raise
        return True

    def _rearm(self, reg: Registration) -> None:
        """A shot is spent, and others still wait."""
        try:
            self.poller.arm_once(reg.fd, reg.wanted)
        except OSError:  # closed behind our back
            self.forget(reg.fd)

    def wait_raw(self, fd: int, task: Task, mask: int, deadline: float | None) -> int:
        """Like `wait`, for a descriptor that is not ours: one-shot. A file that is always ready has `mask` at once."""
        reg = self.regs.get(fd)
        if reg is not None and reg.owner is not None and reg.owner() is None:
            self._evict(reg)
            reg = None
        try:
            if reg is None:
                reg = self.regs[fd] = Registration(fd, None, False, False)
            elif reg.edge:
                # Somebody may have consumed the edge: arming again reports what is ready now.
                self.poller.arm_edge(fd)
            return self.wait(reg, task, mask, deadline)
        finally:
            if reg is not None and not reg.edge and self.regs.get(fd) is reg:
                self._settle(reg)

    def _settle(self, reg: Registration) -> None:
        if reg.wanted:
            self._rearm(reg)
        else:
            self.poller.disarm(reg.fd)
            if reg.owner is None:
                del self.regs[reg.fd]

    def dispatch(self, events: list[tuple[int, int]]) -> None:
        """Wake whoever waits for these events."""
        regs = self.regs
        for fd, mask in events:
            reg = regs.get(fd)
            if reg is None:
                if fd == self.bell:
                    self.rung = True
                continue
            reg.drained = False
            if mask & (PRI | RDHUP | HUP | ERR | NVAL):
                reg.stream = False
                if mask & NVAL:  # poll(2) says of a closed descriptor what epoll_ctl(2) says by EBADF
                    self.forget(fd)
                    continue
            waiters = reg.readers
            if waiters is not None and mask & READ:
                reg.readers = None
                if type(waiters) is list:
                    for task in waiters:
                        task.wake(mask)
                elif waiters.state == PARKED:  # type: ignore[union-attr]  # mypy does not narrow on `type(x) is list`
                    # Task.wake, without a frame: this is the hub's own OS thread.
                    waiters.state = READY  # type: ignore[union-attr]  # likewise
                    waiters.value = mask  # type: ignore[union-attr]  # likewise
                    self.ready.append(waiters)  # type: ignore[arg-type]  # likewise
            if reg.writers is not None and mask & WRITE:
                waiters, reg.writers = reg.writers, None
                for task in _each(waiters):
                    task.wake(mask)
            if not reg.edge and reg.wanted:
                self._rearm(reg)

    def forget(self, fd: int, only: Registration | None = None) -> None:
        """`fd` is about to be closed: wake its waiters with EBADF and leave the poller. Idempotent.

        Args:
            only: do it for this registration; the number may be another file's by now.
        """
        reg = self.regs.get(fd)
        if reg is None or (only is not None and reg is not only):
            return
        del self.regs[fd]
        self.poller.disarm(fd)
        for task in (*_each(reg.readers), *_each(reg.writers)):
            task.interrupt(OSError(errno.EBADF, strerror(errno.EBADF)))
        reg.readers = reg.writers = None

    def waiting(self) -> bool:
        """True when anybody waits for any descriptor."""
        # No generator: this is asked before every sleep, and the first one mostly is.
        for reg in self.regs.values():  # noqa: SIM110  # see above
            if reg.readers is not None or reg.writers is not None:
                return True
        return False

    def clear(self, poller: Poller) -> None:
        """Start afresh on another poller (after fork)."""
        self.regs.clear()
        self.poller = poller


if accelerator is not None:
    _dispatch = Registry.dispatch

    def _dispatch_compiled(self: Registry, events: list[tuple[int, int]]) -> None:
        accelerator.dispatch(self.regs, events, self, _dispatch)

    Registry.dispatch = _dispatch_compiled  # type: ignore[method-assign]  # its double
