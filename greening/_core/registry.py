"""Which tasks wait for which descriptor: one `Registration` per descriptor number, filled by waiters, emptied by
events.

Law: the system reuses numbers. So the registration of a socket remembers its owner, and a wait of another owner
replaces it. An event for a number that is not registered is stale and dropped. A wake-up may be spurious: every waiter
tries its system call again.
"""

from collections.abc import Callable, Sequence
from typing import Any
from weakref import ref

from greening._compiled import double
from greening._core.critical import uninterruptible
from greening._core.journal import Ready
from greening._core.poller import ERR, HUP, IN, NVAL, OUT, PRI, RDHUP, READ, WRITE, Poller
from greening._core.registration import Registration
from greening._core.task import NEW, PARKED, RUNNING, TIMED_OUT, Task
from greening._originals import raw_socket

_fileno = raw_socket.fileno

# Told of each wait that an error cuts short: its descriptors, and the error (a kill, a Timeout; EBADF: it was closed).
# Called in the task that waited. Must not park. Empty as long as nobody wants to know.
interruptions: list[Callable[[Sequence[int], BaseException], object]] = []

# Told of each socket that is waited for the first time: its descriptor, and the socket. Must not park. Empty as long as
# nobody wants to know.
arrivals: list[Callable[[int, Any], object]] = []


@uninterruptible
class Registry:
    """The registrations of one hub. Use it in the hub's own OS thread only."""

    __slots__ = ("exclusive", "wakeup_fd", "to_recheck", "rechecks", "poller", "ready", "regs", "notified")

    def __init__(self, poller: Poller, ready: Ready) -> None:
        self.poller = poller
        self.ready = ready
        self.regs: dict[int, Registration] = {}
        # Registrations whose recheck is due, and whether there are rechecks at all: see recheck.
        self.to_recheck: list[Registration] = []
        self.rechecks = True
        # The hub's wake-up descriptor, and whether it was among the events.
        self.wakeup_fd = -1
        self.notified = False
        # True: a second reader, or writer, of one descriptor is an error of its program.
        self.exclusive = False

    def socket(self, fd: int, owner: Any, stream: bool) -> Registration:
        """The registration of a green socket, armed once for all its waits.

        Args:
            fd: its descriptor. Borrowed.
            owner: the socket object. Its identity tells whether the number was reused.
            stream: True for a TCP socket.
        """
        reg = self.regs.get(fd)
        if reg is not None:
            known = None if reg.owner is None else reg.owner()
            if known is owner:
                return reg
            if isinstance(known, raw_socket) and _fileno(known) == fd:
                return self._duplicate(reg, owner)
            self._evict(reg)
        reg = Registration(fd, ref(owner), self.poller.edge, stream and self.poller.edge)
        # Check and change are atomic: no call. A finaliser above may have let tasks run that wait for the socket.
        if fd in self.regs:
            return self.socket(fd, owner, stream)
        # It is known before it is armed: a finaliser or a signal handler may let the hub run in between, and an edge
        # for a number that is not registered would be dropped.
        self.regs[fd] = reg
        if reg.edge:
            try:
                self.poller.arm_edge(fd)
            except BaseException:
                self._evict(reg)
                raise
        for tell in arrivals:
            tell(fd, owner)
        return reg

    def _duplicate(self, reg: Registration, owner: Any) -> Registration:
        # Two socket objects have one number: `socket(fileno=...)` of a live one, or a number that was closed behind our
        # back. Arming it again makes the entry that of the file which has the number now. If each evicted the other's
        # registration, the two would wake each other for ever.
        if reg.edge:
            self.poller.arm_edge(reg.fd)  # it may fail; then nothing has changed
        reg.owner = ref(owner)
        reg.drained = reg.stream = False
        return reg

    def _evict(self, reg: Registration) -> None:
        # Another file has this number now, so all waiters try again. A raw wait, which knows only the number, may then
        # wait for the new file, as poll(2) would. The owner of a closed socket finds it closed.
        self._drop(reg)
        reg.release(ERR)

    def _drop(self, reg: Registration) -> None:
        """Remove it, if it is registered. Check and change are atomic: no call."""
        fd = reg.fd
        if fd in self.regs and self.regs[fd] is reg:
            del self.regs[fd]

    def wait(self, reg: Registration, task: Task, mask: int, deadline: float | None) -> int:
        """Park `task` until an event of `mask` comes for `reg`.

        Returns:
            The events (0: the deadline, absolute hub time, passed first). They may be stale: try, and wait again.
        Raises:
            OSError: EBADF, the descriptor was closed meanwhile.
        """
        if self.exclusive:
            self._refuse_second(reg, mask)
        if task.state != RUNNING:
            task = task.waiter()
        if not reg.enter_unless_news(task, mask) or (not reg.edge and not self._arm(reg, task)):
            return mask
        try:
            events = task.park(deadline)
        except BaseException as error:
            reg.leave(task)
            for tell in interruptions:
                tell((reg.fd,), error)
            raise
        if events is TIMED_OUT or (mask & OUT and mask & READ):
            reg.leave(task)
        reg.take_news(mask)  # the caller tries now
        return 0 if events is TIMED_OUT else events

    def _refuse_second(self, reg: Registration, mask: int) -> None:
        for event, waiting, what in ((IN, reg.readers, "read"), (OUT, reg.writers, "write")):
            if mask & event and waiting:
                raise RuntimeError(
                    f"Second simultaneous {what} on fileno {reg.fd} detected: {waiting[0].name} waits for it already. "
                    "Unless you really know what you're doing, make sure that only one green thread can use a socket "
                    "at a time; hub_prevent_multiple_readers(False) switches this check off"
                )

    def start_when_ready(self, reg: Registration, task: Task, mask: int) -> bool:
        """Have `task`, which has not begun, begin when an event of `mask` comes for `reg`, or when it is closed.

        Until then it costs an entry in the registration, and no greenlet.

        Returns:
            False: an event has come since the last try, so that it need not wait.
        """
        if reg.enter_unless_news(task, mask) and (reg.edge or self._arm(reg, task)):
            return True
        task.state = NEW
        return False

    def wait_any(self, task: Task, wants: Sequence[tuple[int, int]], deadline: float | None) -> bool:
        """Park until an event comes for one of several descriptors. The first one ends it.

        Every descriptor gets its registration, as for a single wait. So closing one of them wakes the task with EBADF,
        which a nested epoll set would never report, and the wait itself needs no descriptor.

        Args:
            task: the running one.
            wants: (descriptor, events of POLLIN and POLLOUT). Empty: only the deadline ends it.
            deadline: absolute hub time, seconds; None: none.
        Returns:
            False: the deadline passed. True: ask the system what there is; it may be nothing.
        Raises:
            OSError: EBADF, one of them is closed, or was meanwhile.
        """
        return self._wait_joined(task, wants, deadline, None) is not TIMED_OUT

    def _wait_joined(
        self, task: Task, wants: Sequence[tuple[int, int]], deadline: float | None, always: int | None
    ) -> Any:
        """See `wait_any`. Returns one's events, or TIMED_OUT; or `always`, if it is given and one is always ready."""
        joined: list[Registration] = []
        if self.exclusive:
            for fd, mask in wants:
                if (reg := self.regs.get(fd)) is not None:
                    self._refuse_second(reg, mask)
        if task.state != RUNNING:
            task = task.waiter()
        task.state = PARKED
        try:
            for fd, mask in wants:
                reg = self._join(task, fd, mask)
                if reg is not None:
                    joined.append(reg)
                elif always is not None:
                    task.cancel_park()
                    return always
            return task.park(deadline)
        except BaseException as error:
            if task.state != RUNNING:  # there was no park
                task.cancel_park()
            else:
                for tell in interruptions:
                    tell([fd for fd, _ in wants], error)
            raise
        finally:
            for reg in joined:
                reg.leave(task)
                if not reg.edge and self.regs.get(reg.fd) is reg:
                    self._settle(reg)

    def _join(self, task: Task, fd: int, mask: int) -> Registration | None:
        """Enter for one descriptor, and arm it. None: it has no events, since it is always ready (a file on disk)."""
        reg = self._enter(task, fd, mask)
        try:
            if reg.edge:
                self.poller.arm_edge(fd)  # the edge may have been consumed: what is ready now is reported again
            else:
                self._arm_wanted(reg)
        except BaseException as error:
            reg.leave(task)
            if reg.owner is None and not reg.wanted:
                self._drop(reg)
            if isinstance(error, PermissionError):
                return None
            raise
        return reg

    def _enter(self, task: Task, fd: int, mask: int) -> Registration:
        """Have `task` wait in the registration of `fd`.

        First enter, then check that it is still registered: code that interrupts this may wait for `fd` as well, and
        the last task to leave removes the registration.
        """
        while True:
            reg = self.regs.get(fd)
            if reg is not None and reg.owner is not None and reg.owner() is None:
                self._evict(reg)  # the socket is gone, and its number is another file's
                continue
            if reg is None:
                reg = Registration(fd, None, False, False)
            reg.enter(task, mask)
            if (self.regs.get(fd) if reg.edge else self.regs.setdefault(fd, reg)) is reg:
                return reg
            reg.leave(task)

    def _arm(self, reg: Registration, task: Task) -> bool:
        """False: there is nothing to wait for, since the file is always ready."""
        try:
            self._arm_wanted(reg)
        except BaseException as error:
            reg.leave(task)
            task.cancel_park()
            if isinstance(error, PermissionError):
                return False
            raise
        return True

    def _arm_wanted(self, reg: Registration) -> None:
        armed, wanted = 0, reg.wanted
        while wanted & ~armed:
            self.poller.arm_once(reg.fd, wanted)
            armed, wanted = wanted, reg.wanted  # code that interrupts this may let others enter: arm theirs, too

    def rearm(self) -> None:
        """Have the system report again what is ready: events may have been lost."""
        for reg in tuple(self.regs.values()):
            self.rearm_one(reg)
        if self.poller.edge:
            self.poller.arm_edge(self.wakeup_fd, IN)
        else:
            self.poller.arm_once(self.wakeup_fd, IN)

    def rearm_one(self, reg: Registration) -> None:
        """Have what is ready reported, again."""
        try:
            if reg.edge:
                self.poller.arm_edge(reg.fd)
            else:
                self._arm_wanted(reg)
        except OSError:  # closed behind our back
            self.forget(reg.fd)

    def wait_raw(self, fd: int, task: Task, mask: int, deadline: float | None) -> int:
        """Like `wait`, one-shot, for a descriptor that may have other users. Always ready (a file): `mask` at once."""
        events = self._wait_joined(task, ((fd, mask),), deadline, mask)
        return 0 if events is TIMED_OUT else events

    def _settle(self, reg: Registration) -> None:
        if reg.wanted:
            self.rearm_one(reg)
        else:
            if reg.owner is None:
                self._drop(reg)
            self.poller.disarm(reg.fd)
            if (later := self.regs.get(reg.fd)) is not None:  # code that has interrupted this waits for it
                self.rearm_one(later)

    def forget(self, fd: int, only: Registration | None = None) -> None:
        """`fd` is about to be closed: wake its waiters with EBADF and leave the poller. Idempotent.

        Args:
            only: do it only for this registration; the number may be another file's by now.
        """
        reg = self.regs.get(fd)
        if reg is None or (only is not None and reg is not only):
            return
        del self.regs[fd]
        self.poller.disarm(fd)
        reg.end()

    def waiting(self) -> bool:
        """True when a task waits for any descriptor."""
        # No generator: this runs before every sleep, and mostly the first registration has a waiter.
        for reg in self.regs.values():  # noqa: SIM110  # see above
            if reg.readers or reg.writers:
                return True
        return False

    def clear(self, poller: Poller) -> None:
        """Start afresh on another poller (after fork)."""
        self.regs.clear()
        self.to_recheck.clear()  # their timer has stayed in the parent
        self.poller = poller


@double
def dispatch(registry: Registry, events: list[tuple[int, int]]) -> None:
    """Wake the tasks that wait for these events of a registry's descriptors. In the hub."""
    regs = registry.regs
    for fd, mask in events:
        reg = regs.get(fd)
        if reg is None:
            if fd == registry.wakeup_fd:
                registry.notified = True
            continue
        reg.drained = False
        if mask & (PRI | RDHUP | HUP | ERR | NVAL):
            reg.stream = False
            if mask & NVAL:  # so poll(2) reports a closed descriptor; epoll_ctl(2) fails with EBADF
                registry.forget(fd)
                continue
        if mask & READ:
            reg.read_news = True
            if reg.readers:
                reg.readers.unpark_all(mask)
        if mask & WRITE:
            reg.write_news = True
            if reg.writers:
                reg.writers.unpark_all(mask)
        if not reg.edge and reg.wanted:
            registry.rearm_one(reg)
