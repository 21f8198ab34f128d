"""A process watched for some seconds from a native thread: rates, delays, and where the time goes.

Facts: what a hub counts costs nothing, and tells how much it does, but not where. A native thread sees the running
frame of every OS thread as soon as it has the GIL; while a C function keeps the GIL it sees nothing, and then the line
that called it.
Decision: only while somebody watches, a native thread looks every 10 ms. Each look stands for the time since the last
one. A hub that has neither slept nor switched since then was held up by the line that it is at, and so was one that has
kept the GIL for longer. A call is posted to each hub: how long it takes to be made is the delay of the run queue.
"""

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from types import FrameType
from typing import Any

from greening._core.current import hubs
from greening._core.hub import Hub
from greening._core.switching import switches_of
from greening._originals import current_frames, monotonic, time_sleep
from greening.debug.frames import module_of
from greening.debug.numbers import (
    Group,
    HubStats,
    PoolStats,
    ProcessStats,
    QueueStats,
    Stats,
    cpu_of,
    place_of,
    stats,
    thread_name,
)
from greening.threads.native_job import NativeNumbers

INTERVAL = 0.01  # seconds between two looks
# Stands for numbers that nobody has asked for.
NOTHING = Stats(0, 0.0, (), (), (), (), ProcessStats(0, 0, 0, 0, 0, 0))
LONGEST = 10.0  # seconds that one question may take
# Seconds after which a running OS thread hands over the GIL, meanwhile. With CPython's own 5 ms a look would almost
# always find that a hub has just gone to sleep: only then the GIL is free.
SWITCH_INTERVAL = 0.0001
# Seconds between two posts to a hub: each wakes it, if it sleeps.
PROBE_INTERVAL = 0.1


@dataclass(slots=True)
class Spot:
    """A line at which a hub was seen at work.

    Attributes:
        place: the user's line: "app.py:12 in parse".
        seconds: that it was there. cpu: of those, with the processor. held: of those, in turns longer than a look.
    """

    place: str
    seconds: float = 0.0
    cpu: float = 0.0
    held: float = 0.0


@dataclass(slots=True)
class HubWatch:
    """What one hub did meanwhile.

    Attributes:
        thread, ident: as in `HubStats`.
        busy: seconds that it did not sleep. held: of those, in turns that took longer than a look.
        cpu: seconds of CPU time.
        ready_sum, ready_most, looks: of the run queue's length; `ready_sum / looks` is the average.
        delay: the longest time until a posted call was made, in seconds; so far, if that was not yet.
        spots: where it was at work.
    """

    thread: str
    ident: int
    busy: float = 0.0
    held: float = 0.0
    cpu: float = 0.0
    ready_sum: int = 0
    ready_most: int = 0
    looks: int = 0
    delay: float = 0.0
    spots: dict[str, Spot] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observation:
    """A process watched for some seconds.

    Attributes:
        seconds: how long.
        before, after: its numbers then. `before` may be those at the end of the observation before, or `NOTHING`.
    """

    seconds: float
    before: Stats
    after: Stats
    watches: tuple[HubWatch, ...]


class Watcher:
    """Looks at one hub again and again."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub = hub
        self.watch = HubWatch(name, hub.thread)
        self._counts = (hub.rounds, switches_of(hub))
        self._cpu = cpu_of(hub)
        self._posted = 0.0  # when the call was posted that has not been made yet; 0.0: none
        self._next_probe = 0.0

    def look(self, now: float, passed: float, frames: dict[int, FrameType]) -> None:
        """Note what the hub does, for the `passed` seconds up to `now`."""
        hub, watch = self.hub, self.watch
        ready = len(hub.ready)
        watch.looks += 1
        watch.ready_sum += ready
        watch.ready_most = max(watch.ready_most, ready)
        cpu = cpu_of(hub)
        used = max(0.0, cpu - self._cpu) if cpu >= 0 else 0.0
        self._cpu = cpu
        watch.cpu += used
        self._probe(now)
        counts = (hub.rounds, switches_of(hub))
        stood, self._counts = counts == self._counts, counts
        if not hub.awake_ident:
            return
        watch.busy += passed
        place = _place(frames.get(hub.thread))
        spot = watch.spots.setdefault(place, Spot(place))
        spot.seconds += passed
        spot.cpu += min(used, passed)
        # A look that comes too late had to wait for the GIL: the hub held it.
        held = passed if stood else max(0.0, passed - 2 * INTERVAL)
        watch.held += held
        spot.held += held

    def _probe(self, now: float) -> None:
        if self._posted:
            self.watch.delay = max(self.watch.delay, now - self._posted)
        elif now >= self._next_probe:
            self._posted, self._next_probe = now, now + PROBE_INTERVAL
            self.hub.post(self._arrived)

    def _arrived(self) -> None:
        """In the hub. It neither waits nor fails."""
        self.watch.delay = max(self.watch.delay, monotonic() - self._posted)
        self._posted = 0.0


def _place(frame: FrameType | None) -> str:
    """The line at which an OS thread is, or what it is at if that is none of the user's."""
    if place := place_of(frame):
        return place
    return "(the hub)" if frame is not None and module_of(frame).startswith("greening.") else "(the standard library)"


def observe(seconds: float, before: Stats | None = None, sleep: Callable[[float], object] = time_sleep) -> Observation:
    """Watch this process for some seconds.

    Args:
        seconds: how long.
        before: its numbers at an earlier moment; None: at the beginning.
        sleep: waits for so many seconds, without the GIL.
    Thread-safety: call it in a native thread: in a green thread it would hold up what it watches.
    """
    before = before or stats(containers=False)
    watchers: dict[Hub, Watcher] = {}
    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        begun = last = monotonic()
        while last - begun < seconds:
            sleep(min(INTERVAL, max(0.0, seconds - (last - begun))))
            now = monotonic()
            frames = current_frames()
            for hub in tuple(hubs):
                watcher = watchers.get(hub)
                if watcher is None:
                    watcher = watchers[hub] = Watcher(hub, thread_name(hub.thread))
                else:
                    watcher.look(now, now - last, frames)
            del frames
            last = now
    finally:
        sys.setswitchinterval(switch_interval)
    # Copies: what `stats` holds up is no delay of the program's.
    watches = tuple(replace(each.watch) for each in watchers.values())
    return Observation(last - begun, before, stats(containers=True), watches)


# As JSON


def as_plain(observation: Observation) -> dict[str, Any]:
    """It as JSON can hold it: dictionaries with the names of the fields."""
    return {
        "seconds": observation.seconds,
        "before": stats_as_plain(observation.before),
        "after": stats_as_plain(observation.after),
        "watches": [asdict(watch) for watch in observation.watches],
    }


def stats_as_plain(numbers: Stats) -> dict[str, Any]:
    """The same of the numbers of one moment."""
    return {**asdict(numbers), "native_pools": [pool._asdict() for pool in numbers.native_pools]}


def from_plain(plain: dict[str, Any]) -> Observation:
    """The opposite of `as_plain`."""
    watches = tuple(
        HubWatch(**{**watch, "spots": {place: Spot(**spot) for place, spot in watch["spots"].items()}})
        for watch in plain["watches"]
    )
    return Observation(plain["seconds"], _stats(plain["before"]), _stats(plain["after"]), watches)


def _stats(plain: dict[str, Any]) -> Stats:
    return Stats(
        plain["pid"],
        plain["time"],
        tuple(HubStats(**{**hub, "groups": tuple(Group(**group) for group in hub["groups"])}) for hub in plain["hubs"]),
        tuple(NativeNumbers(**pool) for pool in plain["native_pools"]),
        tuple(PoolStats(**pool) for pool in plain["pools"]),
        tuple(QueueStats(**queue) for queue in plain["queues"]),
        ProcessStats(**plain["process"]),
    )


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """What a program answers to `python -m greening top PID`: an observation, and its words (`sys.argv`).

    Args:
        question: `seconds` is how long to watch, no more than `LONGEST`. `again` is true if the asker has the numbers
            of the moment before, from the last answer: to count ten thousand green threads takes a tenth of a second.
    """
    seconds = min(LONGEST, float(question.get("seconds", 1.0)))
    observation = observe(seconds, NOTHING if question.get("again") else None)
    return {"command": sys.argv, "observation": as_plain(observation)}
