"""`Keeper`: looks after connections when it is time, whatever their green threads do.

Facts: a timer for each connection would cost memory and a switch each time. A loop over all of them, once a second,
takes 50 ms with 100,000.
Decision: a heap of the times at which something may have to be done, one entry for a connection, and one timer, for the
earliest. A connection on which bytes came meanwhile is told so when it is its turn, and goes back into the heap.
"""

from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Protocol
from weakref import ref

from greening._core.current import current
from greening._core.fairness import fairness_tick
from greening._core.greenthread import spawn
from greening._core.hub import Hub
from greening._core.timers import Timer
from greening._originals import real_local

_SPACING = 0.02  # seconds between two sweeps, at least: those that are due meanwhile are done together


class Kept(Protocol):
    """What is looked after.

    Attributes:
        next_look: absolute hub time, in seconds; infinite: never. The keeper's.
    """

    next_look: float

    def look_after(self, now: float) -> float:
        """Do what is to be done at `now`, without waiting. Returns when to be called again; infinite: not at all."""
        ...


class Keeper:
    """That of an OS thread. See `keeper`. Times are absolute hub time, in seconds."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._heap: list[tuple[float, int, ref[Kept]]] = []
        self._order = count()
        self._kept = 0
        self._timer: Timer | None = None
        self._sweeping = False

    def keep(self, one: Kept, due: float) -> None:
        """Look after `one` until `release`; the first time at `due`."""
        self._kept += 1
        one.next_look = inf
        self.expect(one, due)

    def release(self, one: Kept) -> None:
        """Look after it no longer."""
        one.next_look = -inf
        self._kept -= 1
        if not self._kept:
            self._heap.clear()
            if self._timer is not None:
                self._timer.cancel()

    def expect(self, one: Kept, due: float) -> None:
        """Call its `look_after` at `due`, unless that happens earlier anyway."""
        if due < one.next_look:
            one.next_look = due
            heappush(self._heap, (due, next(self._order), ref(one)))
            if not self._sweeping:
                self._arm(due)

    def _arm(self, due: float) -> None:
        timer = self._timer
        if timer is None or not timer.pending or timer.when > due:
            if timer is not None:
                timer.cancel()
            self._timer = self.hub.call_at(due, self._ring)

    def _ring(self) -> None:
        self._sweeping = True
        sweep = spawn(self._sweep)
        sweep.name = "websocket keeper"

    def _sweep(self) -> None:
        """Body of a green thread."""
        heap = self._heap
        try:
            now = self.hub.now()
            while heap and heap[0][0] <= now:
                due, _, reference = heappop(heap)
                one = reference()
                if one is not None and one.next_look == due:
                    one.next_look = inf
                    again = one.look_after(now)
                    self.expect(one, max(again, now + _SPACING))
                del one
                fairness_tick()
        finally:
            self._sweeping = False
            if heap:
                self._arm(max(heap[0][0], now + _SPACING))


_thread = real_local()


def keeper() -> Keeper:
    """The keeper of this OS thread's hub."""
    hub = current().hub
    found: Keeper | None = getattr(_thread, "keeper", None)
    if found is None or found.hub is not hub:
        found = _thread.keeper = Keeper(hub)
    return found
