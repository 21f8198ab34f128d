"""The order of tasks after a round that ran out of time: left-over tasks and latecomers take turns.

Fact: thirty tasks that compute for 20 ms each take 600 ms. What a timer wakes must not wait for all of them, and what
timers wake all the time must not keep all of them waiting.
Decision: latecomers go to the head of the queue. When they alone have used up a round, the next round begins with one
left-over task, and latecomers that have not run count as left over. So a timer waits for two slices at most, however
long the queue is, and left-over tasks have every other slice at least. Thirty sockets that are ready at once come
behind the timers that are due by then.
"""

from typing import Any


class Latecomers:
    """Keeps the order of one hub's `ready` between rounds that run out of time.

    Attributes:
        waiting: how many latecomers are at the head of the queue.
    """

    __slots__ = ("_first", "_owed", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        # Whether latecomers come first in this round; whether the next round owes that to a left-over task.
        self._first = self._owed = False

    def round_ended(self, ready: Any, turns: int, overdue: bool) -> None:
        """A round has ended after `turns` turns. `overdue`: its time was up, and runnable tasks are left."""
        waiting = max(0, self.waiting - turns + (not self._first)) if overdue else 0
        self._owed = overdue and self._first and turns <= self.waiting
        if self._first:  # those that have not run count as left over now
            ready.rotate(-waiting)
            waiting = 0
        self.waiting = waiting

    def timers_first(self, ready: Any, events: int, timers: int) -> None:
        """Swap the two groups at the end of `ready`.

        These are `events` tasks that descriptors woke, then `timers` tasks that timers woke.
        """
        ready.rotate(timers)
        due = [ready.popleft() for _ in range(timers)]
        ready.rotate(events)
        for task in reversed(due):
            ready.appendleft(task)
        ready.rotate(-timers - events)

    def let_pass(self, ready: Any, new: int) -> None:
        """After an overdue round: put the last `new` tasks of `ready`, all latecomers, behind earlier latecomers."""
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
