"""Which task is next when a round ran out of time: by turns one that was left over, and one that came meanwhile.

Fact: thirty tasks that compute for 20 ms each take 600 ms. What a timer wakes must not wait for all of them, and what
timers wake all the time must not keep all of them waiting.
Decision: what came meanwhile is at the head of the queue. When it has used up the time of a round alone, one that was
left over is first in the next round, and what has not run then is left over like all. So a timer waits for two slices
at most, however long the queue is, and what was left over has every other slice at least. Thirty sockets that are ready
at once are behind the timers that are due by then.
"""

from typing import Any


class Latecomers:
    """Keeps the order of one hub's `ready` between rounds that run out of time.

    Attributes:
        waiting: how many are at the head that came after a round had run out of time.
    """

    __slots__ = ("_first", "_owed", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        # Whether they, and not one that was left over, are the first; whether the next round owes that to one.
        self._first = self._owed = False

    def round_ended(self, ready: Any, turns: int, overdue: bool) -> None:
        """So many tasks had their turn. `overdue`: there are more, and the time was up."""
        waiting = max(0, self.waiting - turns + (not self._first)) if overdue else 0
        self._owed = overdue and self._first and turns <= self.waiting
        if self._first:  # they had their chance: the others are left over like all
            ready.rotate(-waiting)
            waiting = 0
        self.waiting = waiting

    def timers_first(self, ready: Any, events: int, timers: int) -> None:
        """The last of `ready` are so many that descriptors woke, and then so many that timers did. See above."""
        ready.rotate(timers)
        due = [ready.popleft() for _ in range(timers)]
        ready.rotate(events)
        for task in reversed(due):
            ready.appendleft(task)
        ready.rotate(-timers - events)

    def let_pass(self, ready: Any, new: int) -> None:
        """After an overdue round: the last `new` of `ready` came meanwhile."""
        earlier = [ready.popleft() for _ in range(min(self.waiting, len(ready) - new))]
        ready.rotate(new)
        for task in reversed(earlier):
            ready.appendleft(task)
        waiting = self.waiting = len(earlier) + new
        self._first = waiting > 0 and not self._owed
        if waiting and not self._first and waiting < len(ready):
            ready.rotate(-waiting)
            left_over = ready.popleft()
            ready.rotate(waiting)
            ready.appendleft(left_over)
