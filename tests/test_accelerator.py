"""The accelerator: which is running, no leaks, and what only a compiled double could get wrong."""

import gc
import inspect
import socket
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

import greening
from greening import debug
from greening._compiled import accelerator
from greening._core.current import get_hub
from greening._core.task import Task
from greening.net.socket import GreenSocket
from greening.testing import wait_until_parked

compiled = pytest.mark.skipif(accelerator is None, reason="runs without the accelerator")


def test_info_tells_which_is_running(run_program) -> None:
    assert (debug.info()["accelerator"] == "running") == (accelerator is not None)
    program = "from greening import debug\nprint(debug.info()['accelerator'])\n"
    assert run_program(program, env={"GREENING_PURE": "1"}).stdout == "GREENING_PURE is set\n"


def spawn_and_wait() -> None:
    assert greening.spawn(lambda a, b: a + b, 1, b=2).wait() == 3


def fail() -> None:
    thread = greening.spawn(pow, "x", 2)
    thread.quiet = True
    with pytest.raises(TypeError):
        thread.wait()


def kill() -> None:
    thread = greening.spawn(greening.Event().wait)
    wait_until_parked(thread)
    thread.kill()
    with pytest.raises(greening.GreenletExit):
        thread.wait()


def lock() -> None:
    with greening.Lock() as taken, greening.RLock():
        assert taken
    held = greening.Lock()
    held.acquire()
    waiter = greening.spawn(held.acquire)
    wait_until_parked(waiter)
    held.release()
    assert waiter.wait() and not held.acquire(timeout=0.0)


def semaphore() -> None:
    permits = greening.Semaphore(2)
    with permits:
        assert permits.acquire() and not permits.acquire(False)
        waiter = greening.spawn(permits.acquire)
        wait_until_parked(waiter)
        assert permits.balance == -1
        assert permits.release() and waiter.wait()
        permits.release()
    assert permits.counter == 2
    with pytest.raises(ValueError, match="timeout"):
        permits.acquire(False, 1.0)


def local() -> None:
    here = greening.local()
    here.x = object()
    assert here.x is not None
    del here.x
    with pytest.raises(AttributeError):
        here.x  # noqa: B018  # reading it is the point


def echo() -> None:
    a, b = socket.socketpair()
    with GreenSocket(fileno=a.detach()) as one, GreenSocket(fileno=b.detach()) as other:
        reader = greening.spawn(other.recv, 100)
        wait_until_parked(reader)
        one.sendall(b"x" * 100)
        assert len(reader.wait()) == 100
        buffer = bytearray(10)
        one.send(memoryview(b"ab"))
        assert other.recv_into(buffer) == 2
        one.settimeout(0.0001)
        with pytest.raises(TimeoutError):
            one.recv(1)


@pytest.mark.slow
@pytest.mark.parametrize("work", [spawn_and_wait, fail, kill, lock, semaphore, local, echo])
def test_nothing_is_left_behind(work: Callable[[], None]) -> None:
    def left(times: int) -> tuple[int, int]:
        for _ in range(times):
            work()
        gc.collect()
        return len(gc.get_objects()), sys.getrefcount(None)

    left(50)
    objects, nones = left(50)
    after = left(200)
    # Less is what other tests had left behind.
    assert after[0] - objects < 50
    # Every member begins as None. Where that is immortal, its count says nothing: an extension for the limited API of
    # 3.11 counts, and the interpreter mostly does not.
    assert sys.version_info >= (3, 12) or after[1] - nones < 150


@compiled
def test_the_ring_is_a_queue_of_tasks() -> None:
    ring: Any = accelerator.Ring()
    tasks = [Task(get_hub()) for _ in range(200)]
    for task in tasks:
        ring.append(task)
    assert ring.popleft() is tasks[0] and ring.pop() is tasks[-1]
    ring.appendleft(tasks[0])
    ring.remove(tasks[100])
    assert list(ring) == [*tasks[:100], *tasks[101:-1]] and len(ring) == 198
    assert tasks[5] in ring and tasks[100] not in ring and ring[0] is tasks[0]
    with pytest.raises(ValueError):
        ring.remove(tasks[100])
    with pytest.raises(TypeError):
        ring.append("no task")
    ring.clear()
    assert not ring
    with pytest.raises(IndexError):
        ring.popleft()


@compiled
def test_a_hub_belongs_to_a_task_or_it_does_not_park() -> None:
    task = Task(None)  # type: ignore[arg-type]  # the mistake
    task.state = 2
    with pytest.raises(TypeError):
        task.wake()
    with pytest.raises(TypeError):
        task.park()


@compiled
def test_unusual_calls_of_sockets_have_the_errors_of_the_stdlib() -> None:
    with GreenSocket() as sock:
        for wrong in ((), ("x",), (1, 2, 3), (-1,)):
            with pytest.raises((TypeError, ValueError)):
                sock.recv(*wrong)
        with pytest.raises(OverflowError):
            sock.recv(2**100)
        with pytest.raises(TypeError):
            sock.send("text")  # type: ignore[arg-type]  # the mistake
        with pytest.raises(TypeError):
            sock.recv_into(b"constant")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(OSError):
        sock.recv(1)
    with pytest.raises(OSError):
        sock.sendall(b"x")
    with pytest.raises(TypeError):
        type(sock).recv("no socket", 1)  # type: ignore[arg-type]  # the mistake


def test_signatures_are_known() -> None:
    def names(what: Callable[..., Any]) -> list[str]:
        return list(inspect.signature(what).parameters)

    assert names(greening.spawn) == ["func", "args", "kwargs"]
    assert names(greening.sleep) == ["seconds"]
    assert names(greening.GreenThread.wait) == ["self", "timeout"]
    for method in (greening.Lock.acquire, greening.Lock.acquire_lock, greening.RLock.acquire):
        assert names(method) == ["self", "blocking", "timeout"]
    assert names(greening.Lock.__exit__) == names(greening.RLock.__exit__) == ["self", "exc_info"]


class NoLock(greening.Lock):
    def __init__(self) -> None:
        return None


class NoRLock(greening.RLock):
    def __init__(self) -> None:
        return None


@pytest.mark.parametrize("method", ["acquire", "release", "locked", "__enter__", "__exit__", "__repr__"])
def test_a_lock_that_was_not_initialised_says_so(method: str) -> None:
    with pytest.raises(AttributeError, match=r"_real|_waiters"):
        getattr(NoLock(), method)()


@pytest.mark.parametrize("method", ["acquire", "release", "__enter__", "__exit__"])
def test_a_re_entrant_lock_that_was_not_initialised_does_not_work(method: str) -> None:
    with pytest.raises((AttributeError, RuntimeError)):
        getattr(NoRLock(), method)()


@pytest.mark.slow
def test_a_reader_that_waits_for_much_holds_no_memory_for_it() -> None:
    def allocated() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        a, b = socket.socketpair()
        with GreenSocket(fileno=a.detach()) as one, GreenSocket(fileno=b.detach()) as other:
            before = allocated()
            reader = greening.spawn(other.recv, 10_000_000)
            wait_until_parked(reader)
            assert allocated() - before < 1_000_000
            one.sendall(b"x" * 100_000)
            assert reader.wait() == b"x" * 100_000
    finally:
        tracemalloc.stop()


@compiled
def test_a_ring_gives_back_the_memory_of_its_largest_time() -> None:
    task = Task(get_hub())
    ring = accelerator.Ring()
    for take in (ring.popleft, ring.pop, lambda: ring.remove(task)):
        tracemalloc.start()
        try:
            for _ in range(10_000):
                ring.append(task)
            assert tracemalloc.get_traced_memory()[0] > 10_000 * 8
            for _ in range(9_999):
                ring.popleft()
            take()
            assert len(ring) == 0 and tracemalloc.get_traced_memory()[0] < 20_000
        finally:
            tracemalloc.stop()
    ring.appendleft(task)
    assert ring.popleft() is task


@compiled
@pytest.mark.slow
@pytest.mark.parametrize("engine", ["untold", "told"])
def test_objects_of_the_wrong_kind_are_an_error_and_no_crash(run_program, engine: str) -> None:
    assert run_program("accelerator_odd_objects.py", engine).stdout.endswith("survived\n")


@compiled
@pytest.mark.slow
@pytest.mark.parametrize("member", ["idle", "_enter"])
def test_a_hub_that_has_lost_a_member_is_an_error_and_no_crash(run_program, member: str) -> None:
    program = """
import os, sys
import greening
from greening._core.current import get_hub
greening.spawn(int).wait()
delattr(get_hub(), sys.argv[1])
try:
    greening.sleep(0)
    greening.spawn(int).wait()
    greening.sleep(0.001)
except Exception as error:
    print(repr(error))
os._exit(0)
"""
    run_program(program, member)


def test_a_library_that_was_built_runs_on_this_python() -> None:
    """One that a newer Python has built may ask for functions that this one does not have."""
    assert "does not fit" not in debug.info()["accelerator"]
