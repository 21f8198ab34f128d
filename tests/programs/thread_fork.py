"""fork in a patched program: only the forking thread is there in the child, and it is the main thread."""

import warnings

import greening

greening.monkey_patch()
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12+: "use of fork() may lead to deadlocks in the child"

import _thread
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable

from greenlet import greenlet

from greening._originals import start_new_thread as start_native

SCENES: list[Callable[[], None]] = []


def scene(func: Callable[[], None]) -> None:
    SCENES.append(func)


def in_child(check: Callable[[], None]) -> None:
    """Fork here; the child must pass `check`."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        status = os.waitpid(pid, 0)[1]
        if status:
            failures.append((check.__qualname__, status))
        return
    try:
        check()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


failures: list[object] = []


def threads_work() -> None:
    """What any process must be able to do."""
    me = threading.current_thread()
    assert me is threading.main_thread() and me.is_alive() and me.ident == threading.get_ident(), me
    assert threading.enumerate() == [me] and _thread._count() <= 1
    seen: list[object] = []
    thread = threading.Thread(target=lambda: (time.sleep(0.001), seen.append(threading.get_ident())))
    thread.start()
    thread.join(10)
    assert seen == [thread.ident] and seen != [me.ident] and not thread.is_alive()
    channel: queue.Queue[int] = queue.Queue()
    greening.spawn(channel.put, 1)
    assert channel.get(timeout=10) == 1


@scene
def from_the_main_greenlet() -> None:
    ident = threading.get_ident()
    others = [threading.Thread(target=time.sleep, args=(0.05,), daemon=daemon) for daemon in (True, False)]
    for other in others:
        other.start()

    def check() -> None:
        assert threading.get_ident() == ident
        assert not any(other.is_alive() for other in others)
        for other in others:
            other.join(1)
        threads_work()

    in_child(check)
    for other in others:
        other.join()


@scene
def from_a_thread() -> None:
    main = threading.main_thread()

    def body() -> None:
        me, ident = threading.current_thread(), threading.get_ident()

        def check() -> None:
            assert threading.get_ident() == ident and threading.main_thread() is me
            assert not main.is_alive() and main.join() is None
            threads_work()

        in_child(check)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()


@scene
def from_threads_that_threading_does_not_know() -> None:
    def body() -> None:
        ident = threading.get_ident()

        def check() -> None:
            assert threading.current_thread().ident == ident
            threads_work()

        in_child(check)
        in_child(threads_work)
        done.append(1)

    done: list[int] = []
    greening.spawn(body).wait()
    _thread.start_new_thread(body, ())
    while len(done) < 2:
        greening.sleep(0.001)
    greenlet(body).switch()

    def asks_first() -> None:
        threading.current_thread()
        body()

    _thread.start_new_thread(asks_first, ())
    while len(done) < 4:
        greening.sleep(0.001)


@scene
def from_a_native_thread() -> None:
    done: list[int] = []

    def body() -> None:
        in_child(threads_work)
        done.append(1)

    start_native(body, ())
    while not done:
        greening.sleep(0.001)


@scene
def locks_and_queues_do_not_wake_threads_of_the_parent() -> None:
    lock, condition, event = threading.Lock(), threading.Condition(), threading.Event()
    simple: queue.SimpleQueue[int] = queue.SimpleQueue()
    semaphore, ran = greening.Semaphore(0), []
    lock.acquire()

    def wait_for(wait: Callable[[], object]) -> None:
        ran.append(wait())

    def wait_condition() -> None:
        with condition:
            condition.wait()

    waits = (lock.acquire, wait_condition, event.wait, simple.get, semaphore.acquire)
    tasks = [greening.spawn(wait_for, wait) for wait in waits]
    native_waits = threading.Event()
    start_native(lambda: (native_waits.set(), lock.acquire(timeout=60)), ())
    native_waits.wait()
    greening.sleep(0.01)

    def check() -> None:
        lock.release()
        event.set()
        simple.put(1)
        semaphore.release()
        with condition:
            condition.notify()
        for _ in range(10):
            greening.sleep(0)
        assert not ran, ran
        assert lock.acquire(timeout=1) and simple.get(timeout=1) == 1 and semaphore.acquire(blocking=False)
        notified = greening.spawn(wait_condition)
        greening.sleep(0)
        with condition:
            condition.notify()
        notified.wait(1)

    in_child(check)
    for task in tasks:
        task.kill()
    lock.release()


@scene
def a_child_ends_with_its_forking_thread() -> None:
    """As with OS threads: the function of the thread that forked returns, and so the process ends with 0."""
    status: list[int] = []

    def body() -> None:
        pid = os.fork()
        if pid:
            status.append(os.waitpid(pid, 0)[1])

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert status == [0]


if __name__ == "__main__":
    for scene_ in SCENES:
        scene_()
    assert not failures, failures
