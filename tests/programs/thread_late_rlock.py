"""RLocks that native threads are in the middle of while the process is patched: held, waited for, waited in."""

import logging
import queue
import threading

held, often, nested, awaited, released = (threading.RLock() for _ in range(5))
condition = threading.Condition()
state: list[str] = []
done: "queue.Queue[str]" = queue.Queue()
inside: "queue.Queue[str]" = queue.Queue()
go = threading.Event()


class Stopping(logging.Handler):
    """In the middle of a record while the process is patched; up to 3.12 `handle` looks `release` up afterwards."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.args == ("native",):
            inside.put("handler")
            go.wait()
        state.append(record.getMessage())


handler = Stopping()
logger = logging.getLogger("late")
logger.propagate = False
logger.addHandler(handler)


def holder() -> None:
    held.acquire()
    often.acquire()
    often.acquire()
    with nested:
        inside.put("holder")
        go.wait()
        with nested:  # real outside, green inside
            assert nested._is_owned()
        assert nested._is_owned()
    assert not nested._is_owned()
    held.release()
    often.release()
    assert often._is_owned()
    often.release()
    assert not often._is_owned()
    try:
        often.release()
    except RuntimeError:
        done.put("holder")


def waiter() -> None:
    with condition:
        inside.put("waiter")
        condition.wait_for(lambda: state)
        assert condition._is_owned()
    assert not condition._is_owned()
    done.put("waiter")


def taker() -> None:
    inside.put("taker")
    awaited.acquire()  # in C, until the main thread lets go of it
    awaited.release()
    done.put("taker")


def log() -> None:
    logger.warning("from %s", "native")
    done.put("log")


awaited.acquire()
natives = [threading.Thread(target=target) for target in (holder, waiter, taker, log)]
for thread in natives:
    thread.start()
assert {inside.get() for _ in natives} == {"holder", "waiter", "taker", "handler"}
with condition:
    pass  # the waiter has let go of it, and so is in `wait`
released.acquire()
released.acquire()

import greening

greening.monkey_patch()


def cannot_have(lock: object) -> bool:
    return greening.spawn(lock.acquire, False).wait() is False  # type: ignore[attr-defined]  # a lock


# The main greenlet has it from before, twice: no other thread gets it until it has let go of it twice.
assert cannot_have(released) and released._is_owned() and released._recursion_count() == 2
with released:
    released.release()
    assert released._is_owned() and released._recursion_count() == 2 and cannot_have(released)
saved = released._release_save()
assert greening.spawn(lambda: released.acquire() and (released.release(), released._is_owned())[1]).wait() is False
released._acquire_restore(saved)
assert released._recursion_count() == 1 and cannot_have(released)
green_taker = greening.spawn(released.acquire)
greening.sleep(0)
released.release()
assert green_taker.wait() is True and not released._is_owned()

for lock in (held, often, nested):
    assert cannot_have(lock) and lock.acquire(timeout=0.001) is False, "a native thread has it"
takers = [greening.spawn(lock.acquire) for lock in (held, often, nested)]
loggers = [greening.spawn(logger.warning, "from %s", n) for n in range(3)]
greening.sleep(0)
assert not state, "the handler is the native thread's"
awaited.release()
go.set()
assert [task.wait() for task in takers] == [True] * 3
for task in loggers:
    task.wait()
with condition:
    state.append("state")
    condition.notify()
assert {done.get(timeout=10) for _ in natives} == {"holder", "waiter", "taker", "log"}
for thread in natives:
    thread.join()
assert sorted(state) == ["from 0", "from 1", "from 2", "from native", "state"], state

# A green thread that is killed while it waits for one of them leaves no trace.
lock = released
assert lock.locked() is True
killed = greening.spawn(lock.acquire)
greening.sleep(0)
killed.kill()
greening.unpatch()
