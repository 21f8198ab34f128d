"""After monkey_patch(): locks between processes are waited for by one green thread, not by all of them.

Argument: the start method.
"""

import greening

greening.monkey_patch()

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time

from greening import tpool
from greening.testing import wait_until_parked


def hold(lock, taken, seconds: float) -> None:
    with lock:
        taken.set()
        time.sleep(seconds)


def put(channel, count: int) -> None:
    for number in range(count):
        channel.put(number)


def wait_for(condition, waiting, out, name: str) -> None:
    with condition:
        waiting.release()
        condition.wait()
    out.put(name)


def meet(barrier, out) -> None:
    out.put(barrier.wait())


def work(channel) -> None:
    while channel.get() is not None:
        channel.task_done()
    channel.task_done()


def count(lock, value, times: int) -> None:
    for _ in range(times):
        with lock:
            value.value += 1


def answer(connection) -> None:
    connection.recv().send("here")
    time.sleep(60)


def error_of(call, *args) -> type[BaseException] | None:
    try:
        call(*args)
    except BaseException as error:
        return type(error)
    return None


def elsewhere(call, *args):
    """The result, in another green thread."""
    thread = greening.spawn(call, *args)
    return thread.wait()


def others_run_while_a_lock_is_waited_for(context) -> None:
    for lock in (context.Lock(), context.RLock(), context.Semaphore(1)):
        taken = context.Event()
        process = context.Process(target=hold, args=(lock, taken, 0.2))
        process.start()
        taken.wait()
        seen: list[int] = []
        ticker = greening.spawn(lambda seen=seen: [(time.sleep(0.001), seen.append(n)) for n in range(10**6)])
        assert not lock.acquire(False)
        assert not lock.acquire(timeout=0.01)
        assert lock.acquire()
        ticker.kill()
        assert len(seen) > 20
        lock.release()
        process.join()


def owners(context) -> None:
    lock = context.RLock()
    assert lock.acquire()
    assert lock.acquire()
    assert repr(lock) == "<RLock(MainProcess, 2)>"
    assert not elsewhere(lock.acquire, False)
    assert elsewhere(error_of, lock.release) is AssertionError
    assert not tpool.execute(lock.acquire, False)
    lock.release()
    assert not elsewhere(lock.acquire, False)
    lock.release()
    assert error_of(lock.release) is AssertionError
    assert elsewhere(lock.acquire, False)
    assert not lock.acquire(False)
    plain = context.Lock()
    assert error_of(plain.release) is ValueError
    assert plain.acquire(timeout=-1)
    assert not plain.acquire(timeout=-1)
    assert error_of(plain.acquire, True, "soon") is TypeError
    elsewhere(plain.release)  # any thread may
    assert tpool.execute(plain.acquire)
    plain.release()
    bounded = context.BoundedSemaphore(2)
    assert bounded.acquire()
    assert bounded.get_value() == 1
    bounded.release()
    assert error_of(bounded.release) is ValueError
    assert error_of(context.Condition().notify) is AssertionError


def order_and_ends_of_waits(context) -> None:
    lock, order = context.Lock(), []

    def take(name: int) -> None:
        with lock:
            order.append(name)

    for round_ in range(3):
        lock.acquire()
        waiters = [greening.spawn(take, name) for name in range(40)]
        greening.sleep(0)
        waiters[0].kill()
        timed = greening.spawn(lock.acquire, True, 0.01)
        assert timed.wait() is False
        with contextlib.suppress(greening.Timeout), greening.Timeout(0.01):
            lock.acquire()
        lock.release()
        for waiter in waiters[1:]:
            waiter.wait()
        assert order == list(range(1, 40)), (round_, order)
        order.clear()
    # Nothing is left behind by a waiter that is killed: neither a claim nor a permit.
    for _ in range(20):
        lock.acquire()
        waiter = greening.spawn(lock.acquire)
        wait_until_parked(waiter)
        waiter.kill()
        lock.release()
        assert lock.acquire(False)
        lock.release()
    # One that has been chosen, and is killed before it runs, passes the lock on.
    lock.acquire()
    first, second = greening.spawn(lock.acquire), greening.spawn(lock.acquire)
    wait_until_parked(second)
    lock.release()
    first.kill()
    assert second.wait() is True
    lock.release()


def exclusion(context) -> None:
    lock, value = context.Lock(), context.Value("i", 0, lock=False)
    process = context.Process(target=count, args=(lock, value, 2000))
    process.start()
    threads = [greening.spawn(count, lock, value, 200) for _ in range(5)]
    native = greening.spawn(tpool.execute, count, lock, value, 500)
    for thread in (*threads, native):
        thread.wait()
    process.join()
    assert value.value == 3500


def a_free_lock_does_not_starve(context) -> None:
    lock, end = context.Lock(), []
    greening.spawn_n(end.append, 1)
    while not end:
        with lock:
            pass


def conditions_events_barriers(context) -> None:
    condition, waiting, out = context.Condition(), context.Semaphore(0), context.Queue()
    waiters = [context.Process(target=wait_for, args=(condition, waiting, out, f"p{n}")) for n in range(2)]
    waiters += [threading.Thread(target=wait_for, args=(condition, waiting, out, f"t{n}")) for n in range(2)]
    for waiter in waiters:
        waiter.start()
    for _ in waiters:
        waiting.acquire()
    with condition:
        condition.notify_all()
    assert sorted(out.get() for _ in waiters) == ["p0", "p1", "t0", "t1"]
    for waiter in waiters:
        waiter.join()
    with condition:
        assert not condition.wait(0.01)
    event = context.Event()
    assert not event.wait(0.01)
    greening.spawn_n(event.set)
    assert event.wait()
    barrier = context.Barrier(3)
    parties = [context.Process(target=meet, args=(barrier, out)), threading.Thread(target=meet, args=(barrier, out))]
    for party in parties:
        party.start()
    assert sorted([barrier.wait(), out.get(), out.get()]) == [0, 1, 2]
    for party in parties:
        party.join()


def queues(context) -> None:
    channel = context.Queue(3)
    process = context.Process(target=put, args=(channel, 60))
    process.start()
    getters = [greening.spawn(lambda: [channel.get() for _ in range(6)]) for _ in range(10)]
    assert sorted(item for getter in getters for item in getter.wait()) == list(range(60))
    process.join()
    assert error_of(channel.get, True, 0.01) is queue.Empty
    simple = context.SimpleQueue()
    process = context.Process(target=put, args=(simple, 500))
    process.start()
    assert [simple.get() for _ in range(500)] == list(range(500))
    process.join()
    joinable = context.JoinableQueue()
    workers = [context.Process(target=work, args=(joinable,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for item in [*range(20), None, None]:
        joinable.put(item)
    joinable.join()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0


def managers(context) -> None:
    with context.Manager() as manager:
        numbers, lock, event = manager.dict(), manager.Lock(), manager.Event()

        def enter(number: int) -> None:
            with lock:
                numbers[number] = number

        threads = [greening.spawn(enter, number) for number in range(10)]
        for thread in threads:
            thread.wait()
        assert sorted(numbers.keys()) == list(range(10))
        waiter = greening.spawn(event.wait, 30)
        greening.sleep(0.01)
        event.set()
        assert waiter.wait()


def a_connection_is_handed_over(context) -> None:
    """A thread of multiprocessing's serves it, which blocks all signals for itself and not for the main thread."""
    ours, theirs = context.Pipe()
    mine, other = context.Pipe()
    process = context.Process(target=answer, args=(other,))
    process.start()
    mine.send(theirs)
    theirs.close()
    assert ours.recv() == "here"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    process.terminate()
    process.join()
    assert process.exitcode == -signal.SIGTERM
    sleeper = context.Process(target=time.sleep, args=(60,))
    sleeper.start()
    sleeper.terminate()
    sleeper.join()
    assert sleeper.exitcode == -signal.SIGTERM


def a_child_of_a_fork_has_no_waiters(context) -> None:
    lock = context.Lock()
    lock.acquire()
    waiter = greening.spawn(lock.acquire)
    wait_until_parked(waiter)
    pid = os.fork()
    if not pid:
        lock.release()  # all processes share a permit: the parent's waiter gets it
        os._exit(0)
    assert waiter.wait() is True
    assert os.waitpid(pid, 0)[1] == 0
    lock.release()


if __name__ == "__main__":
    start_method = multiprocessing.get_context(sys.argv[1])
    for check in (
        others_run_while_a_lock_is_waited_for,
        owners,
        order_and_ends_of_waits,
        exclusion,
        a_free_lock_does_not_starve,
        conditions_events_barriers,
        queues,
        managers,
        a_connection_is_handed_over,
        a_child_of_a_fork_has_no_waiters,
    ):
        check(start_method)
