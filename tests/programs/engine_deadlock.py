"""A standstill is an error in main that says where each thread waits, unless something may still end it."""

import os
import signal
import time

import greening
from greening import Deadlock, Event, Lock, Queue, Semaphore, sleep, spawn
from greening._core.waiting import wait_readable
from greening._originals import allocate_lock, start_new_thread


def waits_for_a_lock(lock: Lock) -> None:
    with lock:
        raise AssertionError("the lock was not released")


def standstill() -> Deadlock:
    try:
        Event().wait()
    except Deadlock as error:
        return error
    raise AssertionError("no Deadlock")


def where_each_thread_waits() -> None:
    lock, queue = Lock(), Queue()
    lock.acquire()
    first, second = spawn(waits_for_a_lock, lock), spawn(queue.get)
    first.name, second.name = "the locksmith", "the getter"
    error = standstill()
    lines = error.waiting
    assert len(lines) == 3, lines
    assert lines[0].startswith(f"main greenlet: {__file__}:"), lines
    assert " in standstill, waits for Event at " in lines[0]
    locksmith, getter = sorted(lines[1:], reverse=True)
    assert locksmith.startswith(f"the locksmith: {__file__}:"), lines
    assert "in waits_for_a_lock, waits for lock (Lock at " in locksmith, lines
    assert getter.startswith("the getter: ")
    assert all(line in str(error) for line in lines)
    assert "deadlock" in str(error)
    # Everything goes on after it.
    queue.put(5)
    assert second.wait() == 5
    first.kill()


def a_lock_taken_twice() -> None:
    lock = Lock()
    lock.acquire()
    try:
        lock.acquire()
        raise AssertionError("no Deadlock")
    except Deadlock:
        pass
    lock.release()


def a_timer_is_no_standstill() -> None:
    semaphore = Semaphore(0)
    greening.spawn_after(0.05, semaphore.release)
    assert semaphore.acquire()
    assert not semaphore.acquire(timeout=0.01)


def a_waited_descriptor_is_no_standstill() -> None:
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        time.sleep(0.05)
        os.write(writes, b"x")
        os._exit(0)
    assert wait_readable(reads)
    os.waitpid(pid, 0)


def another_os_thread_is_no_standstill() -> None:
    event, gate = Event(), allocate_lock()
    gate.acquire()

    def native() -> None:
        gate.acquire()
        time.sleep(0.05)
        event.send("from outside")

    start_new_thread(native, ())
    greening.spawn_after(0.01, gate.release)
    assert event.wait() == "from outside"


def an_os_thread_that_has_ended_counts_no_more() -> None:
    start_new_thread(time.sleep, (0.1,))
    standstill()


def a_handler_may_end_it() -> None:
    event = Event()
    old = signal.signal(signal.SIGALRM, lambda *args: event.send("rung"))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    assert event.wait() == "rung"
    signal.signal(signal.SIGALRM, old)
    standstill()


def a_killed_timer_counts_no_more() -> None:
    timeout = greening.Timeout(1000)
    timeout.cancel()
    standstill()


started = time.monotonic()
where_each_thread_waits()
a_lock_taken_twice()
a_timer_is_no_standstill()
a_waited_descriptor_is_no_standstill()
another_os_thread_is_no_standstill()
an_os_thread_that_has_ended_counts_no_more()
a_handler_may_end_it()
a_killed_timer_counts_no_more()
sleep(0)
assert time.monotonic() - started < 10
