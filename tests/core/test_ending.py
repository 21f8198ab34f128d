"""The end of the interpreter and of OS threads: whole programs."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from greening._compiled import accelerator

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
