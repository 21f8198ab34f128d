"""The hook that C code calls while it waits for the terminal: what it does, and that no error gets out of it."""

import _signal
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.poller import IN
from greening._originals import getsignal
from greening.fdio import inputhook
from greening.fdio.inputhook import _Hook


@pytest.fixture
def hook() -> Iterator[_Hook]:
    made = _Hook()
    yield made
    made.remove()


@pytest.fixture(autouse=True)
def _no_hook_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(inputhook, "_hooks", [])
    yield
    inputhook.remove()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the hook has waited for."""
    found: list[object] = []
    monkeypatch.setattr(inputhook, "wait_fd", lambda fd, mask: found.append((fd, mask)))
    monkeypatch.setattr(inputhook, "yield_now", lambda: found.append("turn"))
    return found


def called_by(module: str, call: Callable[[], object]) -> object:
    """Call from code of another module."""
    scope: dict[str, Any] = {"__name__": module, "call": call}
    exec("def caller(): return call()", scope)
    return scope["caller"]()


def test_a_hook_is_put_where_there_is_none_and_taken_away_if_it_is_ours(hook: _Hook) -> None:
    assert hook.install()
    assert not hook.install()
    other = _Hook()
    assert not other.install()  # tkinter may have one
    other.remove()
    assert hook._variable.value == hook._address
    hook.remove()
    assert not hook._variable.value


def test_the_module_has_one_hook() -> None:
    inputhook.remove()  # there is none yet
    assert inputhook.install()
    assert not inputhook.install()
    with inputhook.installed():
        assert inputhook._hook()._variable.value  # the one that was there, which stays
    assert inputhook._hook()._variable.value
    inputhook.remove()
    with inputhook.installed():
        assert inputhook._hook()._variable.value
    assert not inputhook._hook()._variable.value


def test_c_code_waits_in_it_for_standard_input(hook: _Hook, waits: list[object]) -> None:
    assert hook._function() == 0
    assert waits == [(0, IN)]


def test_a_prompt_written_in_python_has_others_take_a_turn(hook: _Hook, waits: list[object]) -> None:
    assert called_by("_pyrepl.reader", hook._calls.__next__) == 0
    assert waits == ["turn"]


def test_an_os_thread_without_a_hub_does_not_wait_in_it(hook: _Hook, waits: list[object]) -> None:
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.append(next(hook._calls)))
    thread.start()
    thread.join(5)
    assert got == [0]
    assert not waits


def test_others_run_in_it(hook: _Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    other = spawn(lambda: "ran")
    monkeypatch.setattr(inputhook, "wait_fd", lambda fd, mask: other.wait())
    assert hook._function() == 0
    assert other.dead


def test_a_terminal_that_is_gone_is_left_to_the_read(hook: _Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(fd: int, mask: int) -> None:
        raise OSError

    monkeypatch.setattr(inputhook, "wait_fd", gone)
    assert [hook._function(), hook._function()] == [0, 0]


def test_errors_that_meet_it_are_shown_and_it_goes_on(
    hook: _Hook, monkeypatch: pytest.MonkeyPatch, waits: list[object]
) -> None:
    shown: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: shown.append((kind, str(error), bool(trace))))

    def fail(fd: int, mask: int) -> None:
        raise SystemExit("not here")

    with monkeypatch.context() as patch:
        patch.setattr(inputhook, "wait_fd", fail)
        assert hook._function() == 0
    assert shown == [(SystemExit, "not here", True)]
    assert hook._function() == 0
    assert waits == [(0, IN)]


def test_a_hook_that_is_thrown_away_ends(hook: _Hook) -> None:
    calls = hook._answer()
    next(calls)
    calls.close()
    with pytest.raises(StopIteration):
        next(calls)


def test_an_interruption_is_sent_once_more_to_whatever_waits_in_c(hook: _Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    handled = threading.Event()
    got: list[object] = []

    def handler(signum: int, frame: object) -> None:
        got.append((signum, frame is not None, hook._variable.value == hook._address))
        handled.set()

    def interrupted(fd: int, mask: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(inputhook, "wait_fd", interrupted)
    before = signal.signal(signal.SIGINT, handler)
    try:
        assert hook.install()
        assert hook._function() == 0
        assert handled.wait(5)
        assert got == [(signal.SIGINT, True, True)]  # the hook is back when the handler runs
        assert getsignal(_signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("kind", "has_trace"), [(KeyboardInterrupt, False), (ValueError, True)])
def test_the_interruption_of_a_prompt_is_shown_without_a_traceback(
    kind: type[BaseException], has_trace: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[object, ...]] = []

    def theirs(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        shown.append((kind, error.__traceback__ is not None, trace is not None))

    monkeypatch.setattr(sys, "excepthook", theirs)
    inputhook._show_no_traceback()
    try:
        raise kind
    except kind as error:
        sys.excepthook(kind, error, error.__traceback__)
    assert shown == [(kind, has_trace, has_trace)]
    assert sys.excepthook is theirs  # for one error


def test_an_interpreter_with_a_prompt_is_interactive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys, "ps1", raising=False)
    assert not inputhook.is_interactive()
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    assert inputhook.is_interactive()
