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
