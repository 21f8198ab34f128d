"""_thread, patched in place."""

import pytest


@pytest.mark.slow
def test_threads_of_the_lowest_level_are_green_and_their_locks_let_others_run(run_program) -> None:
    run_program(
        """
import _thread
native = _thread.get_ident()
import greening
greening.monkey_patch()
assert _thread.get_ident() == native
lock, seen = _thread.allocate_lock(), []
lock.acquire()
def body(word):
    seen.append((word, _thread.get_ident()))
    lock.release()
_thread.start_new_thread(body, ("x",))
assert not lock.acquire(False) and not seen  # a call that does not wait does not switch
lock.acquire()
assert seen[0][0] == "x" and seen[0][1] != native
"""
    )


@pytest.mark.slow
def test_idle_threads_of_the_engine_are_not_counted(run_program) -> None:
    run_program(
        """
import greening
greening.monkey_patch()
import _thread
from greening import tpool
before = _thread._count()
tpool.execute(int)
assert _thread._count() == before
"""
    )
