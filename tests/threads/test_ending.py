"""A deadlock at the end is told by the hook for errors, and has an exit status of its own."""

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

from greening._core.deadlock import SETTINGS
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
    monkeypatch.setattr(SETTINGS, "grace", 5.0)
    assert was_told()
    stderr = sys.stderr
    ending_in_order(deadlocked)()
    assert sys.stderr is stderr
    assert SETTINGS.grace == 0, "the same signals are not waited for again"


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


DEADLOCK = """
import greening; greening.monkey_patch()
import sys, threading
threading.Thread(target=threading.Event().wait).start()
"""


@pytest.mark.parametrize("end", ["sys.stderr.close()", "sys.stderr = None"])
def test_the_exit_status_tells_it_also_without_standard_error(run_program: Callable[..., Any], end: str) -> None:
    assert run_program(DEADLOCK + end, check=False).returncode == 120


INTERRUPTED = """
import greening; greening.monkey_patch()
import os, signal, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)
def interrupt():
    threading.main_thread().join()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)
threading.Thread(target=interrupt).start()
"""


def test_ctrl_c_at_the_end_is_told_without_our_frames(run_program: Callable[..., Any]) -> None:
    done = run_program(INTERRUPTED)
    assert "KeyboardInterrupt" in done.stderr
    assert "in _shutdown" in done.stderr
    assert "greening" not in done.stderr
