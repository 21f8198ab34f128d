"""_thread, patched in place."""

import pytest

from greening.threads import handle


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


def test_a_joinable_thread_may_end_before_its_starter_goes_on(monkeypatch) -> None:
    # A plain OS thread starts it in the hub of the main thread, which is not going to wait for the starter.
    start = handle._start

    def start_and_wait(thread) -> int:
        ident = start(thread)
        thread.wait(5)
        return ident

    monkeypatch.setattr(handle, "_start", start_and_wait)
    done = handle.start_joinable_thread(lambda: None)
    done.join(5)
    assert done.is_done()
