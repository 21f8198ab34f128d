"""The report of an exception that no code caught in a green thread."""

import sys
import threading
import traceback
from collections.abc import Callable
from types import SimpleNamespace, TracebackType
from typing import Any

import pytest

from greening._core.unhandled import REPORTS, hide_our_frames, report_unhandled, report_unraisable, without_ours
from greening.errors import Deadlock


def caught(error: BaseException) -> BaseException:
    """`error`, with a traceback."""
    try:
        raise error
    except BaseException as raised:
        return raised


def thread_named(name: str, thread_object: object = None) -> Any:
    return SimpleNamespace(name=name, thread_object=thread_object)


def test_the_hook_of_threading_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr("threading.excepthook", told.append)
    error, thread = caught(LookupError("lost")), thread_named("worker")
    report_unhandled(error, thread)
    (report,) = told
    assert (report.exc_type, report.exc_value, report.exc_traceback) == (LookupError, error, error.__traceback__)
    assert report.thread is thread


def test_standard_error_is_told_once_and_as_well_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(REPORTS, "to_stderr", True)
    monkeypatch.setattr("threading.excepthook", told.append)
    report_unhandled(caught(LookupError("twice")), thread_named("worker"))
    assert len(told) == capsys.readouterr().err.count("LookupError: twice") == 1
    monkeypatch.setattr("threading.excepthook", threading.__excepthook__)
    report_unhandled(caught(LookupError("once")), thread_named("worker"))
    assert capsys.readouterr().err.count("LookupError: once") == 1


def test_the_thread_object_is_named_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr("threading.excepthook", told.append)
    owner = object()
    report_unhandled(LookupError(), thread_named("worker", owner))
    assert told[0].thread is owner


def test_without_threading_a_traceback_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "threading")
    report_unhandled(caught(LookupError("lost")), thread_named("worker"))
    printed = capsys.readouterr().err
    assert "worker" in printed
    assert printed.endswith("LookupError: lost\n")


def test_the_failure_of_a_hook_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(args: object) -> None:
        raise ZeroDivisionError("of the hook")

    told: list[Any] = []
    monkeypatch.setattr("threading.excepthook", fail)
    monkeypatch.setattr("sys.unraisablehook", told.append)
    report_unhandled(LookupError(), thread_named("worker"))
    (report,) = told
    assert report.exc_type is ZeroDivisionError
    assert str(report.exc_value) == "of the hook"
    assert report.exc_traceback is report.exc_value.__traceback__
    assert report.object is fail


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_a_hook_that_wants_to_end_the_program_is_heard(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    def leave(args: object) -> None:
        raise kind

    monkeypatch.setattr("threading.excepthook", leave)
    with pytest.raises(kind):
        report_unhandled(LookupError(), thread_named("worker"))


def test_the_interpreters_own_hook_prints_what_it_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.unraisablehook", sys.__unraisablehook__)
    report_unraisable(caught(LookupError("lost")), "exception in a test", print)
    printed = capsys.readouterr().err
    assert printed.startswith("exception in a test: <built-in function print>\n")
    assert "LookupError: lost" in printed


def test_a_hook_for_unraisable_errors_may_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(args: object) -> None:
        raise ZeroDivisionError("of the hook")

    monkeypatch.setattr("sys.unraisablehook", fail)
    report_unraisable(LookupError("lost"), "exception in a test", print)
    assert capsys.readouterr().err.endswith("ZeroDivisionError: of the hook\n")


def test_a_broken_hook_of_threading_ends_no_program(run_program: Callable[..., Any]) -> None:
    done = run_program("""
import threading, greening
def broken(args): raise ZeroDivisionError("of the hook")
def fail(): raise LookupError("lost")
threading.excepthook = broken
thread = greening.spawn(fail)
greening.sleep(0)
assert thread.dead
""")
    assert "ZeroDivisionError: of the hook" in done.stderr


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The functions in the tracebacks that the program's hook is given."""
    shown: list[list[str]] = []

    def show(kind: object, error: object, trace: TracebackType | None) -> None:
        shown.append([frame.f_code.co_name for frame, _ in traceback.walk_tb(trace)])

    monkeypatch.setattr(sys, "excepthook", show)
    monkeypatch.setattr(sys, "last_traceback", None, raising=False)
    return shown


def show(error: BaseException) -> None:
    sys.excepthook(type(error), error, error.__traceback__)


def with_frames_of_greening(error: BaseException) -> None:
    """Raise `error` through a function that is in a module of greening."""

    def raises() -> None:
        raise error

    names: dict[str, Any] = {"__name__": "greening.somewhere"}
    exec("def call(function): function()", names)
    names["call"](raises)


def test_ctrl_c_and_a_deadlock_are_shown_without_the_frames_of_greening(hook: list[list[str]]) -> None:
    theirs = sys.excepthook
    for error in (KeyboardInterrupt(), Deadlock()):
        hide_our_frames()
        hide_our_frames()  # once is enough
        try:
            with_frames_of_greening(error)
        except BaseException as caught:
            show(caught)
        assert sys.excepthook is theirs
    assert all("call" not in names for names in hook)
    assert [names[-1] for names in hook] == ["raises", "raises"]


def test_other_errors_are_shown_as_they_are(hook: list[list[str]]) -> None:
    hide_our_frames()
    try:
        with_frames_of_greening(ValueError())
    except ValueError as caught:
        show(caught)
    assert "call" in hook[0]


def test_a_hook_that_the_program_sets_meanwhile_stays(hook: list[list[str]]) -> None:
    hide_our_frames()
    once = sys.excepthook
    sys.excepthook = mine = lambda *args: None
    once(ValueError, ValueError(), None)
    assert sys.excepthook is mine
    assert hook == [[]]


def test_a_traceback_of_ours_alone_is_left_as_it_is(hook: list[list[str]]) -> None:
    assert without_ours(None) is None
    hide_our_frames()
    show(KeyboardInterrupt())
    assert hook == [[]]


CTRL_C = """
import greening; greening.monkey_patch()
import os, queue, signal, sys, threading, time
def later(): time.sleep(0.01); os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=later).start()
def waits():
    {wait}
waits()
"""


@pytest.mark.parametrize(
    "wait",
    ["time.sleep(20)", "greening.Event().wait(20)", "queue.Queue().get(timeout=20)", "while True: time.sleep(0)"],
)
def test_ctrl_c_in_a_program_that_patches_itself_shows_the_programs_frames(
    run_program: Callable[..., Any], wait: str
) -> None:
    done = run_program(CTRL_C.format(wait=wait), check=False)
    assert done.returncode == -2
    assert done.stderr.endswith("KeyboardInterrupt\n")
    files = [line.split('"')[1] for line in done.stderr.split("\n") if line.startswith("  File ")]
    assert len(files) >= 2
    assert not [file for file in files if "greening" in file or "/patches/" in file]
