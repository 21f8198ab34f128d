"""Calls that do not wait: within a slice they let no others run, and in the end they do, whatever the primitive."""

import greening

greening.monkey_patch()

import fcntl
import os
import queue
import select
import selectors
import signal
import socket
import subprocess
import tempfile
import threading
import time

from greening._core.fairness import begin_slice
from greening._originals import time_sleep

turns = 0


def count_turns() -> None:
    global turns
    while True:
        turns += 1
        greening.sleep(0)


def waiting(function, *args) -> "greening.GreenThread[object]":
    task = greening.spawn(function, *args)
    greening.sleep(0)
    return task


def lets_others_run(what: str, call) -> None:
    """A loop around it must not starve the others, although it never has to wait."""
    before, end = turns, time.monotonic() + 5
    while turns == before:
        call()
        assert time.monotonic() < end, what


def never_switches(what: str, call) -> None:
    """It hands something over: the thread that gets it runs later, not in the middle of the call."""
    before = turns
    begin_slice()
    call()
    assert turns == before, what


counter = waiting(count_turns)

for kind in (threading.Lock, threading.RLock, greening.Lock, greening.RLock):
    lock, held = kind(), kind()
    lets_others_run("acquire(False)", lambda lock=lock: lock.acquire(False) and lock.release())
    lets_others_run("acquire(timeout=0)", lambda lock=lock: lock.acquire(timeout=0) and lock.release())
    lets_others_run("acquire", lambda lock=lock: lock.acquire() and lock.release())
    lets_others_run("with lock", lambda lock=lock: lock.__enter__() and lock.__exit__(None, None, None))
    takers = [waiting(held.acquire) for _ in range(3)]
    if hasattr(held, "_owner"):
        continue
    lets_others_run("acquire(False) in vain", lambda held=held: held.acquire(False))
    never_switches("release to a waiter", held.release)
    for task in takers:
        task.kill()

condition = threading.Condition()


def wait() -> None:
    with condition:
        condition.wait()


def enter() -> None:
    with condition:
        pass


waiters = [waiting(wait) for _ in range(20)]
with condition:
    never_switches("notify", condition.notify)
    never_switches("notify_all", condition.notify_all)
for task in waiters:
    task.wait()
lets_others_run("with condition", enter)

plain = threading.Condition(threading.Lock())


def notify_often() -> None:
    for _ in range(5000):  # more than a slice
        plain.notify()


with plain:
    never_switches("notify under a Lock", notify_often)

event = threading.Event()
task = waiting(event.wait)
never_switches("Event.set", event.set)
task.wait()
lets_others_run("wait for a set event", event.wait)
lets_others_run("Event.set", event.set)
event.clear()
lets_others_run("Event.wait(0)", lambda: event.wait(0))
sent = greening.Event()
sent.send(1)
lets_others_run("wait for a sent event", sent.wait)

for semaphore in (threading.Semaphore(0), greening.Semaphore(0), threading.BoundedSemaphore(1)):
    if not isinstance(semaphore, threading.BoundedSemaphore):
        task = waiting(semaphore.acquire)
        never_switches("Semaphore.release", semaphore.release)
        task.wait()
        lets_others_run("Semaphore.acquire(False)", lambda semaphore=semaphore: semaphore.acquire(False))
        semaphore.release()
    lets_others_run("free semaphore", lambda semaphore=semaphore: (semaphore.acquire(), semaphore.release()))

kinds = (queue.Queue, queue.LifoQueue, queue.PriorityQueue, queue.SimpleQueue)
for made in (*(kind() for kind in kinds), greening.Queue(), greening.LightQueue()):
    task = waiting(made.get)
    never_switches("put", lambda made=made: made.put(1))
    task.wait()
    lets_others_run("put and get", lambda made=made: (made.put(1), made.get()))
    lets_others_run("put_nowait and get_nowait", lambda made=made: (made.put_nowait(1), made.get_nowait()))
    if isinstance(made, (queue.Queue, greening.Queue)):
        for _ in range(getattr(made, "unfinished_tasks", 0)):
            made.task_done()
        lets_others_run("Queue.join", made.join)

ended = threading.Thread(target=int)
ended.start()
ended.join()
lets_others_run("join of the ended", ended.join)
lets_others_run("wait for the ended", greening.spawn(int).wait)

ready, other = socket.socketpair()
other.send(b"x")
poll, epoll = select.poll(), select.epoll()
for each in (poll, epoll):
    each.register(ready.fileno(), select.POLLIN)
    lets_others_run("poll(0)", lambda each=each: each.poll(0))
    each.modify(ready.fileno(), select.POLLPRI)
    lets_others_run("poll(0) in vain", lambda each=each: each.poll(0))
lets_others_run("select", lambda: select.select([ready], [ready], [], 0))
lets_others_run("select in vain", lambda: select.select([other], [], [], 0))
for kind in (selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector):
    with kind() as selector:
        selector.register(ready, selectors.EVENT_READ)
        lets_others_run("select(0)", lambda selector=selector: selector.select(0))
        selector.unregister(ready)
        selector.register(other, selectors.EVENT_READ)
        lets_others_run("select(0) in vain", lambda selector=selector: selector.select(0))
lets_others_run("send and recv", lambda: (ready.send(b"y"), other.recv(1)))
reads, writes = os.pipe()
lets_others_run("pipe", lambda: (os.write(writes, b"y"), os.read(reads, 1)))

lets_others_run("readv and writev", lambda: (os.writev(writes, [b"y"]), os.readv(reads, [bytearray(1)])))
os.set_blocking(reads, False)


def in_vain(call, *errors) -> None:
    try:
        call()
    except errors:
        pass


lets_others_run("read in vain", lambda: in_vain(lambda: os.read(reads, 1), BlockingIOError))
with tempfile.TemporaryFile() as file:
    lets_others_run("file", lambda: (os.write(file.fileno(), b"y"), os.read(file.fileno(), 1)))
    lets_others_run("flock", lambda: fcntl.flock(file, fcntl.LOCK_EX))
    lets_others_run("flock, LOCK_NB", lambda: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB))
    lets_others_run("lockf, F_TLOCK", lambda: os.lockf(file.fileno(), os.F_TLOCK, 1))
lets_others_run("getaddrinfo of a number", lambda: socket.getaddrinfo("127.0.0.1", 80))
lets_others_run("gethostbyname of a number", lambda: socket.gethostbyname("127.0.0.1"))
with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
    lets_others_run("connect of datagrams", lambda: datagrams.connect(("127.0.0.1", 9)))
    lets_others_run("connect_ex of datagrams", lambda: datagrams.connect_ex(("127.0.0.1", 9)))
lets_others_run("sigtimedwait(0)", lambda: signal.sigtimedwait({signal.SIGUSR1}, 0))
child = subprocess.Popen(["sleep", "60"])
lets_others_run("poll", child.poll)
lets_others_run("waitpid", lambda: os.waitpid(child.pid, os.WNOHANG))
lets_others_run("wait3", lambda: os.wait3(os.WNOHANG))
lets_others_run("wait4", lambda: os.wait4(child.pid, os.WNOHANG))
lets_others_run("waitid", lambda: os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG))
child.kill()
child.wait()
lets_others_run("wait for the ended child", child.wait)
lets_others_run("waitpid of no child", lambda: in_vain(lambda: os.waitpid(child.pid, 0), ChildProcessError))
lets_others_run("waitall of an empty pool", greening.GreenPool().waitall)

never_switches("spawn", lambda: greening.spawn(int))
never_switches("get_ident and current_thread", lambda: (threading.get_ident(), threading.current_thread()))
counter.kill()

# A loop that tries in vain again and again may wait for what another thread is about to do.
for empty in (queue.Queue(), queue.PriorityQueue()):
    greening.spawn_after(0, empty.put, "item")
    while True:
        try:
            assert empty.get_nowait() == "item"
            break
        except queue.Empty:
            continue
state = []
greening.spawn_after(0, state.append, 1)
lock = threading.Lock()
while not state:
    with lock:
        pass

# Calls that really block use no processor, but they keep the others waiting all the same.
turned: list[int] = []
greening.spawn(turned.append, 1)
blocked = 0
while not turned:
    time_sleep(0.002)
    blocked += 1
    with lock:
        pass
assert blocked < 20, blocked
