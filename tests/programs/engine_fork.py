"""fork in all places: the child sees only the greenlet that forked, and the parent notices nothing."""

import gc
import os
import signal
import sys
import time
from collections.abc import Callable

import greening
from greening import Event, GreenletExit, Lock, Queue, Semaphore, Timeout, sleep, spawn
from greening._core.current import get_hub
from greening._core.waiting import wait_readable
from greening._originals import start_new_thread

PARENT = os.getpid()
log_r, log_w = os.pipe()  # what children have to say. Threads of the parent must say nothing in them


about_to_fork: list[Callable[[], object]] = []


def before_fork() -> None:
    for call in about_to_fork:
        call()


os.register_at_fork(before=before_fork)


def say(what: str) -> None:
    os.write(log_w, f"{'parent' if os.getpid() == PARENT else 'child'}:{what}\n".encode())


def said() -> list[str]:
    os.set_blocking(log_r, False)
    try:
        return os.read(log_r, 65536).decode().split()
    except BlockingIOError:
        return []


def reap(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def parked(event: Event) -> object:
    try:
        return event.wait()
    finally:
        say("finally")


def from_main() -> None:
    event, lock, semaphore, queue = Event(), Lock(), Semaphore(0), Queue(0)
    lock.acquire()
    threads = [spawn(parked, event), spawn(lock.acquire), spawn(semaphore.acquire), spawn(queue.get)]
    unstarted = None
    reads, writes = os.pipe()
    threads.append(spawn(wait_readable, reads))
    sleep(0)
    unstarted = spawn(say, "unstarted")
    pid = os.fork()
    if pid == 0:
        # What the parent's threads wait for comes, and wakes none of them here.
        lock.release()
        assert not lock.locked(), "no thread of this process waits for it"
        semaphore.release()
        assert semaphore.counter == 1
        event.send(1)
        try:
            queue.put("x", timeout=0.01)
            raise AssertionError("a thread of the parent took it")
        except Exception as error:
            assert type(error).__name__ == "Full", error
        os.write(writes, b"x")
        sleep(0.02)
        assert all(thread.dead for thread in [*threads, unstarted])
        for thread in (threads[0], unstarted):
            try:
                thread.wait()
                raise AssertionError("it cannot have ended")
            except GreenletExit as error:
                assert "fork" in str(error)
        assert spawn(lambda: 5).wait() == 5
        sys.exit(7)
    assert reap(pid) == 7
    assert unstarted.wait() is None
    assert said() == ["parent:unstarted"]
    event.send("sent")
    assert threads[0].wait() == "sent"
    lock.release()
    semaphore.release()
    queue.put("item")
    os.read(reads, 1)  # the child's
    os.write(writes, b"y")
    assert [thread.wait() for thread in threads[1:]] == [True, True, "item", True]
    assert said() == ["parent:finally"]


def from_a_green_thread() -> None:
    event = Event()
    others = [spawn(parked, event) for _ in range(3)]
    statuses = []

    def forks(end: str) -> None:
        pid = os.fork()
        if pid == 0:
            assert greening.getcurrent() is get_hub().main
            sleep(0.001)
            assert spawn(lambda: 5).wait() == 5
            if end == "exit":
                sys.exit(3)
            if end == "text":
                sys.exit("not well")
            if end == "error":
                raise ValueError(end)
            if end == "killed":
                spawn(greening.kill, greening.getcurrent()).wait()
            return
        statuses.append(reap(pid))

    for end in ("return", "exit", "text", "error", "killed"):
        spawn(forks, end).wait()
    assert statuses == [0, 3, 1, 1, 0], statuses
    assert said() == []
    event.send()
    for other in others:
        other.wait()
    assert said() == ["parent:finally"] * 3


def a_timeout_goes_on_in_the_child() -> None:
    with Timeout(0.05, False):
        pid = os.fork()
        sleep(5)
        say("too late")
    if pid == 0:
        os._exit(5)
    assert reap(pid) == 5
    assert said() == []


def deadlock_in_the_child() -> None:
    for where in (lambda call: call(), lambda call: spawn(call).wait()):

        def forks() -> None:
            pid = os.fork()
            if pid == 0:
                try:
                    Event().wait()
                except greening.Deadlock:
                    os._exit(6)
            assert reap(pid) == 6

        where(forks)


def other_os_threads() -> None:
    """An OS thread with a hub and parked green threads: it is not there in the child, and unharmed in the parent."""
    ready, go, done = Event(), Event(), Event()
    shared = Semaphore(0)

    def native() -> None:
        parked_here = [spawn(parked, go), spawn(shared.acquire)]
        sleep(0)
        ready.send(parked_here)
        for thread in parked_here:
            thread.wait()
        done.send()

    start_new_thread(native, ())
    lost = ready.wait()
    pid = os.fork()
    if pid == 0:
        go.send()
        shared.release()
        assert shared.counter == 1
        sleep(0.01)
        assert all(thread.dead for thread in lost)
        os._exit(4)
    assert reap(pid) == 4
    assert said() == []
    go.send()
    shared.release()
    done.wait()
    assert said() == ["parent:finally"]

    status = Event()

    def forks() -> None:
        pid = os.fork()
        if pid == 0:
            sleep(0.001)
            assert spawn(lambda: 5).wait() == 5
            os._exit(8)
        status.send(reap(pid))

    start_new_thread(forks, ())
    assert status.wait() == 8


def finalisers() -> None:
    """Garbage whose finalisers park is there when the child begins. No thread of the parent runs meanwhile."""

    class Parks:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            sleep(0)

    other = spawn(say, "other")
    gc.collect()
    gc.disable()
    for _ in range(20):
        Parks()
    about_to_fork.append(lambda: gc.set_threshold(1))
    about_to_fork.append(gc.enable)
    pid = os.fork()
    gc.set_threshold(700)
    about_to_fork.clear()
    if pid == 0:
        assert gc.isenabled()
        gc.collect()
        os._exit(6)
    assert reap(pid) == 6
    other.wait()
    assert gc.isenabled()
    assert said() == ["parent:other"]


def many() -> None:
    """50 waiters in the parent, woken after a child has cleaned up after itself."""
    pipes = [os.pipe() for _ in range(50)]
    waiters = [spawn(wait_readable, reads) for reads, _ in pipes]
    sleep(0)
    pid = os.fork()
    if pid == 0:
        for reads, _ in pipes:
            greening._core.waiting.forget_fd(reads)
            os.close(reads)
        os._exit(0)
    assert reap(pid) == 0
    for _, writes in pipes:
        os.write(writes, b"x")
    assert all(waiter.wait() for waiter in waiters)
    for pair in pipes:
        for fd in pair:
            os.close(fd)


signal.alarm(int(os.environ.get("ALARM", "30")))
started = time.monotonic()
import warnings

warnings.simplefilter("ignore", DeprecationWarning)  # fork beside another OS thread: it is meant
from_main()
from_a_green_thread()
a_timeout_goes_on_in_the_child()
deadlock_in_the_child()
other_os_threads()
finalisers()
many()
assert said() == []
