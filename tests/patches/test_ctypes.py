"""ctypes: PyThreadState_SetAsyncExc reaches green threads."""

import pytest

HEAD = """
import greening
greening.monkey_patch()
import ctypes, threading
set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc
class Stop(Exception): pass
"""


@pytest.mark.slow
def test_an_exception_is_raised_in_a_green_thread_that_waits(run_program) -> None:
    run_program(
        HEAD
        + """
started, seen = threading.Event(), []
def body():
    try:
        started.set()
        threading.Event().wait()
    except Stop as stop:
        seen.append(stop)
thread = threading.Thread(target=body)
thread.start()
started.wait()
assert set_async_exc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stop)) == 1
thread.join()
assert type(seen[0]) is Stop
assert set_async_exc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stop)) == 0  # it has ended
"""
    )


@pytest.mark.slow
def test_the_caller_itself_and_what_is_no_thread(run_program) -> None:
    run_program(
        HEAD
        + """
def body():
    set_async_exc.argtypes = (ctypes.c_ulong, ctypes.py_object)
    assert set_async_exc(2**40 + 1, Stop) == 0
    try:
        set_async_exc(threading.get_ident(), Stop)
    except Stop:
        return "caught"
assert greening.spawn(body).wait() is None  # a spawned thread is not one of threading's, and not asked for by ident
results = []
thread = threading.Thread(target=lambda: results.append(body()))
thread.start(); thread.join()
assert results == ["caught"]
real = ctypes.pythonapi.PyThreadState_SetAsyncExc
greening.unpatch()
assert ctypes.pythonapi.PyThreadState_SetAsyncExc is not real
"""
    )
