"""A journal in Chrome's Trace Event Format, which Perfetto, chrome://tracing and speedscope open.

Source: the document "Trace Event Format" of the Chromium project. An event is a JSON object. `ph` is its phase: B
and E, the begin and the end of a slice; s and f, the two ends of an arrow; M, a name. `ts` is in microseconds. The
thread `tid` of the process `pid` is a track; the slices of a track do not overlap.

Here a track is a green thread, a hub, or a task of asyncio; a process is an OS thread. An arrow begins in the slice of
the waker at the moment of the wake-up, and ends where the woken task goes on.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from greening._core.journal import (
    AWAKE,
    BEGIN,
    END,
    FILE,
    HUB,
    NAME,
    POST,
    READY,
    ROUND,
    RUN,
    WAIT,
    WAIT_END,
    WAIT_FD,
    YIELD,
    Entry,
)
from greening.debug.asyncio_jobs import JOB_END, JOB_READY, JOB_RUN, JOB_WAIT
from greening.debug.reasons import Reason, readiness

Event = dict[str, Any]

# Linux numbers processes below this (proc(5), pid_max): an OS thread's "process" gets a number that is nobody's.
_PID_LIMIT: Final = 1 << 22

# Colours that chrome://tracing has names for.
_COLOURS: Final = {
    "running": "thread_state_running",
    "turn": "thread_state_running",
    "ready": "thread_state_runnable",
    "sleeps": "thread_state_sleeping",
}
_WAITING: Final = "thread_state_iowait"


@dataclass(frozen=True, slots=True)
class Names:
    """What the journal does not have.

    Attributes:
        pid: the process.
        program: its name.
        tasks: the names of tasks that live, by their numbers.
        hubs: the numbers of the hubs' own tasks, the first OS thread's first, with the names of their OS threads.
        hub_of: the hub of a task that lives.
        files: the two ends of sockets that are open, by their descriptors.
    """

    pid: int
    program: str
    tasks: Mapping[int, str]
    hubs: Mapping[int, str]
    hub_of: Mapping[int, int]
    files: Mapping[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Track:
    """A green thread, or a task of asyncio, as far as the journal has been read.

    Attributes:
        state: "": unknown; "running", "waiting", "ready", "ended".
        since: when that state began, in nanoseconds. For a task that is ready after a wait: when the wait began.
        readied: when the wait ended.
        what, args: of the slice of waiting. whom: the number of the task whose name takes the place of "{}" in it.
        arrow: the track and the moment of the wake-up.
    """

    number: int
    hub: int = 0
    name: str = ""
    state: str = ""
    since: int = 0
    readied: int = 0
    what: str = ""
    args: dict[str, Any] = field(default_factory=dict)
    whom: int = 0
    after: str = ""
    arrow: "tuple[int, int, int] | None" = None


class Format:
    """Reads a journal, entry by entry, and gives events. For one journal.

    Args:
        names: what the journal does not have.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._tracks: dict[int, _Track] = {}
        self._files: dict[int, str] = dict(names.files)
        self._hubs: dict[int, str] = dict(names.hubs)
        # By hub: the track that runs, and since when none does.
        self._runs: dict[int, int] = {}
        self._idle: dict[int, int] = {}
        # Hubs from whose next slice an arrow leads.
        self._wakers: set[int] = set()
        # By hub and track: the `pid` and `tid` of events.
        self._places: dict[tuple[int, int], dict[str, int]] = {}
        self._arrows = 0
        self._now = 0
        self._readers = {
            **dict.fromkeys((RUN, BEGIN), self._goes_on),
            **dict.fromkeys((YIELD, WAIT, WAIT_FD, WAIT_END, JOB_WAIT), self._parks),
            **dict.fromkeys((READY, POST), self._readied),
            **dict.fromkeys((AWAKE, ROUND), self._turns),
            **dict.fromkeys((END, JOB_END), self._ends),
            JOB_RUN: self._goes_on,
            JOB_READY: self._readied,
            FILE: self._file,
            HUB: self._hub,
            NAME: self._named,
        }

    def events(self, entries: Iterable[Entry]) -> Iterator[Event]:
        """The events of the trace. It ends with its last entry."""
        for entry in entries:
            self._now = max(self._now, entry[0])  # the counters of two processors may differ by a little
            _, kind, subject, *_ = entry
            # Code that interrupts a hub may wait under the hub's number.
            if subject not in self._hubs or kind in (AWAKE, ROUND, HUB):
                yield from self._readers[kind](*entry[1:])
        for track in self._tracks.values():
            yield from self._close(track)
        for hub, since in self._idle.items():
            yield from self._turn(hub, "sleeps", since)
        yield from self._metadata()

    # What an entry means

    def _track(self, number: int) -> _Track:
        track = self._tracks.get(number)
        if track is None:
            hub = self._names.hub_of.get(number, 0)
            track = self._tracks[number] = _Track(number, hub, self._names.tasks.get(number, ""))
        return track

    def _goes_on(self, kind: int, number: int, hub: int, how: int, label: Any) -> Iterator[Event]:
        track = self._track(number)
        track.hub = hub
        if kind in (BEGIN, JOB_RUN):
            track.name = label or track.name
        if track.state == "running":
            return
        yield from self._close(track)
        track.state, track.since = "running", self._now
        track.after = "timed out" if how == 1 else str(label) if how == 2 else ""
        if kind != JOB_RUN:
            yield from self._leaves(hub)
            self._runs[hub] = number
            since = self._idle.pop(hub, self._now)
            if hub in self._wakers:
                yield from self._turn(hub, "turn", since)

    def _leaves(self, hub: int) -> Iterator[Event]:
        """The track that ran, as far as is known, runs no longer: it has switched by itself, past the engine."""
        other = self._tracks.get(self._runs.pop(hub, 0))
        if other is not None and other.state == "running":
            yield from self._close(other)
            other.state = ""

    def _parks(self, kind: int, number: int, other: int, extra: int, label: Any) -> Iterator[Event]:
        track = self._track(number)
        # One that has not begun may wait, too, and a foreign greenlet, while another task runs as far as is known.
        if kind != JOB_WAIT and track.hub and self._runs.get(track.hub, number) == number:
            self._runs.pop(track.hub, None)
            yield from self._idles(track.hub)
        if track.state in ("running", ""):
            yield from self._close(track)
            track.since = self._now
        elif track.state == "ready":
            return  # it has not begun, and waits for what makes it begin
        track.what, track.args, track.whom = self._wait(kind, other, extra, label)
        track.state = "ready" if kind == YIELD else "waiting"
        track.readied = track.since
        track.arrow = None

    def _wait(self, kind: int, other: int, extra: int, label: Any) -> tuple[str, dict[str, Any], int]:
        """`what`, `args` and `whom` of a track that begins to wait."""
        if kind == WAIT_FD:
            file = self._files.get(other)
            known = f" ({file})" if file else ""
            return "waits: descriptor", {"for": f"descriptor {other}{known} to be {readiness(extra)}"}, 0
        if kind == WAIT_END:
            return "waits: green thread", {"for": "{} to end"}, other
        if kind == JOB_WAIT:
            return f"awaits: {label}", {}, 0
        if label is None:
            return "waits", {}, 0
        reason = Reason(*label)
        args = {"for": reason.sentence() + (", which {} holds" if reason.holder else "")}
        if reason.file:
            args["at"] = reason.place()
        return "sleeps" if reason.kind == "sleep" else f"waits: {reason.kind}", args, reason.holder

    def _readied(self, kind: int, number: int, other: int, extra: int, label: Any) -> Iterator[Event]:
        track = self._track(number)
        if track.state in ("running", "ready", "ended") or number == other:
            return
        if track.state == "":
            track.since = self._now
        track.state, track.readied = "ready", self._now
        track.arrow = self._wake_up(track, other, kind == POST)
        yield from ()

    def _wake_up(self, track: _Track, waker: int, posted: bool) -> "tuple[int, int, int] | None":
        """Where the arrow begins: the hub, the track, the moment. None: no slice is there."""
        by = self._tracks.get(waker)
        if by is not None:
            return (by.hub, waker, self._now) if by.state == "running" else None
        hub = track.hub or (next(iter(self._hubs)) if len(self._hubs) == 1 else 0)
        if waker or posted or hub not in self._idle:
            return None
        self._wakers.add(hub)
        return hub, hub, self._now

    def _ends(self, kind: int, number: int, hub: int, extra: int, label: Any) -> Iterator[Event]:
        track = self._track(number)
        track.hub, track.name = hub, label or track.name
        if track.state != "ended":
            yield from self._close(track)
        track.state = "ended"
        if kind == END:
            self._runs.pop(hub, None)
            yield from self._idles(hub)
        if extra:
            del self._idle[hub]

    def _idles(self, hub: int) -> Iterator[Event]:
        """No task of the hub runs from now on."""
        if hub in self._wakers and hub in self._idle:  # what was known of it was not all
            yield from self._turn(hub, "turn", self._idle[hub])
        self._idle[hub] = self._now

    def _turns(self, kind: int, hub: int, other: int, extra: int, label: Any) -> Iterator[Event]:
        if hub in self._runs:
            yield from self._leaves(hub)
        since = self._idle.get(hub)
        if since is not None:
            yield from self._turn(hub, "sleeps" if kind == AWAKE else "turn", since)
        self._idle[hub] = self._now

    def _turn(self, hub: int, name: str, since: int) -> Iterator[Event]:
        self._wakers.discard(hub)
        return self._slice(hub, hub, name, since, self._now)

    def _file(self, kind: int, fd: int, other: int, extra: int, label: Any) -> Iterator[Event]:
        self._files[fd] = str(label)
        yield from ()

    def _hub(self, kind: int, hub: int, main: int, extra: int, label: Any) -> Iterator[Event]:
        self._hubs.setdefault(hub, str(label))
        track = self._track(main)
        yield from self._close(track)  # in the Python source the number is that of the OS thread, which may come again
        track.hub, track.name = hub, track.name or "main greenlet"
        track.state, track.since = "running", self._now
        self._runs[hub] = main

    def _named(self, kind: int, number: int, hub: int, extra: int, label: Any) -> Iterator[Event]:
        track = self._track(number)
        track.hub, track.name = hub, str(label)
        yield from ()

    # Events

    def _close(self, track: _Track) -> Iterator[Event]:
        """What a track has done until now, as slices."""
        if track.state == "running":
            args = {"after": track.after} if track.after else {}
            arrow, track.arrow = track.arrow, None
            inside = () if arrow is None else self._arrow(arrow, track)
            yield from self._slice(track.hub, track.number, "running", track.since, self._now, args, inside)
        elif track.state == "waiting":
            yield from self._waiting(track, self._now)
        elif track.state == "ready":
            if track.readied > track.since:
                yield from self._waiting(track, track.readied)
            if self._now > track.readied:
                yield from self._slice(track.hub, track.number, "ready", track.readied, self._now)

    def _waiting(self, track: _Track, end: int) -> Iterator[Event]:
        args = track.args
        if track.whom:  # by now its name is known
            args = {**args, "for": args["for"].replace("{}", self._name(self._track(track.whom)))}
        return self._slice(track.hub, track.number, track.what, track.since, end, args)

    def _slice(
        self,
        hub: int,
        number: int,
        name: str,
        begin: int,
        end: int,
        args: dict[str, Any] | None = None,
        inside: Iterable[Event] = (),
    ) -> Iterator[Event]:
        # Two events: viewers add up `ts` and `dur` of one as floating-point numbers, which may not be the next `ts`.
        place = self._place(hub, number)
        colour = _COLOURS.get(name, _WAITING)
        first = {"ph": "B", **place, "ts": begin / 1000, "name": name, "cat": "greening", "cname": colour}
        yield {**first, "args": args} if args else first
        yield from inside
        yield {"ph": "E", **place, "ts": end / 1000, "name": name}  # speedscope finds the begin by the name

    def _arrow(self, begin: tuple[int, int, int], track: _Track) -> Iterator[Event]:
        hub, waker, when = begin
        self._arrows += 1
        inside = min(track.since + 1, self._now)  # in a nanosecond's distance from the slice before
        common = {"cat": "wake-up", "name": "wakes", "id": self._arrows}
        yield {"ph": "s", **self._place(hub, waker), "ts": when / 1000, **common}
        yield {"ph": "f", "bp": "e", **self._place(track.hub, track.number), "ts": inside / 1000, **common}

    def _place(self, hub: int, number: int) -> dict[str, int]:
        place = self._places.get((hub, number))
        if place is None:
            place = self._places[hub, number] = {"pid": self._pid(hub), "tid": len(self._places) + 1}
        return place

    def _pid(self, hub: int) -> int:
        position = list(self._hubs).index(hub) if hub in self._hubs else 0
        return self._names.pid + position * _PID_LIMIT

    def _name(self, track: _Track) -> str:
        return track.name or f"green thread {track.number}"

    def _metadata(self) -> Iterator[Event]:
        """The names of all tracks that have a slice."""
        for position, (hub, thread) in enumerate(self._hubs.items()):
            name = self._names.program if position == 0 else f"{self._names.program}, OS thread {thread}"
            for kind, value in (("process_name", {"name": name}), ("process_sort_index", {"sort_index": position})):
                yield {"ph": "M", "pid": self._pid(hub), "tid": 0, "ts": 0, "name": kind, "args": value}
        for (hub, number), place in self._places.items():
            name = "hub" if hub == number else self._name(self._track(number))
            index = 0 if hub == number else place["tid"]
            for kind, value in (("thread_name", {"name": name}), ("thread_sort_index", {"sort_index": index})):
                yield {"ph": "M", **place, "ts": 0, "name": kind, "args": value}
