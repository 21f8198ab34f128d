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


PROGRAMS = ("life", "identity", "fork", "late", "late_rlock", "late_in_use", "never_switches")


@pytest.mark.slow
@pytest.mark.parametrize("program", [f"thread_{name}.py" for name in PROGRAMS] + ["local_late.py"])
def test_program(program: str, run_program) -> None:
    run_program(program)
