"""`Budget`: memory for messages that have not come whole yet, or have swollen, of all connections together.

Facts: a message may be 8 MiB, and a thousand connections may each have one that never ends. A deflated message inflates
to a thousand times of what was sent.
Decision: an unfinished message is kept as it was sent, deflated. A message is inflated when it has come whole. One that
inflates to more than a piece waits for its turn, so that one such message at a time grows. One that has swollen out of
proportion counts until its connection takes the next one: a handler's variable refers to it so long. What all of them
take up is limited, and the connection that takes up most gives way.
"""

from typing import Protocol

from greening._originals import allocate_lock
from greening.sync.lock import Lock

DEFAULT_BUDGET = 64 << 20  # bytes


class Holder(Protocol):
    """A connection."""

    thread: int

    def give_way(self) -> None:
        """Drop the unfinished message, and end the connection without waiting."""
        ...


class Budget:
    """Bytes that unfinished and swollen messages may take up together. The connections of a process share
    `PROCESS_BUDGET`.

    When there is not enough, the connection that takes up most is closed with code 1013. Connections of other OS
    threads are counted, and left alone.

    Args:
        limit: bytes. It can be set later, too.
    Attributes:
        inflating: has to be held by what inflates a large message.
    Raises:
        ValueError: a limit below 1.
    Thread-safety: complete.
    """

    def __init__(self, limit: int = DEFAULT_BUDGET) -> None:
        self.limit = limit
        self.inflating = Lock()
        self._lock = allocate_lock()
        self._sizes: dict[Holder, int] = {}
        self._used = 0

    @property
    def limit(self) -> int:
        """Bytes."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"a budget has at least one byte, not {limit}")
        self._limit = limit

    @property
    def used(self) -> int:
        """Bytes that are taken up now."""
        return self._used

    def hold(self, holder: Holder, size: int) -> None:
        """Say that the messages of `holder` take up `size` bytes; 0: there are none any more.

        Others of the same OS thread may be told to give way, or `holder` itself.
        """
        with self._lock:
            self._used += size - self._sizes.pop(holder, 0)
            if size:
                self._sizes[holder] = size
        while self._used > self._limit:
            with self._lock:
                mine = [(held, one) for one, held in self._sizes.items() if one.thread == holder.thread]
            if not mine:
                break
            largest = max(mine, key=lambda pair: pair[0])[1]
            self.hold(largest, 0)
            largest.give_way()


PROCESS_BUDGET = Budget()
