"""fork: without a warning of idle threads; with an empty pool in the child, and no jobs lost in the parent."""

import os
import sys
import warnings

import greening._core.current as engine
from greening import Event, spawn
from greening._originals import allocate_lock, get_ident
from greening.threads.native import TPOOL, execute

warnings.simplefilter("error", DeprecationWarning)


def exit_status(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fork_with_idle_threads() -> None:
    greens = [spawn(execute, int, "7") for _ in range(5)]
    assert [green.wait() for green in greens] == [7] * 5
    assert TPOOL._alive
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        child = os.fork()
        if child == 0:
            assert not TPOOL._alive
            assert execute(get_ident) != get_ident()
            os._exit(11)
    assert not caught, caught[0].message
    assert exit_status(child) == 11
    assert execute(int, "8") == 8


def fork_while_one_works() -> None:
    gate = allocate_lock()
    gate.acquire()
    started = Event()
    hub = engine.get_hub()

    def work() -> int:
        hub.post(started.send)
        gate.acquire()
        return 42

    waiter = spawn(execute, work)
    started.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is true: a thread works
        child = os.fork()
    if child == 0:
        gate.release()
        assert execute(int, "9") == 9
        os._exit(12)
    assert exit_status(child) == 12
    assert not waiter.dead
    gate.release()
    assert waiter.wait() == 42


def fork_in_a_native_thread() -> None:
    child = execute(os.fork)
    assert child != 0, "the child came back here"
    assert exit_status(child) == 0


fork_with_idle_threads()
fork_while_one_works()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    fork_in_a_native_thread()
print("ok", file=sys.stderr)
