"""The switch from a task that parks to the next: members of the hub, in Python or compiled."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greening._compiled import accelerator
from greening._core.members import HubMembers
from greening._core.slices import ROUND_SECONDS, SLICE, SLICE_SECONDS, TRIES
from greening._core.task import DEAD
from greening._originals import thread_time

if TYPE_CHECKING or accelerator is None:

    class HubOps(HubMembers):
        """What is done with a hub all the time."""

        now: Callable[[], float]
        round_end: float
        slice_end: float
        turns: int
        looked_up: float
        used_then: float
        _enter: Callable[[], Any]

        def switch(self) -> Any:
            """Leave the running greenlet for the next runnable task, or for the loop. Returns when it is resumed."""
            ready = self.ready
            if ready and self.turns > 0:
                now = self.now()
                if now < self.round_end and ready:
                    # From here to the switch nothing is called that could run a finaliser.
                    resume = ready[0].resume
                    if resume is not None:
                        del ready[0]
                    else:
                        resume = self._start_first()
                    if resume is not None:
                        self.turns -= 1
                        end = self.slice_end = now + SLICE_SECONDS  # `begin_slice`, without its frame
                        SLICE.until = 0.0 if SLICE.shared else end
                        return resume()
            return self._enter()

        def _start_first(self) -> Callable[..., Any] | None:
            """Take the first runnable task and give it an idle carrier. None: there is none, or the task is dead."""
            ready, idle = self.ready, self.idle
            if not ready or not idle:
                return None
            # No call from here on.
            task = ready[0]
            if task.state == DEAD or task.resume is not None:
                return None
            carrier = idle[-1]
            del idle[-1], ready[0]
            carrier._greening_task = task
            carrier.gr_context = task.context
            task.resume = carrier.resume
            return carrier.resume

        def begin_round(self, turns: int, now: float) -> None:
            """From `now` on the runnable tasks have their turns, until a number of switches or the time is used up."""
            self.turns = turns
            self.round_end = now + ROUND_SECONDS
            if now - self.looked_up > ROUND_SECONDS:
                self.looked_up = now
                self.used_then = thread_time()

        def begin_slice(self, now: float) -> None:
            """A task is going to be resumed at `now`: see fairness."""
            end = self.slice_end = now + SLICE_SECONDS
            SLICE.until = 0.0 if SLICE.shared else end

else:
    HubOps = accelerator.HubMembers
    accelerator.set_round(ROUND_SECONDS, SLICE_SECONDS, TRIES)
