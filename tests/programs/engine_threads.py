"""Several OS threads: a hub for each, gone with it; everything that synchronises works between them."""

import gc
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import greening
from greening import Condition, Event, GreenletExit, Lock, Queue, RLock, Semaphore, sleep, spawn
from greening._core.current import get_hub, hubs
from greening._core.waiting import forget_fd, wait_readable
from greening._originals import start_new_thread
from greening.testing import wait_until_parked

SEED = int(os.environ.get("SEED", "7"))


def in_os_thread(func: Callable[..., Any], *args: Any) -> Event:
    """Run `func(*args)` in an OS thread of its own; the event carries the outcome."""
    done = Event()

    def run() -> None:
        try:
            result = func(*args)
        except BaseException as error:
            traceback.print_exc()  # the test may wait for what it was to do, and so never ask for the outcome
            done.send(exc=error)
        else:
            done.send(result)

    start_new_thread(run, ())
    return done


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        sleep(0.001)


def a_hub_of_its_own() -> None:
    def body() -> tuple[object, int]:
        order: list[int] = []
        threads = [spawn(lambda n=n: (sleep(0.001 * n), order.append(n))) for n in range(5)]
        for thread in threads:
            thread.wait()
        assert order == [0, 1, 2, 3, 4]
        return get_hub(), greening.getcurrent().ident

    hub, ident = in_os_thread(body).wait()
    assert hub is not get_hub()
    assert hub.thread == ident, "the main greenlet of an OS thread has the thread's own ident"


def hubs_and_descriptors_go_with_their_threads() -> None:
    until(lambda: len(hubs) == 1)
    before = descriptors()
    for _ in range(20):
        assert in_os_thread(lambda: spawn(sleep, 0.001).wait()).wait() is None
    until(lambda: len(hubs) == 1)
    gc.collect()
    until(lambda: descriptors() <= before)  # the last hub before may have been closing when they were counted


def what_is_parked_in_a_thread_that_ends_is_killed_and_takes_nothing_with_it() -> None:
    lock, semaphore, queue, finals = Lock(), Semaphore(0), Queue[int](), []
    lock.acquire()

    def waits(call: Callable[[], object]) -> None:
        try:
            call()
        finally:
            finals.append(call)

    def body() -> list[greening.GreenThread[None]]:
        threads = [spawn(waits, call) for call in (lock.acquire, semaphore.acquire, queue.get)]
        sleep(0)
        return threads

    lost = in_os_thread(body).wait()
    until(lambda: len(hubs) == 1)
    lock.release()
    semaphore.release()
    queue.put(5)
    assert lock.acquire(timeout=1)
    assert semaphore.acquire(timeout=1)
    assert queue.get(timeout=1) == 5
    for thread in lost:
        try:
            thread.wait(1)
            raise AssertionError("it cannot have gone on")
        except GreenletExit as error:
            assert "OS thread has ended" in str(error)
    assert len(finals) == 3, "its `finally` blocks have run"


def a_waiter_elsewhere_is_told_when_the_thread_ends() -> None:
    started, end = Event(), Event()

    def body() -> None:
        started.send(spawn(sleep, 1000))
        end.wait()

    def wait_for_it() -> str:
        try:
            started.wait().wait(5)
        except GreenletExit:
            return "told"
        raise AssertionError("it cannot have ended")

    in_os_thread(body)
    started.wait()
    waiter = spawn(wait_for_it)
    wait_until_parked(waiter)
    end.send()
    assert waiter.wait() == "told"


def killed_from_another_os_thread() -> None:
    def body(start: Callable[[], Any], linked: list[Any], made: Event, go: Event) -> None:
        thread = start()
        thread.link(linked.append)
        made.send(thread)
        go.wait()

    for start in (lambda: spawn(sleep, 1000), lambda: greening.spawn_after(1000, int), lambda: spawn(sleep, 0)):
        made, go, linked = Event(), Event(), []
        done = in_os_thread(body, start, linked, made, go)
        thread = made.wait()
        thread.kill(LookupError("from afar"))
        try:
            thread.wait(5)
        except LookupError as error:
            assert str(error) == "from afar"
        go.send()
        done.wait()
        assert linked == [thread]


def closing_wakes_a_reader_in_another_os_thread() -> None:
    reads, writes = os.pipe()
    begun = Event()

    def body() -> object:
        begun.send(greening.getcurrent())
        try:
            return wait_readable(reads, 5)
        except OSError as error:
            return error.errno

    done = in_os_thread(body)
    wait_until_parked(begun.wait())
    forget_fd(reads)
    assert done.wait(5) == 9
    os.close(reads)
    os.close(writes)


def an_rlock_belongs_to_its_greenlet() -> None:
    lock = RLock()
    with lock, lock:
        assert in_os_thread(lock.acquire, False).wait() is False
        assert spawn(lock.acquire, False).wait() is False
    assert in_os_thread(lambda: lock.acquire() and lock.release()).wait() is None


# Storms


def exclusion(seconds: float) -> None:
    """Green threads in three OS threads: one inside at a time, none starves, none is lost."""
    lock, inside, entered = Lock(), [0], [0]
    stop = time.monotonic() + seconds

    def worker(rng: random.Random) -> None:
        while time.monotonic() < stop:
            got = lock.acquire(timeout=rng.choice((-1, 0.0005, 0.05)))
            if got:
                inside[0] += 1
                assert inside[0] == 1
                if rng.random() < 0.5:
                    sleep(0 if rng.random() < 0.9 else 0.0001)
                assert inside[0] == 1
                inside[0] -= 1
                entered[0] += 1
                lock.release()
            else:
                sleep(0)

    def body(seed: int) -> None:
        threads = [spawn(worker, random.Random(seed + n)) for n in range(4)]
        for thread in threads:
            thread.wait()

    for done in [in_os_thread(body, SEED + 100 * n) for n in range(3)]:
        done.wait(30)
    assert not lock.locked()
    assert entered[0] > 50


def hand_over(count: int, capacity: int | None) -> None:
    """Producers and consumers in four OS threads, some of them impatient, some killed: every item arrives once."""
    queue: Queue[tuple[int, int]] = Queue(capacity)
    got: list[tuple[int, int]] = []
    unsure: list[tuple[int, int]] = []

    def producer(name: int) -> None:
        rng = random.Random(SEED + name)
        for number in range(count):
            while True:
                try:
                    queue.put((name, number), timeout=rng.choice((None, 0.0002)))
                    break
                except Exception as error:
                    assert type(error).__name__ == "Full"

    def consumer(rng: random.Random) -> None:
        while True:
            try:
                item = queue.get(timeout=rng.choice((None, 0.0002)))
            except Exception as error:
                assert type(error).__name__ == "Empty"
            else:
                got.append(item)
                if item[0] < 0:
                    return
                if rng.random() < 0.1:
                    sleep(0)

    def consumers(seed: int) -> None:
        rng = random.Random(seed)
        threads = [spawn(consumer, random.Random(seed + n)) for n in range(4)]
        while not all(thread.dead for thread in threads):
            victim = rng.randrange(4)
            if rng.random() < 0.3 and not threads[victim].dead and len(got) < 2 * count:
                threads[victim].kill()
                threads[victim] = spawn(consumer, random.Random(rng.random()))
            sleep(0.0003)

    def producers(names: tuple[int, ...]) -> None:
        for thread in [spawn(producer, name) for name in names]:
            thread.wait()

    made = [in_os_thread(producers, names) for names in ((0, 1), (2, 3))]
    eaten = [in_os_thread(consumers, seed) for seed in (1, 2)]
    for done in made:
        done.wait(30)
    for _ in range(8):
        queue.put((-1, 0))
    for done in eaten:
        assert done.wait(30) is None and done.ready()
    items = [item for item in got if item[0] >= 0]
    assert sorted(items + unsure) == [(name, number) for name in range(4) for number in range(count)]
    assert queue.qsize() == queue.getting() == queue.putting() == 0


def permits(seconds: float) -> None:
    """A semaphore between OS threads under kills and timeouts: no permit is lost, none is invented."""
    semaphore, inside = Semaphore(3), [0]
    stop = time.monotonic() + seconds

    def worker(rng: random.Random) -> None:
        while time.monotonic() < stop:
            if semaphore.acquire(timeout=rng.choice((None, 0.0003))):
                try:
                    inside[0] += 1
                    assert inside[0] <= 3
                    sleep(0)
                finally:
                    inside[0] -= 1
                    semaphore.release()

    def body(seed: int) -> None:
        rng = random.Random(seed)
        threads = [spawn(worker, random.Random(seed + n)) for n in range(6)]
        while time.monotonic() < stop:
            victim = rng.randrange(6)
            threads[victim].kill()
            threads[victim] = spawn(worker, random.Random(rng.random()))
            sleep(0.0005)
        for thread in threads:
            thread.wait()

    for done in [in_os_thread(body, SEED + 100 * n) for n in range(3)]:
        done.wait(30)
    assert semaphore.counter == 3, semaphore
    assert inside == [0]


def notifications(rounds: int) -> None:
    """A condition between OS threads: as many are woken as were notified."""
    condition, waiting, woken = Condition(), [0], [0]

    def waiter() -> None:
        with condition:
            waiting[0] += 1
            assert condition.wait(10)
            woken[0] += 1

    def body() -> None:
        for thread in [spawn(waiter) for _ in range(3)]:
            thread.wait()

    for _ in range(rounds):
        waiting[0] = woken[0] = 0
        bodies = [in_os_thread(body) for _ in range(2)]
        until(lambda: waiting[0] == 6)
        with condition:
            condition.notify(2)
        until(lambda: woken[0] == 2)
        sleep(0.002)
        assert woken[0] == 2
        with condition:
            condition.notify_all()
        for done in bodies:
            done.wait(10)
        assert woken[0] == 6


sys.setswitchinterval(0.00002)  # so that OS threads are switched in the middle of everything
steps: list[tuple[Callable[..., None], tuple[Any, ...]]] = [
    (a_hub_of_its_own, ()),
    (hubs_and_descriptors_go_with_their_threads, ()),
    (what_is_parked_in_a_thread_that_ends_is_killed_and_takes_nothing_with_it, ()),
    (a_waiter_elsewhere_is_told_when_the_thread_ends, ()),
    (killed_from_another_os_thread, ()),
    (closing_wakes_a_reader_in_another_os_thread, ()),
    (an_rlock_belongs_to_its_greenlet, ()),
    (exclusion, (0.3,)),
    (hand_over, (150, None)),
    (hand_over, (150, 2)),
    (hand_over, (150, 0)),
    (permits, (0.3,)),
    (notifications, (5,)),
]
for step, args in steps:
    start = time.monotonic()
    step(*args)
    if "-v" in sys.argv:
        print(f"{step.__name__}: {time.monotonic() - start:.2f} s", flush=True)
