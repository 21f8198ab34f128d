"""The end of the interpreter and of OS threads: whole programs."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from greening import Event, Lock
from greening._compiled import accelerator
from greening._core.current import get_hub, has_hub
from greening._originals import allocate_lock, real_local, start_new_thread

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
