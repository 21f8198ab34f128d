"""A deadlock at the end is told by the hook for errors, and has an exit status of its own."""

import io
import sys

import pytest

from greening.errors import Deadlock
from greening.threads.ending import Unflushable, ending_in_order, was_told


def deadlocked() -> None:
    raise Deadlock(["a: here"])


def test_it_is_told_by_the_hook_and_standard_error_cannot_be_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "last_value", None, raising=False)
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: told.append((kind, trace)))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    ending_in_order(deadlocked)()
    assert told == [(Deadlock, None)]
    with pytest.raises(OSError, match="deadlock"):
        sys.stderr.flush()
    assert sys.stderr.write("x") == 1


def test_what_was_told_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "last_value", Deadlock(), raising=False)
    monkeypatch.setattr(sys, "excepthook", None)
    assert was_told()
    stderr = sys.stderr
    ending_in_order(deadlocked)()
    assert sys.stderr is stderr


def test_other_errors_and_a_quiet_end_are_as_they_were() -> None:
    with pytest.raises(ZeroDivisionError):
        ending_in_order(lambda: 1 / 0)()
    ending_in_order(int)()


def test_the_stream_is_flushed_all_the_same() -> None:
    class Stream(io.StringIO):
        flushed = False

        def flush(self) -> None:
            self.flushed = True

    stream = Stream()
    with pytest.raises(OSError, match="deadlock"):
        Unflushable(stream).flush()
    assert stream.flushed
    assert not Unflushable(stream).closed


def test_without_standard_error_nothing_can_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "last_value", None, raising=False)
    monkeypatch.setattr(sys, "stderr", None)
    ending_in_order(deadlocked)()
    assert sys.stderr is None
