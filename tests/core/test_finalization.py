"""The end of the interpreter and of OS threads: whole programs."""

import signal
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from greening import Event, Lock
from greening._compiled import accelerator
from greening._core import finalization
from greening._core.critical import Guard
from greening._core.current import get_hub, has_hub
from greening._core.task import PARKED, RUNNING
from greening._originals import allocate_lock, get_ident, real_local, start_new_thread

KINDS = (
    "recv",
    "queue",
    "event",
    "contended rlock",
    "sleep",
    "begun before the patch",
    "logging in tpool",
    "green threads that wait",
    "green threads that never wait for long",
    "thread pools",
)
# Without the accelerator the stack of such a thread is unwound by pthread_exit(3), up to 3.13.
COMPUTING = ("green threads that compute", "green threads that block")

can_stop_computing = pytest.mark.skipif(
    accelerator is None and sys.version_info < (3, 14), reason="needs the accelerator, or CPython 3.14"
)
kinds = pytest.mark.parametrize("kind", [*KINDS, *(pytest.param(kind, marks=can_stop_computing) for kind in COMPUTING)])


def end(run_program: Callable[..., Any], kind: str) -> None:
    done = run_program("ending_native_threads.py", kind, timeout=20)
    assert (done.stdout, done.stderr) == ("end of main\n", "")


@pytest.mark.slow
@kinds
def test_os_threads_that_wait_at_the_end_make_no_noise(run_program: Callable[..., Any], kind: str) -> None:
    for _ in range(20):
        end(run_program, kind)


def test_an_os_thread_that_receives_at_the_end(run_program: Callable[..., Any]) -> None:
    end(run_program, "recv")


LAST_CALLS = """\
recv: TimeoutError('timed out')
pool: 7
waitpid: True
green queue: Empty()
green event: None
queue: Empty()
semaphore: False
lock: False
condition: False
event: False
yield: None
green sleep: None
sleep: None
"""


def test_the_last_finalisers_wait_as_in_a_program_that_is_not_patched(run_program: Callable[..., Any]) -> None:
    done = run_program("ending_last_finaliser.py")
    assert (sorted(done.stdout.splitlines()), done.stderr) == (sorted(LAST_CALLS.splitlines()), "")


@pytest.mark.parametrize("kind", ["recv", "timeout", "green threads", "parked green threads", "tpool"])
def test_os_threads_that_end_leave_nothing_behind(run_program: Callable[..., Any], kind: str) -> None:
    run_program("ending_os_threads_leak.py", kind)


def test_functions_that_a_test_has_replaced_are_not_called(run_program: Callable[..., Any]) -> None:
    assert run_program("ending_mocked_stdlib.py").stdout == "still here\n"


def test_finalisers_that_wait_in_os_threads_end_before_those(run_program: Callable[..., Any]) -> None:
    run_program("ending_os_threads_finalisers.py")


def test_what_ends_after_the_hub_of_its_os_thread_blocks() -> None:
    """A value of another thread-local, which is freed later, waits in its finaliser."""
    local, held, seen = real_local(), Lock(), []
    held.acquire()
    ended = allocate_lock()
    ended.acquire()

    class Last:
        def __del__(self) -> None:
            seen.append((has_hub(), held.acquire(timeout=0.01)))
            ended.release()

    def run() -> None:
        get_hub()
        local.last = Last()

    start_new_thread(run, ())
    assert ended.acquire(True, 10)
    assert seen == [(False, False)]


def test_a_contended_lock_makes_no_hub_in_a_native_thread() -> None:
    hub, lock, timed_out, done = get_hub(), Lock(), Event(), Event()
    lock.acquire()
    told: list[bool] = []

    def body() -> None:
        told.append(lock.acquire(timeout=0.001))
        hub.post(timed_out.send)
        told.append(lock.acquire())
        told.append(has_hub())
        hub.post(done.send)

    start_new_thread(body, ())
    timed_out.wait()
    lock.release()
    done.wait()
    assert told == [False, True, False]


# The last moment, step by step, with hubs that only say that they were told


class Hub:
    """As much of a hub as is stopped. `thread`: its OS thread; `heeds`: whether it comes to hang when it is told."""

    def __init__(self, thread: int, *, heeds: bool = True, awake: bool = False) -> None:
        self.thread = thread
        self.awake_ident = thread if awake else 0
        self.halted = False
        self.switches_left = 100
        self.main = SimpleNamespace(state=PARKED)
        self._heeds = heeds
        self._enter: Any = None

    def post(self, hang: Callable[[], None]) -> None:
        assert self._enter is hang
        assert self.switches_left == 0
        self.halted = self._heeds


@pytest.fixture
def at_the_end(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the module does at the end, told in place of being done."""
    told = SimpleNamespace(hung=0, masked=[], woken=0, state=finalization._State())

    def hang() -> None:
        told.hung += 1

    def wake() -> None:
        told.woken += 1

    monkeypatch.setattr(finalization, "_state", told.state)
    monkeypatch.setattr(finalization, "_wait_for_ever", hang)
    monkeypatch.setattr(finalization, "resume_gc_for_good", wake)
    monkeypatch.setattr(finalization._signal, "pthread_sigmask", lambda how, signals: told.masked.append(how))
    for name in ("_PATIENCE", "_PATIENCE_AWAKE"):
        monkeypatch.setattr(finalization, name, 0.001)
    return told


def test_until_the_end_has_come_no_os_thread_hangs(at_the_end: SimpleNamespace) -> None:
    finalization.hang_if_it_has_come()
    at_the_end.state.thread = get_ident()
    finalization.hang_if_it_has_come()
    assert at_the_end.hung == 0


def test_when_it_has_come_every_other_os_thread_hangs_and_no_signal_ends_that(at_the_end: SimpleNamespace) -> None:
    at_the_end.state.thread = get_ident() + 1
    hub: Any = Hub(get_ident())
    finalization.hang_if_it_has_come()
    finalization.hang_if_it_has_come(hub)
    assert at_the_end.hung == 2
    assert at_the_end.masked == [signal.SIG_BLOCK] * 2
    assert hub.halted


def test_the_end_comes_when_atexit_frees_what_it_has_called(at_the_end: SimpleNamespace) -> None:
    hubs: list[Any] = [Hub(get_ident()), Hub(1), Hub(2, heeds=False, awake=True)]
    guard = Guard()
    last = finalization._Last(hubs, guard)
    last()
    assert at_the_end.state.thread == 0
    del last
    assert at_the_end.state.thread == get_ident()
    assert [hub.halted for hub in hubs] == [False, True, False]
    assert guard.is_owned(), "no OS thread ends in the middle of a step"
    assert at_the_end.woken == 1
    guard.__exit__()


def test_a_list_of_exit_functions_that_is_emptied_is_not_the_end(at_the_end: SimpleNamespace) -> None:
    last = finalization._Last([Hub(1)], Guard())  # type: ignore[list-item]  # as much of a hub as is used
    del last
    assert at_the_end.state.thread == 0


def test_an_os_thread_in_its_main_greenlet_can_leave_that_only_to_hang(at_the_end: SimpleNamespace) -> None:
    hub: Any = Hub(1)
    hub.main.state = RUNNING
    assert not finalization._has_halted(hub), "a round has just begun"
    assert finalization._has_halted(hub)
    hub.main.state = PARKED
    assert not finalization._has_halted(hub)
