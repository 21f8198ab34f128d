"""A pool of native threads grows while all of them wait, and only then."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._core.current import get_hub
from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening._originals import monotonic
from greening.threads import growth, native
from greening.threads.native import NativePool, wait_gone


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[NativePool]:
    """Of 2 threads, which may become 6."""
    monkeypatch.setattr(growth, "STUCK", 0.01)
    pool = NativePool(2, most=6)
    yield pool
    assert get_hub().external_waits == 0
    wait_gone(pool.dismiss_idle())
    native._pools.remove(pool)


def test_the_call_that_frees_the_others_gets_a_thread(pool: NativePool, new_gate: Any) -> None:
    gate = new_gate()
    waiting = [spawn(pool.execute, gate) for _ in range(5)]
    while len(pool._backlog) < 3:
        sleep(0)
    assert pool.execute(str, 1) == "1"
    assert len(pool._alive) == 6
    gate.open()
    for thread in waiting:
        thread.wait()


def test_it_grows_up_to_its_bound(pool: NativePool, new_gate: Any) -> None:
    gate = new_gate()
    waiting = [spawn(pool.execute, gate) for _ in range(10)]
    while len(pool._alive) < 6:
        sleep(0.001)
    sleep(0.05)
    assert (len(pool._alive), len(pool._backlog)) == (6, 4)
    gate.open()
    for thread in waiting:
        thread.wait()


def test_threads_that_are_at_work_are_no_reason_to_grow(pool: NativePool) -> None:
    stop = False

    def compute() -> None:
        end = monotonic() + 20
        while not stop and monotonic() < end:
            pass

    busy = [spawn(pool.execute, compute) for _ in range(2)]
    waiting = spawn(pool.execute, str, 1)
    sleep(0.1)
    assert len(pool._alive) == 2
    stop = True
    for thread in (*busy, waiting):
        thread.wait()


def test_a_number_that_was_asked_for_is_kept(pool: NativePool, new_gate: Any) -> None:
    pool.resize(3)
    gate = new_gate()
    waiting = [spawn(pool.execute, gate) for _ in range(5)]
    gate.started.wait()
    sleep(0.05)
    assert len(pool._alive) == 3
    gate.open()
    for thread in waiting:
        thread.wait()


@pytest.mark.slow
def test_the_bound_comes_from_the_environment(run_program: Callable[..., Any]) -> None:
    program = """
import os, threading
from greening import spawn, sleep, tpool
opened = threading.Event()
waiting = [spawn(tpool.execute, opened.wait) for _ in range(3)]
sleep(0)
tpool.execute(opened.set)
for thread in waiting:
    thread.wait()
print("through")
"""
    size = {"GREENING_THREADPOOL_SIZE": "3"}
    assert run_program(program, env=size).stdout == "through\n"
    bad = run_program(program, env={"GREENING_THREADPOOL_MAX": "some"}, check=False)
    assert "GREENING_THREADPOOL_MAX='some'" in bad.stderr
    bound = {**size, "GREENING_THREADPOOL_MAX": "3"}
    late = program.replace("tpool.execute(opened.set)", "spawn(tpool.execute, opened.set)\nsleep(1)\nopened.set()")
    assert run_program(late, env=bound).stdout == "through\n"
