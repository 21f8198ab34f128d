"""The one entrance for other OS threads: a deque, and an eventfd that is written only while the hub sleeps.

Order matters. The sleeper sets `sleeping` and then looks into the deque once more; the poster appends and then looks at
`sleeping`. Whatever the interleaving, one of the two sees the other.
"""

import os
from collections import deque
from typing import Any

from greening._core.critical import uninterruptible
from greening._core.poller import high_duplicate
from greening._originals import RLock, os_close, os_eventfd, os_pipe, os_read, os_set_blocking, os_write

_ONE = (1).to_bytes(8, "little")


@uninterruptible
class Wakeup:
    """Inbox of a hub. `post` is thread-safe; everything else belongs to the hub."""

    __slots__ = ("_lock", "_reads", "_writes", "inbox", "sleeping")

    def __init__(self) -> None:
        # Keeps `notify` and `close` apart: after `close` the number of the eventfd may be another file's.
        # Re-entrant, since a signal handler or a finaliser may interrupt `notify` and call it.
        self._lock = RLock()
        self.inbox: deque[Any] = deque()
        self.sleeping = False
        if os_eventfd is not None:
            self._reads: int = os_eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            high = high_duplicate(self._reads)
            if high is not None:
                os_close(self._reads)
                self._reads = high
            self._writes = self._reads
        else:
            self._reads, self._writes = os_pipe()
            os_set_blocking(self._reads, False)
            os_set_blocking(self._writes, False)

    def fileno(self) -> int:
        """The descriptor that becomes readable when something was posted to a hub that sleeps."""
        return self._reads

    def post(self, item: Any) -> None:
        """Hand `item` to the hub: a task to make runnable, or a callable for the hub to call."""
        self.inbox.append(item)
        if self.sleeping:
            self.notify()

    def notify(self) -> None:
        """End the hub's sleep. Never blocks: a full counter means that the hub is notified already."""
        with self._lock:
            if self._writes < 0:
                return
            try:
                os_write(self._writes, _ONE)
            except (BlockingIOError, OSError):
                return

    def drain(self) -> None:
        """The hub is awake: reset the counter."""
        try:
            os_read(self._reads, 4096)
        except (BlockingIOError, OSError):
            return

    def after_fork(self) -> None:
        """In the child of a fork: another OS thread may have been in `notify` during the fork."""
        self._lock = RLock()

    def close(self) -> None:
        """Release the descriptors."""
        with self._lock:
            reads, writes = self._reads, self._writes
            self._reads = self._writes = -1
        if reads >= 0:
            os_close(reads)
            if writes != reads:
                os_close(writes)
