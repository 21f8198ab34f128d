"""Pollers: what the operating system says about descriptors. They return events and call nothing.

Facts (epoll(7), Linux):
- An entry of an epoll set belongs to the open file description, and is keyed by description *and* descriptor number.
  Closing a number removes the entry only when no duplicate of it is left: so we remove an entry before we close a
  number.
- With EPOLLET an entry reports each change once. Adding (or modifying) an entry reports at once what is ready already.
- EPERM from `epoll_ctl` means a file that is always ready (a regular file, a directory).
- `epoll_wait` counts milliseconds. `select` on the epoll descriptor itself counts microseconds, so that short waits
use it.

Consequence: a socket is added once, edge-triggered, for both directions, and there is no `epoll_ctl` per wait. A raw
descriptor, which may have other users, is added one-shot for each wait.
"""

import errno
import os
from fcntl import F_DUPFD_CLOEXEC, fcntl
from typing import Protocol

from greening._compiled import accelerator
from greening._core.gil import GilShare
from greening._originals import epoll as _epoll
from greening._originals import poll as _poll
from greening._originals import select as _real_select

# Numbers for the engine's own descriptors.
#
# Facts: open(2) gives the lowest free number, and programs count on it (they close 0 and open a file; they sweep 3 to
# 255; they pass "the next two" to a child). Consequence: the engine's get numbers that a program with few descriptors
# does not use: from `FLOOR` on, where the limit allows.

# The lowest of these numbers: below the usual soft limit (1024), and low enough for select(2), for hundreds of hubs.
FLOOR = 512


def high_duplicate(fd: int) -> int | None:
    """Duplicate `fd` to a number from `FLOOR` on, closed on exec. None: there is no such number; keep `fd`."""
    try:
        return fcntl(fd, F_DUPFD_CLOEXEC, FLOOR)
    except OSError:
        return None


IN = 0x001
PRI = 0x002
OUT = 0x004
ERR = 0x008
HUP = 0x010
NVAL = 0x020
RDHUP = 0x2000
ONESHOT = 1 << 30
EDGE = 1 << 31

# Events that wake a reader, and those that wake a writer. An error or a hang-up wakes both: their next system call
# tells which it was.
READ = IN | PRI | RDHUP | HUP | ERR | NVAL
WRITE = OUT | HUP | ERR | NVAL
# What a descriptor that is armed once is asked for.
CHANGES = IN | PRI | OUT | RDHUP

# Errors of `arm_edge` and `arm_once` when the kernel has no room for another entry (epoll_ctl(2)): the user's limit is
# reached (/proc/sys/fs/epoll/max_user_watches), or there is no memory. Both pass.
NO_ROOM = (errno.ENOSPC, errno.ENOMEM)
# Seconds until arming is tried again: the kernel does not report that there is room.
ROOM_PAUSE = 0.02

# Seconds below which a wait gets microsecond precision: a millisecond too much would be more than five per cent.
_PRECISE = 0.020
# Seconds: the longest wait. The kernel counts milliseconds in an int; a longer wait is an OverflowError. The hub finds
# nothing due after it, and waits on.
_LONGEST = 1_000_000.0
# Events fetched per system call. libuv takes 1024; the array is allocated anew for each call, so keep it modest.
BATCH = 512
# The first descriptor number that is too high for select(2).
_FD_SETSIZE = 1024

# None without the accelerator, or without epoll.
_compiled_wait = getattr(accelerator, "wait_epoll", None)


class Poller(Protocol):
    """What the hub needs of the operating system. Not thread-safe: one poller belongs to one hub."""

    edge: bool
    """True when `arm_edge` works: an armed descriptor reports every change without being armed again."""

    def arm_edge(self, fd: int, mask: int = CHANGES) -> None:
        """Report every change of `fd` from now on, and at once what is ready already. PermissionError: always ready.

        Args:
            mask: the changes to report. An error or a hang-up is reported in any case.
        """
        ...

    def arm_once(self, fd: int, mask: int) -> None:
        """Report one event of `mask` for `fd`, then none until armed again. PermissionError: always ready."""
        ...

    def disarm(self, fd: int) -> None:
        """Forget `fd`. Never raises: the descriptor may be closed already."""
        ...

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        """Wait up to `timeout` seconds (None: for ever) and return (descriptor, events) pairs."""
        ...

    def fileno(self) -> int:
        """The descriptor of the poller itself; -1: it has none."""
        ...

    def close(self) -> None:
        """Release the poller's own descriptors."""
        ...


class EpollPoller:
    """Linux."""

    __slots__ = ("_epoll", "_fd", "_gil", "_known", "_poll")

    edge = True

    def __init__(self) -> None:
        assert _epoll is not None
        self._epoll = _epoll()
        high = high_duplicate(self._epoll.fileno())
        if high is not None:
            self._epoll.close()
            self._epoll = _epoll.fromfd(high)
        self._fd: int = self._epoll.fileno()
        self._poll = self._epoll.poll
        self._gil = GilShare()

    def fileno(self) -> int:
        """The epoll set itself: readable when something happened in it."""
        return self._fd

    def arm_edge(self, fd: int, mask: int = CHANGES) -> None:
        try:
            self._epoll.register(fd, mask | EDGE)
        except FileExistsError:
            # An entry of an earlier wait, or of a duplicate that was closed behind our back. Modifying reports afresh.
            self._epoll.modify(fd, mask | EDGE)

    def arm_once(self, fd: int, mask: int) -> None:
        mask = mask & (IN | PRI | OUT | RDHUP) | ONESHOT
        try:
            self._epoll.register(fd, mask)
        except FileExistsError:
            self._epoll.modify(fd, mask)

    def disarm(self, fd: int) -> None:
        try:
            self._epoll.unregister(fd)
        except (OSError, ValueError):
            return

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        if _compiled_wait is not None:
            return _compiled_wait(self._fd, timeout)  # type: ignore[no-any-return]
        self._gil.give_way()
        if timeout:
            if timeout < _PRECISE and self._fd < _FD_SETSIZE:
                _real_select([self._fd], (), (), timeout)
                timeout = 0
            elif timeout > _LONGEST:
                timeout = _LONGEST
        events: list[tuple[int, int]] = self._poll(timeout, BATCH)
        return events

    def close(self) -> None:
        self._epoll.close()
        self._fd = -1


class PortablePoller:
    """poll(2), for systems without epoll. Level-triggered, so that every wait arms its descriptor and every event
    disarms it.
    """

    __slots__ = ("_gil", "_masks", "_poll")

    edge = False

    def __init__(self) -> None:
        self._poll = _poll()
        self._masks: dict[int, int] = {}
        self._gil = GilShare()

    def arm_edge(self, fd: int, mask: int = CHANGES) -> None:
        raise NotImplementedError("poll(2) has no edge-triggered mode; the registry asks `edge` first")

    def arm_once(self, fd: int, mask: int) -> None:
        mask &= IN | PRI | OUT
        self._masks[fd] = mask
        self._poll.register(fd, mask)

    def disarm(self, fd: int) -> None:
        if self._masks.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        self._gil.give_way()
        events = self._poll.poll(None if timeout is None else min(timeout, _LONGEST) * 1000.0)
        for fd, _ in events:
            self.disarm(fd)
        return events

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        for fd in list(self._masks):
            self.disarm(fd)


def default_poller() -> Poller:
    """The best poller of this system. `GREENING_POLLER=poll` asks for the portable one."""
    if _epoll is None or os.environ.get("GREENING_POLLER") == "poll":
        return PortablePoller()
    return EpollPoller()
