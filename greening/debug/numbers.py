"""`stats`: the numbers of a process at one moment. Nothing is counted for it beforehand but what hubs count anyway.

Facts: to describe what one green thread waits for takes tens of microseconds, and there may be ten thousand of them.
Green threads that are at the same line wait for the same kind of thing.
Decision: they are grouped by their function and line, and one of each group is asked.

Other OS threads go on meanwhile: their numbers may be some microseconds apart.
"""

import gc
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from resource import RLIMIT_NOFILE, getrlimit
from types import CodeType, FrameType
from typing import Any

from greening._core import deadlock
from greening._core.current import hubs
from greening._core.greenthread import GreenThread
from greening._core.hub import Hub
from greening._core.names import function_name, function_of
from greening._core.switching import switches_of
from greening._core.task import Task
from greening._originals import builtin_open, current_frames
from greening.debug.frames import is_machinery, is_programs
from greening.debug.snapshot import is_running
from greening.debug.waits import Seen, green_threads, wait_of
from greening.patcher.binding import anonymous
from greening.patcher.naming import Paths
from greening.pool.greenpool import GreenPool
from greening.sync.queue import LightQueue
from greening.threads.native import native_pools
from greening.threads.native_job import NativeNumbers


@dataclass(frozen=True, slots=True)
class Group:
    """Green threads of one hub that run the same function and are at the same line.

    Attributes:
        function: what they were spawned with: "fetch"; "": the main greenlet, and greenlets that greening did not make.
        place: the user's line: "app.py:12 in fetch"; "": they have not begun, or are in no function of the user's.
        state: what one of them waits for, one of `waits.KINDS`.
        count: how many.
        oldest: the age of the oldest, in seconds.
    """

    function: str
    place: str
    state: str
    count: int
    oldest: float


@dataclass(frozen=True, slots=True)
class HubStats:
    """One hub at one moment.

    Attributes:
        thread: the name of its OS thread. ident: `get_ident()` of that.
        asleep: whether it waits for events.
        rounds: turns of its loop so far.
        switches: how often a green thread was resumed so far.
        ready: the length of the run queue.
        green_threads: that have not ended, those that have not begun included.
        groups: the same by function, line and state, the largest first.
        descriptors: that it knows. waited: of those, with a green thread that waits.
        timers: that are not cancelled.
        native_calls: that are under way in other OS threads, and other things that it cannot see.
        runners: greenlets that green threads run on. idle_runners: of those, without one.
        cpu: CPU time of its OS thread so far, in seconds; -1.0: unknown.
    """

    thread: str
    ident: int
    asleep: bool
    rounds: int
    switches: int
    ready: int
    green_threads: int
    groups: tuple[Group, ...]
    descriptors: int
    waited: int
    timers: int
    native_calls: int
    runners: int
    idle_runners: int
    cpu: float


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A GreenPool at one moment. where: a path to it, "app.pool", if one is found."""

    where: str
    size: int
    running: int
    waiting: int


@dataclass(frozen=True, slots=True)
class QueueStats:
    """A queue of greening's at one moment.

    Attributes:
        where: a path to it, "app.jobs", if one is found. kind: its class.
        items: in it. maxsize: its places; None: it has no limit.
        putters, getters: green threads that wait.
        unfinished: items without `task_done` yet; 0: it does not count them.
    """

    where: str
    kind: str
    items: int
    maxsize: int | None
    putters: int
    getters: int
    unfinished: int


@dataclass(frozen=True, slots=True)
class ProcessStats:
    """What grows if something leaks.

    Attributes:
        open_files: descriptors of the process. files_limit: the most that it may have; -1: no limit.
        memory: bytes of it in main memory.
        threads: OS threads.
        objects: that the garbage collector knows. uncollectable: in `gc.garbage`.
    """

    open_files: int
    files_limit: int
    memory: int
    threads: int
    objects: int
    uncollectable: int


@dataclass(frozen=True, slots=True)
class Stats:
    """A process at one moment. time: of `time.monotonic()`, in seconds."""

    pid: int
    time: float
    hubs: tuple[HubStats, ...]
    native_pools: tuple[NativeNumbers, ...]
    pools: tuple[PoolStats, ...]
    queues: tuple[QueueStats, ...]
    process: ProcessStats


def stats(*, containers: bool = True) -> Stats:
    """The numbers of this process.

    It takes some microseconds for each green thread. With `containers` it looks through the whole heap as well, which
    takes from milliseconds to a second. It runs no foreign code, but for the `qsize` of derived queues.

    Args:
        containers: False: leave out `pools`, `queues` and the number of objects.
    Thread-safety: call it in any OS thread, also one without a hub. Other OS threads go on meanwhile.
    """
    moment = time.monotonic()
    of_hubs = tuple(_hub(hub) for hub in tuple(hubs))
    everything = gc.get_objects() if containers else []
    pools, queues = _containers(everything) if containers else ((), ())
    native = tuple(numbers for pool in native_pools() if (numbers := pool.numbers()).threads or numbers.calls)
    return Stats(os.getpid(), moment, of_hubs, native, pools, queues, _process(len(everything)))


# Hubs


def _hub(hub: Hub) -> HubStats:
    groups = _groups(hub)
    regs = tuple(hub.regs.values())
    return HubStats(
        thread=thread_name(hub.thread),
        ident=hub.thread,
        asleep=hub.awake_ident == 0,
        rounds=hub.rounds,
        switches=switches_of(hub),
        ready=len(hub.ready),
        green_threads=sum(group.count for group in groups if group.function),
        groups=groups,
        descriptors=len(regs),
        waited=sum(1 for reg in regs if reg.readers or reg.writers),
        timers=len(hub.timers),
        native_calls=hub.external_waits,
        runners=len(hub.runners),
        idle_runners=len(hub.idle),
        cpu=cpu_of(hub),
    )


def thread_name(ident: int) -> str:
    """The name of an OS thread."""
    thread: Any = getattr(sys.modules.get("threading"), "_active", {}).get(ident)
    if thread is not None:
        return str(thread.name)
    return "MainThread" if ident == deadlock.first_thread else f"OS thread {ident:#x}"


def cpu_of(hub: Hub) -> float:
    """CPU time of the OS thread of a hub so far, in seconds; -1.0: unknown, or it has ended."""
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(hub.thread)) if hub in hubs else -1.0
    except OSError:
        return -1.0


def _groups(hub: Hub) -> tuple[Group, ...]:
    seen = Seen((hub,))
    current = current_frames()
    members: dict[tuple[str, str, int], list[Task]] = {}
    places = Places()
    for task in (hub.main, *green_threads(hub)):
        frame = current.get(hub.thread) if is_running(task) else task.gr_frame
        key = (_function(task) if task is not hub.main else "", places.of(frame), task.state)
        members.setdefault(key, []).append(task)
    frame = None
    current.clear()  # the frame of this call is in it: a cycle that would keep all callers' variables
    groups = [
        Group(function, place, wait_of(tasks[0], seen).kind, len(tasks), max(map(_age, tasks)))
        for (function, place, _), tasks in members.items()
    ]
    return tuple(sorted(groups, key=lambda group: -group.count))


def _function(task: Task) -> str:
    """What a green thread was started with; of one that `threading` has started, the target, or the class."""
    thread = task.thread_object
    if thread is None:
        return function_of(task)
    return function_name(getattr(thread, "_target", None)) or type(thread).__qualname__


def _age(task: Task) -> float:
    return task.age() if isinstance(task, GreenThread) else 0.0


class Places:
    """The users' lines of many frames: each code object is looked at once."""

    def __init__(self) -> None:
        self._kinds: dict[CodeType, int] = {}
        self._texts: dict[tuple[CodeType, int], str] = {}

    def of(self, frame: FrameType | None) -> str:
        """See `place_of`."""
        library = None
        while frame is not None:
            kind = self._kind(frame)
            if kind == _PROGRAM:
                break
            if kind == _LIBRARY:
                library = library or frame
            frame = frame.f_back
        frame = frame or library
        if frame is None:
            return ""
        key = frame.f_code, frame.f_lineno or 0
        text = self._texts.get(key)
        if text is None:
            name = os.path.basename(key[0].co_filename)
            text = self._texts[key] = f"{name}:{key[1]} in {key[0].co_qualname}"
        return text

    def _kind(self, frame: FrameType) -> int:
        known = self._kinds.get(frame.f_code)
        if known is None:
            known = self._kinds[frame.f_code] = _kind_of(frame)
        return known


_PROGRAM, _LIBRARY, _MACHINERY = range(3)


def _kind_of(frame: FrameType) -> int:
    return _MACHINERY if is_machinery(frame) else _PROGRAM if is_programs(frame) else _LIBRARY


def place_of(frame: FrameType | None) -> str:
    """The innermost line of the user's: "app.py:12 in fetch"; "": there is none.

    What a library that was installed does on its behalf counts for it: the line that waits for a database, and not one
    in its driver.
    """
    return Places().of(frame)


# Pools and queues


def _way_to(thing: object, paths: Paths) -> str:
    """A path, or what it is. One by the globals of a function goes through ours: a module leads to its own itself."""
    way = paths.of(thing)
    return anonymous(thing) if ".__globals__[" in way else way


def _containers(everything: Iterable[object]) -> tuple[tuple[PoolStats, ...], tuple[QueueStats, ...]]:
    """Those that the garbage collector knows. They cost nothing until they are asked for."""
    kinds = {kind for base in (GreenPool, LightQueue) for kind in _family(base)}
    found: list[Any] = [thing for thing in everything if type(thing) in kinds]
    paths = Paths()
    pools = [
        PoolStats(_way_to(pool, paths), pool.size, pool.running(), pool.waiting())
        for pool in found
        if isinstance(pool, GreenPool)
    ]
    queues = [
        QueueStats(
            _way_to(queue, paths),
            type(queue).__qualname__,
            queue.qsize(),
            queue.maxsize,
            queue.putting(),
            queue.getting(),
            getattr(queue, "unfinished_tasks", 0),
        )
        for queue in found
        if isinstance(queue, LightQueue)
    ]
    return tuple(sorted(pools, key=lambda pool: pool.where)), tuple(sorted(queues, key=lambda queue: queue.where))


def _family(kind: type) -> set[type]:
    """A class and all that are derived from it."""
    derived: list[type] = type.__subclasses__(kind)
    return {kind}.union(*map(_family, derived))


# The process


def _process(objects: int) -> ProcessStats:
    return ProcessStats(
        open_files=len(os.listdir("/proc/self/fd")) - 1,  # that of the list itself
        files_limit=getrlimit(RLIMIT_NOFILE)[0],
        memory=_memory(),
        threads=len(os.listdir("/proc/self/task")),
        objects=objects,
        uncollectable=len(gc.garbage),
    )


def _memory() -> int:
    with builtin_open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
