"""Patching late: half of the stdlib, locks in every kind of place, and native threads were there before."""

import _thread
import concurrent.futures
import functools
import logging
import queue
import sys
import threading
import time
from collections import OrderedDict, deque, namedtuple

RealLock, RealRLock = type(threading.Lock()), type(threading.RLock())
native_sleep = time.sleep

# Locks in every kind of place.

in_module = threading.Lock()
re_entrant = threading.RLock()
Pair = namedtuple("Pair", "lock number")
pair = Pair(threading.Lock(), 1)
in_tuple = (1, (threading.Lock(), "x"))
in_list = [threading.Lock()]
in_dict = {"lock": threading.Lock()}
in_deque = deque([threading.Lock()])
in_set = {threading.Lock()}
key = threading.Lock()
as_key = {1: "first", key: "key", 2: "last"}
as_both = {key: key}
ordered = OrderedDict(lock=threading.RLock())
partial = functools.partial(lambda lock: lock, threading.Lock())


class Slots:
    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.lock = threading.RLock()


class Instance:
    in_class = threading.Lock()

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.acquire = self.lock.acquire
        self.release = self.lock.release


def closure():
    lock = threading.Lock()
    return lambda: lock


def default(lock=threading.Lock(), *, other=threading.RLock()):  # noqa: B008  # a lock made once is what is tested
    return lock, other


slots, instance, closed = Slots(), Instance(), closure()
condition, event, semaphore = threading.Condition(), threading.Event(), threading.Semaphore(2)
plain_condition = threading.Condition(threading.Lock())
channel, simple = queue.Queue(), queue.SimpleQueue()
handler = logging.StreamHandler(sys.stderr)
logging.getLogger("late").addHandler(handler)
unstarted = threading.Thread(target=lambda: seen.append(threading.get_ident()))
seen: list[object] = []

held, held_often = threading.Lock(), threading.RLock()
held.acquire()
held_often.acquire()
held_often.acquire()

# Native threads that are in the middle of something while the process is patched.

gate = _thread.allocate_lock()
gate.acquire()
inside, answers = queue.Queue(), queue.Queue()


def native() -> None:
    with re_entrant:
        inside.put("holds re_entrant")
        channel.get()  # waits in a real lock
    answers.put(("got", _thread.get_ident()))


def native_sleeper() -> None:
    simple.get()
    answers.put(("simple", _thread.get_ident()))


def native_looper() -> None:
    while not stop:
        with in_module, shared:
            counts[0] += 1
            native_sleep(0)
            counts[1] += 1
    answers.put(("loop", _thread.get_ident()))


stop: list[bool] = []
counts = [0, 0]
shared = threading.RLock()
natives = [threading.Thread(target=f) for f in (native, native_sleeper, native_looper)]
for thread in natives:
    thread.start()
assert inside.get() == "holds re_entrant"
native_idents = {thread.ident for thread in natives}

with held_often, in_list[0]:  # blocks that begin real and end green
    import greening

    greening.monkey_patch()

green_lock, green_rlock = type(threading.Lock()), type(threading.RLock())


def check_places() -> None:
    places = {
        "in_module": in_module,
        "namedtuple": pair.lock,
        "tuple in tuple": in_tuple[1][0],
        "list": in_list[0],
        "dict": in_dict["lock"],
        "set": next(iter(in_set)),
        "key": list(as_key)[1],
        "class": Instance.in_class,
        "instance": instance.lock,
        "method": instance.acquire.__self__,
        "closure": closed(),
        "deque": in_deque[0],
        "default": default()[0],
        "queue": channel.mutex,
        "plain condition": plain_condition._lock,
        "condition's method": plain_condition.acquire.__self__,
    }
    re_entrant_places = {
        "re_entrant": re_entrant,
        "slots": slots.lock,
        "ordered": ordered["lock"],
        "keyword default": default()[1],
        "condition": condition._lock,
        "condition's private method": condition._is_owned.__self__,
        "handler": handler.lock,
        "logging": logging._lock,
        "threading": threading._active_limbo_lock,
    }
    real = [name for name, lock in places.items() if not isinstance(lock, green_lock)]
    real += [name for name, lock in re_entrant_places.items() if not isinstance(lock, green_rlock)]
    assert not real, real
    assert type(pair) is Pair and pair.number == 1 and in_tuple[0] == 1
    assert instance.acquire.__self__ is instance.lock
    assert list(as_key.values()) == ["first", "key", "last"] and as_key[key] == "key" and as_both == {key: key}
    assert threading.Event()._cond is not event._cond and isinstance(event._cond._lock, green_lock)


def check_held() -> None:
    assert held.locked() and not held.acquire(False)
    waiter = greening.spawn(held.acquire)
    greening.sleep(0)
    held.release()
    assert waiter.wait(5) is True
    held.release()
    assert not in_list[0].locked(), "the block that began before the patch has ended"
    assert held_often._is_owned() and greening.spawn(held_often.acquire, False).wait() is False
    held_often.release()
    assert greening.spawn(held_often.acquire, False).wait() is False
    held_often.release()
    assert not held_often._is_owned()
    assert greening.spawn(lambda: held_often.acquire(timeout=1)).wait()


def check_natives() -> None:
    # One of them holds re_entrant, in C, and waits for the queue.
    got = greening.spawn(lambda: re_entrant.acquire(timeout=0.001)).wait()
    assert got is False, "a native thread holds it"
    waiter = greening.spawn(re_entrant.acquire)
    alive = greening.spawn(lambda: [threading.enumerate(), natives[0].is_alive()]).wait()
    assert set(natives) <= set(alive[0]) and alive[1]
    natives[0].join(0.001)
    channel.put("item")
    assert waiter.wait(5) is True, "the native thread has let go of it"
    simple.put("item")
    ticks = [greening.spawn(tick) for _ in range(3)]
    for task in ticks:
        task.wait(5)
    stop.append(True)
    for thread in natives:
        thread.join(5)
        assert not thread.is_alive()
    assert counts[0] == counts[1]
    assert {answers.get(timeout=5)[1] for _ in natives} == native_idents


def tick() -> None:
    for _ in range(20):
        with in_module, shared:
            before = counts[:]
            greening.sleep(0)
            assert before == counts, "another thread was in there"
            counts[0] += 1
            counts[1] += 1


def check_threads() -> None:
    assert threading.current_thread() is threading.main_thread()
    assert not unstarted.is_alive()
    unstarted.start()
    unstarted.join(5)
    assert len(seen) == 1 and seen[0] not in native_idents
    waiter = greening.spawn(event.wait, 5)
    greening.sleep(0)
    event.set()
    assert waiter.wait()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(abs, [-1, -2])) == [1, 2]


def check_unpatch() -> None:
    greening.unpatch()
    assert type(threading.Lock()) is RealLock and type(threading.RLock()) is RealRLock
    for lock in (in_module, pair.lock, in_tuple[1][0], in_dict["lock"], next(iter(in_set)), instance.lock, closed()):
        assert type(lock) is RealLock, lock
    assert type(ordered["lock"]) is RealRLock and type(slots.lock) is RealRLock
    thread = threading.Thread(target=lambda: seen.append(_thread.get_ident()))
    thread.start()
    thread.join()
    assert seen[-1] != _thread.get_ident()


check_places()
check_held()
check_natives()
check_threads()
check_unpatch()
