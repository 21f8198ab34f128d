"""Locks between processes that exist already when the program is patched, one of them taken."""

import multiprocessing
import time
from multiprocessing import connection, pool  # noqa: F401  # they capture names early

context = multiprocessing.get_context("fork")
lock, re_entrant, held, condition = context.Lock(), context.RLock(), context.RLock(), context.Condition()
channel, value, event = context.Queue(), context.Value("i", 3), context.Event()
one, other = context.Pipe()
bound = lock.acquire
held.acquire()
held.acquire()

import greening

greening.monkey_patch()

import os


def hold(taken) -> None:
    with lock, re_entrant, condition, value.get_lock():
        taken.set()
        time.sleep(0.15)


def ticks_while(call, *args) -> int:
    seen: list[int] = []
    ticker = greening.spawn(lambda: [(greening.sleep(0.001), seen.append(n)) for n in range(10**6)])
    call(*args)
    ticker.kill()
    return len(seen)


taken = context.Event()
for each in (lock, re_entrant, condition, value):
    taken.clear()
    process = context.Process(target=hold, args=(taken,))
    process.start()
    taken.wait()
    assert ticks_while(each.acquire) > 20, each
    each.release()
    process.join()

assert re_entrant.acquire()
assert not greening.spawn(re_entrant.acquire, False).wait()
re_entrant.release()
assert not greening.spawn(held.acquire, False).wait()
held.release()
held.release()
assert greening.spawn(held.acquire, False).wait()

assert bound()
lock.release()
assert ticks_while(event.wait, 0.1) > 20
assert ticks_while(one.poll, 0.1) > 20
getter = greening.spawn(channel.get)
receiver = greening.spawn(one.recv)
greening.sleep(0.01)
channel.put(1)
other.send(2)
assert (getter.wait(), receiver.wait()) == (1, 2)

greening.unpatch()
assert lock.acquire()
lock.release()
with condition:
    condition.notify_all()
pid = os.fork()
if not pid:
    os._exit(not re_entrant.acquire())
assert os.waitpid(pid, 0)[1] == 0
