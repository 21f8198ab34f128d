"""How many native threads there are, which are idle, and how they end: at exit, after a fork, in a deadlock."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

from greening._core.deadlock import idle_natives
from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening._originals import get_ident
from greening.threads import native
from greening.threads.native import NativePool, wait_gone

# How many


def test_threads_are_started_when_needed_and_used_again(pool: NativePool) -> None:
    assert not pool._alive
    idents = {pool.execute(get_ident) for _ in range(10)}
    assert len(idents) == 1
    assert len(pool._alive) == 1


def test_no_more_threads_than_size_and_first_come_first_served(pool: NativePool, new_gate: Any) -> None:
    gate = new_gate()
    order: list[int] = []
    busy = [spawn(pool.execute, gate) for _ in range(2)]
    waiting = [spawn(pool.execute, order.append, number) for number in range(10)]
    gate.started.wait()
    sleep(0)
    assert len(pool._alive) == 2
    assert len(pool._backlog) == 10
    gate.open()
    for waiter in (*busy, *waiting):
        waiter.wait()
    assert sorted(order) == list(range(10))
    assert order[0] in (0, 1)  # two serve the queue


def test_resize_upwards_serves_the_callers_that_wait(pool: NativePool, new_gate: Any) -> None:
    gate = new_gate()
    busy = [spawn(pool.execute, gate) for _ in range(2)]
    late = spawn(pool.execute, int, "7")
    gate.started.wait()
    sleep(0)
    assert pool._backlog
    pool.resize(3)
    assert late.wait() == 7
    gate.open()
    for waiter in busy:
        waiter.wait()


def test_resize_downwards(pool: NativePool, new_gate: Any, drain: Any) -> None:
    gate = new_gate()
    busy = [spawn(pool.execute, gate) for _ in range(2)]
    gate.started.wait()
    sleep(0)
    pool.resize(1)
    assert len(pool._alive) == 1
    gate.open()
    for waiter in busy:
        waiter.wait()
    drain()
    assert pool.execute(int, "7") == 7
    assert len(pool._alive) == 1


def test_size_0_makes_calls_on_the_spot_and_finishes_what_was_accepted(pool: NativePool, new_gate: Any) -> None:
    gate = new_gate()
    busy = [spawn(pool.execute, gate) for _ in range(2)]
    late = spawn(pool.execute, get_ident)
    gate.started.wait()
    sleep(0)
    pool.resize(0)
    assert pool.size == 0
    assert pool.execute(get_ident) == get_ident()
    gate.open()
    assert late.wait() != get_ident()
    for waiter in busy:
        waiter.wait()
    assert not pool._alive


def test_dismiss_all_lets_running_calls_end_and_serves_the_rest_with_new_threads(
    pool: NativePool, new_gate: Any, drain: Any
) -> None:
    gate = new_gate("done")
    busy = [spawn(pool.execute, gate) for _ in range(2)]
    late = spawn(pool.execute, int, "7")
    gate.started.wait()
    sleep(0)
    pool.dismiss_all()
    assert late.wait() == 7
    gate.open()
    assert [waiter.wait() for waiter in busy] == ["done", "done"]
    drain()


@pytest.mark.parametrize(("size", "error"), [(-1, ValueError), (1.5, TypeError), ("3", TypeError), (None, TypeError)])
def test_a_size_that_is_none(pool: NativePool, size: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        pool.resize(size)
    with pytest.raises(error):
        NativePool(size)
    assert pool.size == 2


def test_when_no_thread_is_to_be_had_the_call_is_made_on_the_spot(
    pool: NativePool, monkeypatch: pytest.MonkeyPatch, new_gate: Any
) -> None:
    def refuse(*args: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(native, "start_new_thread", refuse)
        assert pool.execute(get_ident) == get_ident()
    other = pool.execute(get_ident)
    assert other != get_ident()
    gate = new_gate()
    busy = spawn(pool.execute, gate)
    gate.started.wait()
    with monkeypatch.context() as patch:
        patch.setattr(native, "start_new_thread", refuse)
        late = spawn(pool.execute, get_ident)
        sleep(0)
        assert len(pool._backlog) == 1
        gate.open()
        assert late.wait() == other
    busy.wait()


# Idle threads


def test_idle_threads_are_known_as_such(pool: NativePool, new_gate: Any) -> None:
    gate = new_gate()
    waiter = spawn(pool.execute, gate)
    gate.started.wait()
    (worker,) = pool._alive
    assert worker.native_id not in idle_natives
    gate.open()
    waiter.wait()
    assert worker.native_id in idle_natives  # at once: it has entered before it told us
    wait_gone(pool.dismiss_idle())
    assert worker.native_id not in idle_natives


def test_an_idle_thread_leaves_after_a_while(pool: NativePool, monkeypatch: pytest.MonkeyPatch, new_gate: Any) -> None:
    monkeypatch.setattr(native, "IDLE_SECONDS", 0.01)
    gate = new_gate()
    waiter = spawn(pool.execute, gate)
    gate.started.wait()
    workers = list(pool._alive)
    gate.open()
    waiter.wait()
    wait_gone(workers)
    assert not pool._alive
    assert not pool._idle
    assert workers[0].native_id not in idle_natives
    assert pool.execute(int, "7") == 7


def test_a_deaf_pool_has_all_signals_blocked() -> None:
    pool = NativePool(1, block_signals=True)
    try:
        blocked = pool.execute(signal.pthread_sigmask, signal.SIG_BLOCK, ())
        assert {signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD} <= blocked
    finally:
        wait_gone(pool.dismiss_idle())
        native._pools.remove(pool)


# Whole programs


@pytest.mark.parametrize("idle_seconds", ["100", "0.05"])
def test_idle_threads_do_not_hide_a_deadlock(run_program: Callable[..., Any], idle_seconds: str) -> None:
    assert run_program("tpool_deadlock.py", idle_seconds).stdout == "deadlock 1\n"  # the main greenlet


def test_a_working_thread_is_no_deadlock(run_program: Callable[..., Any]) -> None:
    assert run_program("tpool_working_no_deadlock.py").stdout == "left\nwoken\n"


@pytest.mark.slow
@pytest.mark.parametrize("what", ["idle", "working", "green", "computing"])
def test_exit_waits_for_no_thread_and_prints_nothing(run_program: Callable[..., Any], what: str) -> None:
    done = run_program("tpool_exit.py", what, timeout=10, python_args=("-X", "dev"))
    assert (done.stdout, done.stderr) == ("end of main\n", "")


def test_calls_in_exit_handlers(run_program: Callable[..., Any]) -> None:
    done = run_program("tpool_exit.py", "at exit", python_args=("-X", "dev"))
    assert (done.stdout, done.stderr) == ("end of main\n7 8\n", "")


@pytest.mark.slow
def test_fork(run_program: Callable[..., Any]) -> None:
    assert run_program("tpool_fork.py").stderr == "ok\n"


def test_keyboard_interrupt(run_program: Callable[..., Any]) -> None:
    assert run_program("tpool_interrupt.py", "caught").stdout == "in main\nin main, again False\n"


def test_uncaught_keyboard_interrupt_ends_the_program(run_program: Callable[..., Any]) -> None:
    done = run_program("tpool_interrupt.py", "uncaught", timeout=10, check=False)
    assert done.returncode == -2
    assert "KeyboardInterrupt" in done.stderr


@pytest.mark.slow
def test_size_from_the_environment(run_program: Callable[..., Any]) -> None:
    program = "\nfrom greening.threads.native import TPOOL\nprint(TPOOL.size)\n"
    assert run_program(program).stdout == "20\n"
    assert run_program(program, env={"GREENING_THREADPOOL_SIZE": "3"}).stdout == "3\n"
    for bad in ("-1", "many"):
        done = run_program(program, env={"GREENING_THREADPOOL_SIZE": bad}, check=False)
        assert f"GREENING_THREADPOOL_SIZE='{bad}'" in done.stderr
