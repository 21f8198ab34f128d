"""threading, patched in place: the stdlib's classes on green primitives."""

import pytest

HEAD = """
import threading
import greening
greening.monkey_patch()
"""


@pytest.mark.slow
def test_the_main_greenlet_is_the_main_thread_and_others_are_themselves(run_program) -> None:
    run_program(
        HEAD
        + """
assert threading.current_thread() is threading.main_thread()
seen = []
thread = threading.Thread(target=lambda: seen.append(threading.current_thread()))
thread.start(); thread.join()
assert seen == [thread] and not thread.is_alive() and threading.active_count() == 1
bare = greening.spawn(threading.current_thread).wait()
assert isinstance(bare, threading.Thread) and threading.enumerate() == [threading.main_thread()]
"""
    )


@pytest.mark.slow
def test_join_with_a_timeout_returns_and_non_daemon_threads_are_joined_at_exit(run_program) -> None:
    done = run_program(
        HEAD
        + """
import time
gate = threading.Event()
thread = threading.Thread(target=lambda: (gate.wait(), print("finished")))
thread.start()
assert thread.join(0.001) is None and thread.is_alive()
threading.Timer(0.02, gate.set).start()
"""
    )
    assert done.stdout == "finished\n"


@pytest.mark.slow
def test_conditions_barriers_semaphores_and_rlocks_work_between_green_threads(run_program) -> None:
    run_program(
        HEAD
        + """
barrier, condition, semaphore, passed = threading.Barrier(5), threading.Condition(), threading.Semaphore(2), []
def body():
    barrier.wait()
    with semaphore, condition:
        passed.append(threading.get_ident())
        condition.notify_all()
threads = [threading.Thread(target=body) for _ in range(5)]
for thread in threads: thread.start()
with condition:
    assert condition.wait_for(lambda: len(passed) == 5, 10)
for thread in threads: thread.join()
assert len(set(passed)) == 5
"""
    )


@pytest.mark.slow
def test_greenlets_that_ask_for_their_thread_leave_nothing_behind(run_program) -> None:
    run_program(
        HEAD
        + """
import gc
import greenlet
from greening.testing import settle

local = threading.local()
idents, ended = set(), []

def ask():
    local.value = "mine"
    thread = threading.current_thread()
    assert thread is threading.current_thread() and thread.is_alive() and thread.ident == threading.get_ident()
    idents.add(threading.get_ident())
    return thread

def ask_and_stay():
    thread = ask()
    try:
        greenlet.getcurrent().parent.switch(thread)
    finally:
        ended.append(thread.ident)

def objects():
    gc.collect()
    return len(gc.get_objects())

def run(times):
    for _ in range(times):
        greenlet.greenlet(ask).switch()
        greening.spawn(ask).wait()
    suspended = [greenlet.greenlet(ask_and_stay) for _ in range(times)]
    threads = [each.switch() for each in suspended]
    assert all(thread.is_alive() for thread in threads)
    del suspended[:]
    settle()  # the hub knows the greenlet that it has switched to last
    gc.collect()
    assert not any(thread.is_alive() for thread in threads)

run(200)
before = objects()
run(2000)
assert len(idents) == len(ended) * 3 == 2200 * 3
idents.clear(), ended.clear()
assert objects() - before < 50
assert threading.enumerate() == [threading.main_thread()] and len(threading._active) == 1
gc.collect()
assert len(threading._dangling) == 1, len(threading._dangling)
"""
    )


PROGRAMS = ("life", "identity", "fork", "late", "late_rlock", "late_in_use", "fairness", "ident_in_libc")


@pytest.mark.slow
@pytest.mark.parametrize("program", [f"thread_{name}.py" for name in PROGRAMS] + ["local_late.py"])
def test_program(program: str, run_program) -> None:
    run_program(program)


@pytest.mark.slow
def test_a_thread_of_the_original_threading_is_the_current_thread_in_it_and_nothing_is_left_of_it(run_program) -> None:
    run_program(
        """
import greening.compat.eventlet
greening.compat.eventlet.install()
import eventlet
eventlet.monkey_patch()
import threading
original = eventlet.patcher.original("threading")
seen = []
thread = original.Thread(target=lambda: seen.append(threading.current_thread()), name="real")
thread.start(); thread.join()
assert seen == [thread] and seen[0].name == "real"
assert len(threading._active) == len(original._active) == 1
assert threading.current_thread() is threading.main_thread()
"""
    )
