"""The switch from a task that parks to the next: members of the hub, in Python or compiled."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greening._compiled import accelerator, double
from greening._core.critical import pause_gc, resume_gc
from greening._core.journal import JOURNAL, ROUND, Ready
from greening._core.slices import ROUND_SECONDS, SLICE_SECONDS, TRIES
from greening._core.task import DEAD
from greening._originals import thread_time

if TYPE_CHECKING:
    from greening._core.runner import Runner
    from greening._core.task import Task

if accelerator is not None:
    accelerator.set_round(ROUND_SECONDS, SLICE_SECONDS, TRIES)


def switches_of(hub: "HubOps") -> int:
    """How often a hub has resumed a task so far."""
    return hub.switches + hub.granted - hub.switches_left


@double
class HubOps:
    """What every hub does all the time. `Hub` adds the rest.

    Attributes:
        ready: runnable tasks, in order. Always the same object.
        granted: what `switches_left` was when the round began.
        switches: how often a task was resumed before this round; with `granted - switches_left`, until now.
        rounds: how many rounds have begun, one in each turn of the loop.
        round_end, slice_end: hub time in seconds. (The accelerator keeps its own.)
        looked_up: hub time at which this OS thread's CPU time was read last; used_then: that CPU time, in seconds.
        unused: seconds without the processor since a slice was used up.
    """

    idle: "list[Runner]"
    main: "Task"
    ready: "Ready"
    runner_refs: Any
    runners: "set[Runner]"
    task: "Task"

    now: Callable[[], float]
    switches_left: int
    # Counted by round, so that a switch costs nothing more.
    granted = switches = rounds = 0
    timed: bool
    round_end = slice_end = 0.0
    looked_up = used_then = unused = 0.0
    _resting = False
    _enter: Callable[[], Any]

    def __new__(cls, *args: object, **kwargs: object) -> "HubOps":
        self = object.__new__(cls)
        self.ready = Ready()
        return self

    def switch(self) -> Any:
        """Leave the running greenlet for the next runnable task, or for the loop. Returns when it is resumed."""
        ready = self.ready
        if ready and self.turn_begins() and ready:
            # From here to the switch nothing is called that could run a finaliser.
            resume = ready[0].resume
            if resume is not None:
                del ready[0]
            else:
                resume = self._start_first()
            if resume is not None:
                self.switches_left -= 1
                return resume()
        return self._enter()

    def turn_begins(self) -> bool:
        """Whether the round goes on, by count and by time. If so, the next task begins a new slice."""
        now = self.now()
        if self.switches_left <= 0 or now >= self.round_end:
            return False
        self.slice_end = now + SLICE_SECONDS
        return True

    def _start_first(self) -> Callable[..., Any] | None:
        """Take the first runnable task and give it an idle runner. None: one of both is missing, or it is dead."""
        ready, idle = self.ready, self.idle
        if not ready or not idle:
            return None
        # No call from here on.
        task = ready[0]
        if task.state == DEAD or task.resume is not None:
            return None
        runner = idle[-1]
        del idle[-1], ready[0]
        runner._greening_task = task
        runner.gr_context = task.context
        task.resume = runner.resume
        return runner.resume

    def begin_round(self, turns: int) -> None:
        """Begin a round of runnable tasks. It ends after `turns` switches, or when its time is used up."""
        now = self.now()
        self.switches += self.granted - self.switches_left
        self.granted = self.switches_left = turns
        self.rounds += 1
        self.round_end = now + ROUND_SECONDS
        self.slice_end = now + SLICE_SECONDS
        if now - self.looked_up > ROUND_SECONDS:
            self.looked_up = now
            self.used_then = thread_time()
        if JOURNAL.on:
            JOURNAL.note(ROUND, self.task)

    def end_round(self) -> None:
        """Have the next task that parks go to the loop, which looks at descriptors and timers."""
        self.switches += self.granted - self.switches_left
        self.granted = self.switches_left = 0

    def pause_gc(self) -> None:
        """Stop the garbage collector until `resume_gc`. Idempotent. See critical."""
        if not self._resting:
            self._resting = True
            pause_gc()

    def resume_gc(self) -> None:
        """Undo `pause_gc`. Idempotent."""
        if self._resting:
            self._resting = False
            resume_gc()

    def begin_slice(self, now: float) -> None:
        """The running task begins a new slice at `now`: see fairness."""
        self.slice_end = now + SLICE_SECONDS

    def slice_age(self) -> float:
        """Seconds since the running task began its slice; 0 with a test's own clock. For any OS thread to ask."""
        return max(0.0, self.now() - self.slice_end + SLICE_SECONDS) if self.timed else 0.0
