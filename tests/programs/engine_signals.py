"""Python signal handlers that were installed without patching: they end the hub's sleep, and may not block in it."""

import os
import signal
import time
from collections.abc import Callable

import greening
from greening import Event, GreenletExit, Lock, Semaphore, sleep, spawn

T0 = time.monotonic


def handle(handler: Callable[[], object], seconds: float = 0.02) -> None:
    """Have `handler` called by the signal that comes in `seconds`."""
    signal.signal(signal.SIGALRM, lambda *args: handler())
    signal.setitimer(signal.ITIMER_REAL, seconds)


def quickly(func: Callable[[], object]) -> None:
    start = T0()
    func()
    took = T0() - start
    assert took < 1, f"{func.__name__} took {took} s"


def a_handler_wakes() -> None:
    event, lock, semaphore = Event(), Lock(), Semaphore(0)
    lock.acquire()
    handle(lambda: event.send(7))
    assert event.wait(3) == 7
    handle(lock.release)
    assert lock.acquire(timeout=3)
    handle(semaphore.release)
    assert semaphore.acquire(timeout=3)


def a_handler_spawns() -> None:
    event = Event()
    handle(lambda: spawn(event.send, 8))
    assert event.wait(3) == 8
    event.reset()
    handle(lambda: greening.spawn_n(event.send, 9))
    assert event.wait(3) == 9


def a_handler_sets_a_timer() -> None:
    event = Event()
    handle(lambda: greening.spawn_after(0.01, event.send, 9))
    assert event.wait(3) == 9


def a_handler_kills() -> None:
    thread = spawn(sleep, 3)
    handle(thread.kill)
    try:
        thread.wait()
        raise AssertionError("not killed")
    except GreenletExit:
        pass
    later = greening.spawn_after(3, AssertionError)
    handle(later.cancel)
    try:
        later.wait()
        raise AssertionError("not cancelled")
    except GreenletExit:
        pass


def a_handler_may_block() -> None:
    """Also where it interrupts the hub, which everything else depends on."""
    for block in (
        lambda: sleep(0),
        lambda: sleep(0.01),
        lambda: Event().wait(0.01),
        lambda: Semaphore(0).acquire(timeout=0.01),
        lambda: spawn(sleep, 0.01).wait(),
    ):
        done = Event()
        handle(lambda block=block, done=done: (block(), done.send(True)))
        ticks = spawn(lambda: [sleep(0.001) for _ in range(30)])
        assert done.wait(3) is True
        ticks.wait()
    assert spawn(lambda: 5).wait() == 5


def a_handler_raises() -> None:
    def fail() -> None:
        raise LookupError("from the handler")

    others = spawn(sleep, 0.05)
    handle(fail)
    try:
        sleep(3)
        raise AssertionError("not raised")
    except LookupError:
        pass
    others.wait()


def control_c() -> None:
    """Wherever it comes, main gets it; the hub goes on."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    others = spawn(sleep, 0.1)
    for _ in range(2):
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        try:
            sleep(3)
            raise AssertionError("not interrupted")
        except KeyboardInterrupt:
            pass
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    busy = spawn(lambda: [None for _ in iter(int, 1)])  # a green thread that never parks
    try:
        sleep(3)
        raise AssertionError("not interrupted")
    except KeyboardInterrupt:
        pass
    assert busy.dead
    others.wait()


def a_storm() -> None:
    """Signals all the time: no sleep is too short or too long, nothing is lost."""
    count = [0]

    def bump(*args: object) -> None:
        count[0] += 1

    signal.signal(signal.SIGALRM, bump)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    queue: greening.Queue[int] = greening.Queue(1)

    def produce() -> None:
        for n in range(300):
            queue.put(n)
            if n % 50 == 0:
                start = T0()
                sleep(0.003)
                assert 0.003 <= T0() - start < 0.5

    producer = spawn(produce)
    assert [queue.get() for _ in range(300)] == list(range(300))
    producer.wait()
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert count[0] > 5


os.environ["PYTHONFAULTHANDLER"] = "1"
for step in (
    a_handler_wakes,
    a_handler_spawns,
    a_handler_sets_a_timer,
    a_handler_kills,
    a_handler_may_block,
    a_handler_raises,
    control_c,
    a_storm,
):
    quickly(step)
