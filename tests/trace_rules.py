"""The rules of Chrome's Trace Event Format that viewers count on, and what a trace tells, for tests."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Event = dict[str, Any]
Track = tuple[int, int]


@dataclass(frozen=True)
class Slice:
    """A slice of a track. Times are microseconds."""

    name: str
    begin: float
    end: float
    args: dict[str, Any] = field(default_factory=dict)


@dataclass
class Told:
    """What a trace tells.

    Attributes:
        slices: of each track, by its name, in order.
        arrows: the names of the tracks at both ends, with the names of the slices there.
        processes: the names of the processes, with those of their tracks.
    """

    slices: dict[str, list[Slice]]
    arrows: list[tuple[str, str, str, str]]
    processes: dict[str, list[str]]

    def names(self, track: str) -> list[str]:
        return [one.name for one in self.slices[track]]


def load(path: Path) -> dict[str, Any]:
    """The document in a file."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    document = json.loads(text, parse_constant=refuse)
    assert isinstance(document, dict)
    return document


def check(events: Iterable[Event]) -> Told:
    """Check the rules, and read the events as a viewer does: by time, and in the order of the file at the same time."""
    events = list(events)
    for event in events:
        assert event["ph"] in ("B", "E", "s", "f", "M")
        assert type(event["pid"]) is int
        assert type(event["tid"]) is int
        assert event["ts"] >= 0
    names = _metadata(events, "thread_name")
    in_order = sorted((event for event in events if event["ph"] != "M"), key=lambda event: float(event["ts"]))
    slices = _slices(in_order)
    assert set(names) == set(slices), "each track has a name, and only tracks that are there have one"
    arrows = [
        (names[begin], _at(slices, begin, start), names[end], _at(slices, end, finish))
        for begin, start, end, finish in _arrows(in_order)
    ]
    processes: dict[str, list[str]] = {}
    process_names = {pid: name for (pid, _), name in _metadata(events, "process_name").items()}
    for (pid, _), name in names.items():
        processes.setdefault(process_names[pid], []).append(name)
    for pid in {pid for pid, _ in names}:
        of_process = [name for (other, _), name in names.items() if other == pid]
        assert len(of_process) == len(set(of_process)), f"two tracks of a process have one name: {of_process}"
    return Told({names[track]: found for track, found in slices.items()}, arrows, processes)


def _metadata(events: list[Event], kind: str) -> dict[Track, str]:
    found: dict[Track, str] = {}
    for event in events:
        if event["ph"] == "M" and event["name"] == kind:
            track = event["pid"], event["tid"]
            assert track not in found
            found[track] = event["args"]["name"]
    return found


def _slices(events: list[Event]) -> dict[Track, list[Slice]]:
    """The slices of each track: one ends before the next begins."""
    found: dict[Track, list[Slice]] = defaultdict(list)
    begun: dict[Track, Event] = {}
    for event in events:
        track = event["pid"], event["tid"]
        if event["ph"] == "B":
            assert track not in begun, f"{event} begins in {begun[track]}"
            begun[track] = event
        elif event["ph"] == "E":
            first = begun.pop(track)
            found[track].append(Slice(first["name"], first["ts"], event["ts"], first.get("args", {})))
    assert not begun, "each slice ends"
    return found


def _arrows(events: list[Event]) -> list[tuple[Track, float, Track, float]]:
    starts: dict[int, Event] = {}
    found = []
    for event in events:
        if event["ph"] == "s":
            assert event["id"] not in starts
            starts[event["id"]] = event
        elif event["ph"] == "f":
            start = starts.pop(event["id"])  # a viewer has to have met it before
            assert event["bp"] == "e"
            assert (event["cat"], event["name"]) == (start["cat"], start["name"])
            found.append(((start["pid"], start["tid"]), start["ts"], (event["pid"], event["tid"]), event["ts"]))
    assert not starts, "each arrow ends"
    return found


def _at(slices: dict[Track, list[Slice]], track: Track, when: float) -> str:
    """The name of the slice at a moment; of two, the one that has begun."""
    around = [one for one in slices.get(track, ()) if one.begin <= when <= one.end]
    assert around, f"an arrow is in no slice of its track at {when}"
    return around[-1].name
