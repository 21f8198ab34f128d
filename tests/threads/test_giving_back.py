"""A kill does not keep a thread from giving something back: to a queue, a semaphore or an event of the stdlib."""

import subprocess
from collections.abc import Callable

import pytest

PREAMBLE = """
import queue
import threading
import greening
greening.monkey_patch()

def killed_while_held(lock, call, *args):
    '''Kill a thread that is in `call`, which waits for `lock`; return what the thread ended with.'''
    with lock:
        thread = greening.spawn(call, *args)
        thread.quiet = True
        greening.sleep(0)
        thread.kill()
        assert not thread.dead
    try:
        return thread.wait()
    except greening.GreenletExit:
        return "killed"
"""

CASES = {
    "put_nowait": """
places = queue.LifoQueue(2)
assert killed_while_held(places.mutex, places.put_nowait, "connection") == "killed"
assert places.get_nowait() == "connection"
""",
    "put": """
places = queue.Queue()
assert killed_while_held(places.mutex, places.put, "connection") == "killed"
assert places.get_nowait() == "connection"
""",
    "put that finds the queue full": """
places = queue.Queue(1)
places.put("first")
try:
    killed_while_held(places.mutex, places.put_nowait, "second")
    raise SystemExit("no error")
except queue.Full:
    assert places.qsize() == 1
""",
    "task_done": """
places = queue.Queue()
places.put("task")
places.get()
assert killed_while_held(places.mutex, places.task_done) == "killed"
places.join()
""",
    "Semaphore.release": """
permits = threading.Semaphore(0)
assert killed_while_held(permits._cond, permits.release) == "killed"
assert permits.acquire(blocking=False)
""",
    "BoundedSemaphore.release": """
permits = threading.BoundedSemaphore(2)
permits.acquire()
assert killed_while_held(permits._cond, permits.release) == "killed"
assert permits.acquire(blocking=False) and permits.acquire(blocking=False)
""",
    "Event.set": """
event = threading.Event()
assert killed_while_held(event._cond, event.set) == "killed"
assert event.is_set()
""",
    "a timeout": """
places = queue.Queue(2)
with places.mutex:
    thread = greening.spawn(greening.with_timeout, 0.001, places.put_nowait, "connection", timeout_value="late")
    greening.sleep(0.02)
assert thread.wait() == "late"
assert places.get_nowait() == "connection"
""",
    "a put that waits for room can be killed": """
places = queue.Queue(1)
places.put("first")
with places.mutex:
    thread = greening.spawn(places.put, "second")
    thread.quiet = True
    greening.sleep(0)
greening.sleep(0)
thread.kill()
try:
    thread.wait()
except greening.GreenletExit:
    assert places.qsize() == 1
""",
}


@pytest.mark.parametrize("case", CASES)
def test_a_kill_waits_for_what_is_given_back(
    case: str, run_program: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    run_program(PREAMBLE + CASES[case])


def test_the_methods_are_the_stdlibs_again_after_unpatch(
    run_program: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    run_program(
        """
import queue, threading, greening
methods = (queue.Queue.put, queue.Queue.task_done, threading.Semaphore.release, threading.Event.set)
greening.monkey_patch()
assert queue.Queue.put is not methods[0]
greening.unpatch()
assert (queue.Queue.put, queue.Queue.task_done, threading.Semaphore.release, threading.Event.set) == methods
"""
    )
