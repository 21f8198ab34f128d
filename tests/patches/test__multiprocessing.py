"""_multiprocessing, patched: everything between processes that stands on its semaphores."""

import pytest

METHODS = ("fork", "spawn", "forkserver")


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_locks_between_processes_are_waited_for_by_one_green_thread(run_program, method: str) -> None:
    run_program("multiprocessing_locks.py", method, timeout=90)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_process_pools_and_their_ends(run_program, method: str) -> None:
    run_program("multiprocessing_pools.py", method, timeout=90)


@pytest.mark.slow
def test_locks_that_exist_already_become_green_and_keep_their_owners(run_program) -> None:
    run_program("multiprocessing_late.py")


@pytest.mark.slow
def test_ctrl_c_ends_the_wait_for_a_lock(run_program) -> None:
    done = run_program(
        """
import greening
greening.monkey_patch()
import multiprocessing, os, signal, threading, time
context = multiprocessing.get_context("fork")
lock = context.Lock()
lock.acquire()

def interrupt(pid):
    time.sleep(0.1)
    os.kill(pid, signal.SIGINT)

def wait():
    process = context.Process(target=interrupt, args=(os.getpid(),))
    process.start()
    try:
        lock.acquire()
    except KeyboardInterrupt:
        print("interrupted")
    process.join()

wait()  # alone
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
wait()  # with others
"""
    )
    assert done.stdout == "interrupted\n" * 2
