"""The report of an exception that no code caught in a green thread."""

import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from greening._core.unhandled import REPORTS, report_unhandled, report_unraisable


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
