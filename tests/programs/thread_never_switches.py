"""Calls that do not wait do not let anybody else run, however often they are made."""

import greening

greening.monkey_patch()

import queue
import select
import selectors
import socket
import threading

OFTEN = 1100  # a call that may wait lets others run once in 1024 times
turns = 0


def count_turns() -> None:
    global turns
    while True:
        turns += 1
        greening.sleep(0)


def never_switches(what: str, call, times: int = OFTEN) -> None:
    before = turns
    for _ in range(times):
        call()
    assert turns == before, what


def waiting(function, *args) -> "greening.GreenThread[object]":
    task = greening.spawn(function, *args)
    greening.sleep(0)
    return task


counter = waiting(count_turns)

for lock in (threading.Lock(), threading.RLock()):
    never_switches("acquire(False)", lambda lock=lock: lock.acquire(False) and lock.release())
    never_switches("acquire(timeout=0)", lambda lock=lock: lock.acquire(timeout=0) and lock.release())
held = threading.Lock()
held.acquire()
never_switches("acquire(False) in vain", lambda: held.acquire(False))
never_switches("locked", held.locked)
takers = [waiting(held.acquire) for _ in range(OFTEN)]
never_switches("release to a waiter", held.release, 1)

condition = threading.Condition()


def wait() -> None:
    with condition:
        condition.wait()


waiters = [waiting(wait) for _ in range(20)]
with condition:
    never_switches("notify", condition.notify, 10)
    never_switches("notify_all", condition.notify_all)


def enter() -> None:
    with condition:
        pass


for task in waiters:
    task.wait()
never_switches("with condition", enter)

event = threading.Event()
task = waiting(event.wait)
never_switches("Event.set", event.set)
never_switches("Event.clear", event.clear)
never_switches("Event.is_set", event.is_set)
task.wait()

semaphore = threading.Semaphore(0)
task = waiting(semaphore.acquire)
never_switches("Semaphore.release", semaphore.release)
never_switches("Semaphore.acquire(False)", lambda: semaphore.acquire(False), OFTEN - 1)
task.wait()

for made in (queue.Queue(), queue.LifoQueue(), queue.PriorityQueue(), queue.SimpleQueue()):
    task = waiting(made.get)
    never_switches("put", lambda made=made: made.put(1))
    never_switches("put_nowait", lambda made=made: made.put_nowait(1))
    never_switches("get_nowait", made.get_nowait, OFTEN)
    never_switches("get", made.get, OFTEN - 1)
    task.wait()
ready, other = socket.socketpair()
other.send(b"x")
poll, epoll = select.poll(), select.epoll()
for each in (poll, epoll):
    each.register(ready.fileno(), select.POLLIN)
    never_switches("poll(0)", lambda each=each: each.poll(0))
    each.modify(ready.fileno(), select.POLLPRI)
    never_switches("poll(0) in vain", lambda each=each: each.poll(0))
never_switches("select", lambda: select.select([ready], [ready], [], 0))
never_switches("select in vain", lambda: select.select([other], [], [], 0))
for kind in (selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector):
    with kind() as selector:
        key = selector.register(ready, selectors.EVENT_READ)
        never_switches("select(0)", lambda selector=selector: selector.select(0))
        selector.unregister(ready)
        selector.register(other, selectors.EVENT_READ)
        never_switches("select(0) in vain", lambda selector=selector: selector.select(0))

never_switches("spawn", lambda: greening.spawn(int), 10)
never_switches("who am I", lambda: (threading.get_ident(), threading.current_thread()))
counter.kill()
for task in takers:
    task.kill()

# What a loop tries in vain again and again lets others run now and then: they may be what it waits for.
for empty in (queue.Queue(), queue.PriorityQueue()):
    greening.spawn_after(0, empty.put, "item")
    while True:
        try:
            assert empty.get_nowait() == "item"
            break
        except queue.Empty:
            continue
full = queue.Queue(1)
full.put(1)
greening.spawn_after(0, full.get)
while True:
    try:
        full.put_nowait(2)
        break
    except queue.Full:
        continue
event = threading.Event()
greening.spawn_after(0, event.set)
while not event.wait(0):
    pass
lock = threading.Lock()
state = []
greening.spawn_after(0, state.append, 1)
while not state:
    with lock:
        pass
