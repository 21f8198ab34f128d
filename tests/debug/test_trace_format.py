"""A journal becomes slices and arrows by the rules of the format."""

from typing import Any

from greening._core.journal import (
    AWAKE,
    BEGIN,
    END,
    FILE,
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
from greening._core.journal import HUB as HUB_BEGINS
from greening.debug.asyncio_jobs import JOB_END, JOB_READY, JOB_RUN, JOB_WAIT
from greening.debug.reasons import Reason
from greening.debug.trace_format import Format, Names
from tests.trace_rules import Told, check

HUB, MAIN = 1, 2
NAMES = Names(100, "app.py", {MAIN: "main greenlet"}, {HUB: "MainThread"}, {MAIN: HUB})


def told(*entries: tuple[Any, ...], names: Names = NAMES) -> Told:
    """Read a journal: (microsecond, kind, subject, other, extra, label), with zeros and None left out."""
    journal: list[Entry] = []
    for when, kind, subject, *rest in entries:
        other, extra, label = (*rest, *(0, 0, None)[len(rest) :])
        journal.append((int(when * 1000), kind, subject, other, extra, label))
    return check(Format(names).events(journal))


def test_a_green_thread_runs_waits_and_is_ready() -> None:
    found = told(
        (0, RUN, MAIN, HUB),
        (1, READY, 3, MAIN),
        (2, WAIT_END, MAIN, 3),
        (3, BEGIN, 3, HUB, 0, "GreenThread-1 (f)"),
        (5, WAIT, 3, 0, 0, Reason("queue", "an item of {}", ("Queue", 16), "", "", 0)),
        (9.5, READY, 3, 0),
        (10, ROUND, HUB),
        (11, RUN, 3, HUB),
        (12, READY, MAIN, 3),
        (13, END, 3, HUB, 0, "GreenThread-1 (f)"),
        (14, RUN, MAIN, HUB),
        (15, RUN, MAIN, HUB),
    )
    assert [(one.name, one.begin, one.end) for one in found.slices["GreenThread-1 (f)"]] == [
        ("ready", 1, 3),
        ("running", 3, 5),
        ("waits: queue", 5, 9.5),
        ("ready", 9.5, 11),
        ("running", 11, 13),
    ]
    assert found.slices["GreenThread-1 (f)"][2].args == {"for": "an item of Queue at 0x10"}
    assert found.names("main greenlet") == ["running", "waits: green thread", "ready", "running"]
    assert found.slices["main greenlet"][1].args == {"for": "GreenThread-1 (f) to end"}
    assert ("main greenlet", "running", "GreenThread-1 (f)", "running") in found.arrows
    assert ("GreenThread-1 (f)", "running", "main greenlet", "running") in found.arrows


def test_the_hub_sleeps_and_turns() -> None:
    found = told(
        (0, RUN, MAIN, HUB),
        (1, WAIT, MAIN, 0, 0, Reason("sleep", "1 seconds", None, "", "", 0)),
        (5, AWAKE, HUB),
        (6, READY, MAIN, 0),
        (7, ROUND, HUB),
        (8, RUN, MAIN, HUB, 1),
        (9, RUN, MAIN, HUB),
    )
    assert [(one.name, one.begin, one.end) for one in found.slices["hub"]] == [("sleeps", 1, 5), ("turn", 5, 7)]
    assert found.names("main greenlet") == ["running", "sleeps", "ready", "running"]
    assert found.slices["main greenlet"][3].args == {"after": "timed out"}
    assert found.arrows == [("hub", "turn", "main greenlet", "running")]


def test_a_wake_up_after_the_turn_leads_from_what_follows() -> None:
    """A finaliser has run between the hub's turn and the next task."""
    found = told(
        (0, RUN, MAIN, HUB),
        (1, WAIT, MAIN),
        (2, ROUND, HUB),
        (3, READY, MAIN, 0),
        (4, RUN, MAIN, HUB),
        (5, RUN, MAIN, HUB),
    )
    assert [(one.name, one.begin, one.end) for one in found.slices["hub"]] == [("turn", 1, 2), ("turn", 2, 4)]
    assert found.arrows == [("hub", "turn", "main greenlet", "running")]


def test_an_os_thread_ends_with_its_hub() -> None:
    """The next one may have the same ident, which is the number of its main task in the Python source."""
    names = Names(100, "app.py", {MAIN: "first"}, {HUB: "MainThread"}, {MAIN: HUB})
    found = told(
        (0, RUN, MAIN, HUB),
        (1, HUB_BEGINS, 11, 12, 0, "T"),
        (2, POST, 99, 12),
        (3, END, 12, 11, 1),
        (4, HUB_BEGINS, 21, 12, 0, "T"),
        (5, END, 12, 21, 1),
        (9, RUN, MAIN, HUB),
        names=names,
    )
    assert [(one.name, one.begin, one.end) for one in found.slices["main greenlet"]] == [("running", 4, 5)]
    assert found.processes.keys() == {"app.py", "app.py, OS thread T"}
    assert "hub" not in found.slices  # it does not sleep for ever


def test_what_runs_unseen_may_wake_others() -> None:
    """A task that delivers an error has thrown it into another greenlet: neither's turn was noted."""
    found = told(
        (0, RUN, MAIN, HUB),
        (1, WAIT_END, MAIN, 3),
        (2, READY, MAIN, 0),
        (3, END, 3, HUB, 0, "f"),
        (4, RUN, MAIN, HUB),
        (5, RUN, MAIN, HUB),
    )
    assert found.arrows == [("hub", "turn", "main greenlet", "running")]


def test_code_that_interrupts_a_hub_leaves_the_track_of_the_hub_alone() -> None:
    found = told(
        (0, RUN, MAIN, HUB),
        (1, WAIT, MAIN),
        (2, WAIT, HUB),
        (3, READY, HUB, 0),
        (4, RUN, HUB, HUB),
        (5, READY, MAIN, 0),
        (6, ROUND, HUB),
        (7, RUN, MAIN, HUB),
        (8, RUN, MAIN, HUB),
    )
    assert [(one.name, one.begin, one.end) for one in found.slices["hub"]] == [("turn", 1, 6)]


def test_one_that_lets_others_run_is_ready() -> None:
    found = told(
        (0, RUN, MAIN, HUB), (1, READY, MAIN, MAIN), (2, YIELD, MAIN), (5, RUN, MAIN, HUB), (6, RUN, MAIN, HUB)
    )
    assert [(one.name, one.begin, one.end) for one in found.slices["main greenlet"]] == [
        ("running", 0, 2),
        ("ready", 2, 5),
        ("running", 5, 6),
    ]
    assert found.arrows == []


def test_a_descriptor_is_told_by_the_file_that_it_was_then() -> None:
    found = told(
        (0, RUN, MAIN, HUB),
        (1, FILE, 7, 0, 0, "socket a to b"),
        (2, WAIT_FD, MAIN, 7, 1),
        (3, RUN, MAIN, HUB),
        (4, FILE, 7, 0, 0, "socket c to d"),
        (5, WAIT_FD, MAIN, 7, 4),
        (6, RUN, MAIN, HUB),
        (7, WAIT_FD, MAIN, 8, 1),
        (8, RUN, MAIN, HUB),
    )
    waits = [one.args["for"] for one in found.slices["main greenlet"] if one.name == "waits: descriptor"]
    assert waits == [
        "descriptor 7 (socket a to b) to be readable",
        "descriptor 7 (socket c to d) to be writable",
        "descriptor 8 to be readable",
    ]


def test_an_error_that_ends_a_wait_is_told() -> None:
    found = told((0, RUN, MAIN, HUB), (1, WAIT, MAIN), (2, RUN, MAIN, HUB, 2, "Timeout"), (3, RUN, MAIN, HUB))
    assert found.slices["main greenlet"][2].args == {"after": "Timeout"}


def test_a_wake_up_by_another_os_thread_leads_from_its_track() -> None:
    names = Names(100, "app.py", {MAIN: "main greenlet", 12: "other main"}, {HUB: "MainThread", 11: "T"}, {})
    found = told(
        (0, RUN, MAIN, HUB),
        (1, RUN, 12, 11),
        (2, WAIT, MAIN),
        (3, POST, MAIN, 12),
        (4, READY, MAIN, 0),
        (5, RUN, MAIN, HUB),
        (6, RUN, MAIN, HUB),
        names=names,
    )
    assert [(one.name, one.begin, one.end) for one in found.slices["main greenlet"]][1:3] == [
        ("waits", 2, 3),
        ("ready", 3, 5),
    ]
    assert found.arrows == [("other main", "running", "main greenlet", "running")]
    assert list(found.processes) == ["app.py", "app.py, OS thread T"]


def test_what_began_before_the_oldest_entry_is_not_made_up() -> None:
    """The ring has lost the begin of everything: slices begin with what is known, and arrows need both ends."""
    found = told(
        (0, WAIT, 5),
        (1, READY, 5, 4),
        (2, BEGIN, 6, HUB, 0, "b"),
        (3, END, 6, HUB, 0, "b"),
        (4, RUN, 5, HUB),
        (5, END, 5, HUB, 0, "a"),
        (6, END, 7, HUB, 0, "c"),
        (7, READY, 8, 9),
    )
    assert found.names("a") == ["waits", "ready", "running"]
    assert found.names("b") == ["running"]
    assert found.arrows == []
    assert "c" not in found.slices


def test_a_switch_past_the_engine_ends_the_slice() -> None:
    """A foreign greenlet has taken over, and parks. The green thread that made it does not run meanwhile."""
    found = told(
        (0, RUN, MAIN, HUB),
        (1, WAIT, 20),
        (2, BEGIN, 3, HUB, 0, "f"),
        (3, END, 3, HUB, 0, "f"),
        (4, RUN, 20, HUB),
        (5, WAIT, MAIN),
        (6, RUN, MAIN, HUB),
        (7, RUN, MAIN, HUB),
    )
    assert [(one.name, one.begin, one.end) for one in found.slices["main greenlet"]] == [
        ("running", 0, 2),
        ("waits", 5, 6),
        ("running", 6, 7),
    ]


def test_one_that_waits_before_it_begins_leaves_the_running_one_alone() -> None:
    found = told(
        (0, RUN, MAIN, HUB),
        (1, WAIT_FD, 3, 9, 1),
        (4, WAIT, MAIN),
        (5, ROUND, HUB),
        (5, READY, 3, 0),
        (6, BEGIN, 3, HUB, 0, "idle"),
        (7, END, 3, HUB, 0, "idle"),
    )
    assert next((one.name, one.begin, one.end) for one in found.slices["main greenlet"]) == ("running", 0, 4)
    assert found.names("idle") == ["waits: descriptor", "ready", "running"]


def test_times_never_go_back() -> None:
    """The counters of two processors may differ a little."""
    found = told((0, RUN, MAIN, HUB), (5, WAIT, MAIN), (4.9, RUN, MAIN, HUB), (6, RUN, MAIN, HUB))
    assert [one.end - one.begin >= 0 for one in found.slices["main greenlet"]] == [True, True, True]


def test_tasks_of_asyncio_have_tracks_beside_the_green_thread_of_their_loop() -> None:
    job, other = 1 << 40, (1 << 40) + 1
    found = told(
        (0, RUN, MAIN, HUB),
        (1, JOB_READY, job, MAIN),
        (2, JOB_RUN, job, HUB, 0, "Task-1 (main)"),
        (3, JOB_READY, other, job),
        (4, JOB_WAIT, job, 0, 0, "Queue.get"),
        (5, JOB_RUN, other, HUB, 0, "Task-2 (put)"),
        (6, JOB_READY, job, other),
        (7, JOB_END, other, HUB, 0, "Task-2 (put)"),
        (8, JOB_RUN, job, HUB, 0, "Task-1 (main)"),
        (9, JOB_END, job, HUB, 0, "Task-1 (main)"),
        (10, RUN, MAIN, HUB),
    )
    assert found.names("main greenlet") == ["running"]
    assert found.names("Task-1 (main)") == ["ready", "running", "awaits: Queue.get", "ready", "running"]
    assert ("Task-2 (put)", "running", "Task-1 (main)", "running") in found.arrows
    assert ("main greenlet", "running", "Task-1 (main)", "running") in found.arrows
