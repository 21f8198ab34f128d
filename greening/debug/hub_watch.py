"""What the watchdog knows of one hub: how long its running task has gone on, and what was seen of it."""

import os
from collections.abc import Callable
from typing import Final

from greening._core import deadlock
from greening._core.deadlock import idle_natives
from greening._core.hub import Hub
from greening._core.task import Task
from greening._originals import monotonic
from greening.debug.blocks import Block, Samples, computed
from greening.debug.calls import Call, call_of, call_without_frame, remedy_for
from greening.debug.samples import Sight, Use, see, use_of

# Seconds after which a block is told that goes on, at least; and in thresholds.
TOLD_AFTER: Final = 1.0
TOLD_AFTER_THRESHOLDS: Final = 5
# Part of the time since the last look that a turn must be old to be the turn of that look: clocks differ a little.
_SAME: Final = 0.99
_INSTRUMENTS = os.path.join(os.path.dirname(__file__), "")


class HubWatch:
    """What is known of one hub.

    Args:
        use: what its OS thread had used at the last look; None: unknown.

    Attributes:
        looked: when the hub was looked at last; age: how long its task had gone on then, in seconds; 0: it slept.
    """

    def __init__(self, hub: Hub, threshold: float, use: Use | None) -> None:
        self.hub = hub
        self.threshold = threshold
        self.looked = self.age = 0.0
        self.use = use  # at the last look
        self.base: Use | None = None  # at the last look before this turn
        # In this turn.
        self._imported, self._without_gil = False, 0.0
        self.samples: Samples | None = None
        self._task: Task | None = None  # that of the samples
        self.name = ""
        self.told: Block | None = None  # while it goes on

    def look(self, tell: Callable[[Block, bool], None], without_gil: float = 0.0) -> bool:
        """Look at the hub. `tell(block, goes on)` is called with what there is to tell. True: it blocks.

        Args:
            without_gil: seconds since the last look in which another OS thread had the GIL.
        """
        hub = self.hub
        now, age = _now_and_age(hub)
        # First: what gives up the GIL lets the green thread go on.
        sight = see(hub) if age >= self.threshold else None
        use = use_of(hub.native_id)
        same = self.age > 0 and age >= _SAME * (now - self.looked)
        if not same:
            self.close(tell)
            self.base = self.use
            self._imported, self._without_gil = False, 0.0
        self._without_gil += without_gil
        passed = now - self.looked if same and self.samples else age
        self.looked, self.age, self.use = now, age, use
        # Another process that has the processor is no block, and another OS thread that has the GIL is told by itself.
        if (
            sight is None
            or age - self._queued() - self._without_gil < self.threshold
            or not self._sample(sight, passed, same)
        ):
            return False
        if self.told is None and age >= max(TOLD_AFTER, TOLD_AFTER_THRESHOLDS * self.threshold):
            self.told = self.block(over=False)
            tell(self.told, False)
        return True

    def _used(self) -> Use | None:
        """What of the turn was on a processor, and what in the queue for one. None: unknown.

        What is known began at the last look before the turn. If that is more than the turn took, the rest was before.
        """
        if self.use is None or self.base is None:
            return None
        ran, queued = self.use.ran - self.base.ran, self.use.queued - self.base.queued
        share = min(1.0, self.age / max(ran + queued, 1e-9))
        return Use(share * ran, share * queued)

    def _queued(self) -> float:
        """Seconds of the turn in which others had the processors."""
        used = self._used()
        return 0.0 if used is None else used.queued

    def _sample(self, sight: Sight, seconds: float, same: bool) -> bool:
        """Note what was seen. False: it blocks nobody."""
        # The hub wakes up before its slice begins anew; and what waits for an instrument to begin or end is healthy.
        if (sight.task is None and not same) or sight.stack[-1].file.startswith(_INSTRUMENTS):
            return False
        if self.samples is None:
            if self._is_harmless(sight):
                return False
            self.samples, self._task = Samples(), sight.task
            self.name = sight.name
            self.samples.call, self.samples.modules = _called(sight)
        elif sight.task is not self._task:
            return False  # it is over, and the next slice has not begun
        self.samples.add(sight.stack, seconds)
        return True

    def _is_harmless(self, sight: Sight) -> bool:
        """True if the hub has nothing else to run, and is not the first of the program, or has imported meanwhile."""
        hub, task = self.hub, sight.task
        if hub.tasks() or (task is not None and task is not hub.main) or hub.timers.next_deadline() is not None:
            return False
        if hub.ready or hub.wakeup.inbox or hub.registry.waiting():
            return False
        self._imported = self._imported or any("importlib" in line.file for line in sight.stack)
        return self._imported or hub.thread != deadlock.first_thread

    def close(self, tell: Callable[[Block, bool], None]) -> None:
        """The turn that was seen last is over."""
        if self.samples is not None:
            told = self.told
            block = self.block(over=True)
            self.samples = self.told = None
            tell(block, told is not None)

    def block(self, over: bool) -> Block:
        """What has been seen of the block until now."""
        samples = self.samples
        assert samples is not None
        used = self._used()
        processor, queued = (None, 0.0) if used is None else used
        return Block(
            name=self.name,
            seconds=self.age,
            processor=processor,
            queued=queued,
            over=over,
            line=samples.line() if self.told is None else self.told.line,
            stack=samples.stack(),
            places=samples.places(),
            call=samples.call.text,
            remedy=remedy_for(samples.call, samples.modules, computed(self.age - queued, processor)),
        )


def _now_and_age(hub: Hub) -> tuple[float, float]:
    """The time, and the seconds that the running task has gone on; 0: the hub sleeps, or its OS thread has no work."""
    now = monotonic()
    return now, hub.slice_age() if hub.awake_ident and hub.native_id not in idle_natives else 0.0


def _called(sight: Sight) -> tuple[Call, list[str]]:
    """The call, and the modules of the innermost lines."""
    frame = sight.frame
    if frame is None:
        return call_without_frame(sight.function), []
    frames = (frame, frame.f_back)
    return call_of(frame, sight.lasti), [str(each.f_globals.get("__name__", "")) for each in frames if each is not None]
