"""The journal: what tasks did, in both builds the same."""

import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from greening import Event, GreenletExit, GreenThread, Timeout, sleep, spawn
from greening._compiled import accelerator
from greening._core import journal
from greening._core.current import current, get_hub
from greening._core.journal import (
    AWAKE,
    BEGIN,
    END,
    FILE,
    JOURNAL,
    POST,
    READY,
    ROUND,
    RUN,
    WAIT,
    WAIT_END,
    WAIT_FD,
    YIELD,
    Entry,
    Ready,
)
from greening._core.poller import IN
from greening.net.socket import GreenSocket
from greening.testing import settle

ROOT = Path(__file__).resolve().parent.parent.parent


def nothing() -> str:
    return "reason"


@contextmanager
def recording(room: int = 10_000, reason: Callable[[], Any] = nothing) -> Iterator[list[Entry]]:
    """Fills the list when the body ends."""
    entries: list[Entry] = []
    get_hub()
    JOURNAL.begin(room, reason)
    try:
        yield entries
        JOURNAL.end()
        entries += (JOURNAL[index] for index in range(len(JOURNAL)))
    finally:
        JOURNAL.clear()


def of(entries: list[Entry], task: Any) -> list[tuple[int, int, int, Any]]:
    """The kinds of the entries of a task, with the rest."""
    number = JOURNAL.number(task)
    return [tuple(entry[1:2] + entry[3:]) for entry in entries if entry[2] == number]  # type: ignore[misc]


def kinds(entries: list[Entry], task: Any) -> list[int]:
    return [kind for kind, *_ in of(entries, task)]


def test_nothing_is_noted_while_it_is_off() -> None:
    spawn(nothing).wait()
    assert not JOURNAL.on
    assert len(JOURNAL) == 0
    assert "append" not in vars(Ready)


def test_the_life_of_a_green_thread() -> None:
    event = Event()
    with recording() as entries:
        thread = spawn(event.wait)
        settle()
        event.send("x")
        thread.wait()
    me, hub = JOURNAL.number(current()), JOURNAL.number(get_hub().task)
    assert of(entries, thread) == [
        (READY, me, 0, None),
        (BEGIN, hub, 0, thread.name),
        (WAIT, 0, 0, "reason"),
        (READY, me, 0, None),
        (RUN, hub, 0, None),
        (END, hub, 0, thread.name),
    ]


def test_the_wait_for_a_green_thread_names_it() -> None:
    with recording() as entries:
        thread = spawn(sleep)
        thread.wait()
    number = JOURNAL.number(thread)
    assert of(entries, current())[0] == (WAIT_END, number, 0, None)
    assert (READY, number, 0, None) in of(entries, current())
    assert kinds(entries, thread) == [READY, BEGIN, READY, YIELD, RUN, END]


def test_the_wait_for_a_descriptor_names_it() -> None:
    one, other = (GreenSocket(fileno=end.detach()) for end in socket.socketpair())
    with one, other, recording() as entries:
        thread = spawn(one.recv, 10)
        settle()
        other.send(b"x")
        thread.wait()
        fd = one.fileno()
    assert (WAIT_FD, fd, IN, None) in of(entries, thread)
    assert WAIT not in kinds(entries, thread)  # it is known already, and nobody is asked


def test_the_hub_wakes_what_waits_for_descriptors_and_time() -> None:
    with recording() as entries:
        thread = spawn(sleep, 0.001)
        thread.wait()
    woken = [entry for entry in of(entries, thread) if entry[0] == READY]
    assert woken[1:] == [(READY, 0, 0, None)]
    in_order = kinds(entries, get_hub().task)
    assert AWAKE in in_order
    assert ROUND in in_order[in_order.index(AWAKE) :]


def test_a_wake_up_by_another_os_thread_is_noted_there(in_os_thread: Callable[..., Any]) -> None:
    event = Event()
    with recording() as entries:
        thread = spawn(event.wait)
        settle()
        in_os_thread(event.send)
        thread.wait()
    assert kinds(entries, thread) == [READY, BEGIN, WAIT, POST, READY, RUN, END]


@pytest.mark.parametrize(("end", "how", "name"), [("timeout", 1, None), ("kill", 2, "GreenletExit")])
def test_how_a_wait_has_ended(end: str, how: int, name: str | None) -> None:
    event = Event()
    with recording() as entries:
        thread = spawn(event.wait, 0.001 if end == "timeout" else None)
        settle()
        if end == "kill":
            thread.kill()
        with suppress(GreenletExit):
            thread.wait()
    assert (RUN, JOURNAL.number(get_hub().task), how, name) in of(entries, thread)


def test_a_timeout_is_told_by_its_class() -> None:
    with recording() as entries, pytest.raises(Timeout), Timeout(0.001):
        Event().wait()
    assert (RUN, JOURNAL.number(get_hub().task), 2, "Timeout") in of(entries, current())


def test_the_reason_is_asked_in_the_task_that_parks() -> None:
    asked = []
    with recording(reason=lambda: asked.append(current())):
        thread = spawn(Event().wait, 0.001)
        thread.wait()
    assert thread in asked


def test_an_error_of_the_reason_ends_the_park() -> None:
    def fails() -> None:
        raise KeyboardInterrupt

    event = Event()
    with recording(reason=fails) as entries, pytest.raises(KeyboardInterrupt):
        event.wait()
    assert kinds(entries, current())[-1] == RUN
    event.send(1)  # it waits no longer, and can wait again
    assert spawn(event.wait).wait() == 1


def test_the_last_entries_are_kept() -> None:
    with recording(5) as entries:
        for number in range(100, 112):
            JOURNAL.note(FILE, number, 0, 0, str(number))
        assert JOURNAL.noted == 12
    assert [(entry[2], entry[5]) for entry in entries] == [(number, str(number)) for number in range(107, 112)]
    assert [entry[0] for entry in entries] == sorted(entry[0] for entry in entries)


def test_times_are_nanoseconds_since_the_begin() -> None:
    with recording() as entries:
        begin = time.monotonic()
        sleep(0.02)
        JOURNAL.note(FILE, 1)
        elapsed = time.monotonic() - begin
    assert 0.02e9 <= entries[-1][0] <= elapsed * 1e9 + 5e6


def test_labels_are_given_back() -> None:
    label = ("a label",)
    before = sys.getrefcount(label)
    with recording(2) as entries:
        for _ in range(10):
            JOURNAL.note(FILE, 1, 0, 0, label)
    assert len(entries) == 2
    entries.clear()
    assert sys.getrefcount(label) == before


def test_there_is_one_at_a_time_and_room_for_one_entry_at_least() -> None:
    with recording(), pytest.raises(RuntimeError, match="being written already"):
        JOURNAL.begin(10, nothing)
    with pytest.raises(ValueError, match="room for one entry at least, not for 0"):
        JOURNAL.begin(0, nothing)
    assert not JOURNAL.on


def test_a_name_that_raises_costs_nothing() -> None:
    class Named(GreenThread[Any]):
        __slots__ = ()

        @property
        def name(self) -> str:
            raise LookupError

    with recording() as entries:
        thread = Named(get_hub(), lambda: 7, (), {})  # type: ignore[arg-type]  # takes nothing
        get_hub().ready.append(thread)
        assert thread.wait() == 7
    assert next(entry for entry in of(entries, thread) if entry[0] == BEGIN)[3] == ""


@pytest.mark.skipif(accelerator is None, reason="there is one build only")
def test_both_builds_have_the_same_kinds_of_entries() -> None:
    header = (ROOT / "accelerator" / "accelerator.h").read_text(encoding="utf-8")
    names = re.search(r"enum \{ (NOTE_RUN[^}]*) \}", header)
    assert names is not None
    for number, name in enumerate(names[1].split(", ")):
        assert getattr(journal, name.removeprefix("NOTE_")) == number
