"""What a green thread waits for is told in both builds, whatever it waits for."""

import os
import queue
import select
import socket
import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from greening import (
    Condition,
    Event,
    GreenPool,
    GreenThread,
    Lock,
    Queue,
    RLock,
    Semaphore,
    getcurrent,
    joinall,
    kill,
    nursery,
    sleep,
    spawn,
    spawn_after,
)
from greening._compiled import accelerator
from greening.debug.waits import KINDS, Seen, Wait, file_of, oldest_first, wait_of
from greening.green import queue as green_queue
from greening.green import subprocess as green_subprocess
from greening.green import threading as green_threading
from greening.net.socket import GreenSocket
from greening.testing import Fake, FakePoller, settle
from greening.threads.native import execute


class Started(list[GreenThread[Any]]):
    """Starts green threads that are killed when the test ends."""

    def __call__(self, func: Callable[..., Any], *args: Any) -> Wait:
        """Have `func` wait in a green thread of its own; return what for."""
        thread = spawn(func, *args)
        self.append(thread)
        settle()
        return wait_of(thread)


@pytest.fixture
def waiting() -> Iterator[Started]:
    started = Started()
    yield started
    for thread in started:
        kill(thread)


def in_a_function(call: Callable[..., Any], *args: Any) -> Any:
    return call(*args)


@pytest.mark.parametrize(
    "start", [lambda waiting, *call: waiting(*call), lambda waiting, *call: waiting(in_a_function, *call)]
)
def test_primitives_of_greening_are_told_whether_the_function_is_one_or_calls_one(
    waiting: Started, start: Callable[..., Wait]
) -> None:
    event, none, pool = Event(), Semaphore(0), GreenPool(0)
    full: Queue[str] = Queue(1)
    empty: Queue[str] = Queue()
    full.put("one")
    wait = start(waiting, event.wait)
    assert (wait.kind, wait.object, wait.seconds) == ("event", event, None)
    assert str(wait) == f"waits for Event at {id(event):#x} to be sent"
    wait = start(waiting, empty.get)
    assert (wait.kind, wait.object, wait.what) == ("queue", empty, f"an item of Queue at {id(empty):#x}")
    wait = start(waiting, full.put, "two")
    assert (wait.kind, wait.object, wait.what) == ("queue", full, f"a place in Queue at {id(full):#x}")
    wait = start(waiting, full.join)
    assert (wait.kind, wait.what) == ("queue", f"the 2 unfinished tasks of Queue at {id(full):#x}")
    wait = start(waiting, none.acquire)
    assert (wait.kind, wait.object) == ("semaphore", none)
    wait = start(waiting, pool.spawn, int)
    assert (wait.kind, wait.what) == ("pool", f"a place in GreenPool at {id(pool):#x}")


def test_a_channel_is_told_as_one(waiting: Started) -> None:
    assert waiting(Queue(0).put, 1).what.endswith("(a channel)")


def test_an_rlock_is_told_with_its_owner(waiting: Started) -> None:
    lock = RLock()
    with lock:
        wait = waiting(lock.acquire)
        assert (wait.kind, wait.object, wait.owner) == ("lock", lock, getcurrent())
        assert str(wait) == f"waits for RLock at {id(lock):#x}, which {getcurrent().name} holds"


@pytest.mark.skipif(accelerator is None, reason="the Python source does not note who takes a Lock")
def test_a_lock_is_told_with_its_holder_however_that_got_it(waiting: Started) -> None:
    lock = Lock()

    def hold() -> None:
        with lock:
            sleep(100)

    with lock:
        assert waiting(hold).owner is getcurrent()
        assert waiting(hold).owner is getcurrent()
    settle()
    assert wait_of(waiting[1]).owner is waiting[0]  # it was handed over
    assert waiting(lock.acquire, True, 50).owner is waiting[0]
    waiting[0].kill()
    assert wait_of(waiting[2]).owner is waiting[1]


@pytest.mark.skipif(accelerator is None, reason="the Python source does not note who takes a Lock")
@pytest.mark.parametrize("make", [Lock, RLock])
def test_a_lock_that_was_never_released_is_told_as_abandoned(waiting: Started, make: type[Lock]) -> None:
    lock = make()
    spawn(lock.acquire).wait()
    wait = waiting(lock.acquire)
    assert (wait.owner, wait.abandoned) == (None, True)
    assert str(wait).endswith(", which a green thread holds that has ended")


def test_a_condition_that_takes_its_lock_again_waits_for_the_lock(waiting: Started) -> None:
    condition = Condition()

    def wait_for_change() -> None:
        with condition:
            condition.wait()

    assert waiting(wait_for_change).kind == "condition"
    with condition:
        condition.notify()
        settle()
        assert wait_of(waiting[0]).kind == "lock"


def test_a_green_thread_that_is_waited_for_is_told(waiting: Started) -> None:
    waiting(sleep, 10)
    wait = waiting(waiting[0].wait)
    assert (wait.kind, wait.object, wait.owner) == ("green thread", waiting[0], waiting[0])
    assert wait.what == f"{waiting[0].name} to end"
    delayed = spawn_after(60, int)
    waiting.append(delayed)
    assert waiting(delayed.wait).object is delayed
    assert waiting(delayed.wait, 30).seconds == pytest.approx(30, abs=2)


def test_what_is_left_of_a_sleep_is_told(waiting: Started) -> None:
    wait = waiting(sleep, 1000)
    assert wait.kind == "sleep"
    assert wait.seconds == pytest.approx(1000, abs=5)
    assert str(Wait("sleep", seconds=1.25)) == "sleeps, 1.2 s more"


def test_states_are_told() -> None:
    thread = spawn(int)
    assert str(wait_of(thread)) == "not begun"
    assert str(wait_of(getcurrent())) == "running"
    thread.wait()
    assert str(wait_of(thread)) == "ended"
    delayed = spawn_after(100, int)
    assert wait_of(delayed).seconds == pytest.approx(100, abs=5)
    delayed.cancel()
    event = Event()
    thread = spawn(event.wait)
    settle()
    event.send()
    assert str(wait_of(thread)) == "ready"
    thread.wait()


def test_a_socket_is_told_with_both_ends(waiting: Started) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, GreenSocket() as client:
        client.connect(server.getsockname())
        wait = waiting(client.recv, 1)
        (host, port), (there, other) = client.getsockname(), server.getsockname()
        assert (wait.kind, wait.fd, wait.object) == ("descriptor", client.fileno(), client)
        assert wait.what == f"descriptor {client.fileno()} (socket {host}:{port} to {there}:{other}) to be readable"


def test_a_file_is_told_by_what_it_is() -> None:
    reads, writes = os.pipe()
    assert file_of(reads).startswith("pipe:[")
    os.close(reads)
    os.close(writes)
    assert file_of(reads) == "closed"
    one, other = socket.socketpair()
    with one, other:
        assert file_of(one.fileno()) == "socket (unnamed) to (unnamed)"
        assert one.fileno() >= 0  # it was borrowed
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        assert file_of(server.fileno()) == f"socket [::1]:{server.getsockname()[1]}"


def test_a_child_is_told_by_its_number(waiting: Started) -> None:
    child = green_subprocess.Popen(["cat"], stdin=green_subprocess.PIPE)
    wait = waiting(child.wait)
    assert (wait.kind, wait.what) == ("child", f"process {child.pid} to end")
    child.stdin.close()
    waiting[0].wait()


def test_a_native_call_is_told_by_its_function(waiting: Started) -> None:
    go_on = threading.Lock()
    go_on.acquire()
    wait = waiting(execute, go_on.acquire)
    go_on.release()
    assert (wait.kind, wait.what) == ("native call", f"the native call of {go_on.acquire.__qualname__}")
    waiting[0].wait()


def test_the_stdlibs_primitives_are_told(waiting: Started) -> None:
    flag, permits, condition = green_threading.Event(), green_threading.Semaphore(0), green_threading.Condition()
    lock, items, barrier = green_threading.Lock(), green_queue.Queue(), green_threading.Barrier(2)
    simple = green_queue.SimpleQueue()
    lock.acquire()

    def wait_for_change() -> None:
        with condition:
            condition.wait()

    told = {
        "event": (flag, waiting(flag.wait)),
        "semaphore": (permits, waiting(permits.acquire)),
        "lock": (lock, waiting(lock.acquire)),
        "queue": (items, waiting(items.get)),
        "condition": (condition, waiting(wait_for_change)),
    }
    assert {kind: wait.kind for kind, (_, wait) in told.items()} == {kind: kind for kind in told}
    assert [wait.object for _, wait in told.values()] == [primitive for primitive, _ in told.values()]
    assert waiting(barrier.wait).object is barrier
    assert waiting(simple.get).kind == "queue"
    assert waiting(flag.wait, 50).seconds == pytest.approx(50, abs=2)


def test_a_thread_of_threading_is_told_as_the_green_thread_that_it_is(waiting: Started) -> None:
    go_on = Event()
    thread = green_threading.Thread(target=go_on.wait, name="worker")
    thread.start()
    wait = waiting(thread.join)
    assert (wait.kind, wait.what) == ("green thread", "worker to end")
    assert wait.owner is not None
    assert wait.owner.ident == thread.ident
    go_on.send()
    waiting[0].wait()


def test_one_look_serves_for_all_tasks(waiting: Started) -> None:
    waiting(sleep, 10)
    waiting(waiting[0].wait)
    waiting(queue.Queue().join)
    seen = Seen()
    assert seen.joined == {waiting[1]: waiting[0]}
    assert wait_of(waiting[1], seen) == wait_of(waiting[1])


def test_every_kind_is_among_the_kinds() -> None:
    assert len(set(KINDS)) == len(KINDS)


def test_the_order_is_that_of_the_spawns_however_long_it_takes_to_look(
    fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = [spawn(sleep, 10) for _ in range(5)]
    for number, thread in enumerate(threads):
        thread.name = f"t{number}"
    settle()
    times = count(fake.hub.now() + 1, 0.5)
    with monkeypatch.context() as patch:
        patch.setattr(fake.hub, "now", lambda: next(times))  # each look at the clock is half a second later
        assert [thread.name for thread in oldest_first(fake.hub)] == ["t0", "t1", "t2", "t3", "t4"]
    for thread in threads:
        kill(thread)


def test_an_epoll_descriptor_is_what_it_watches() -> None:
    (one, other), (third, fourth) = os.pipe(), os.pipe()
    with select.epoll() as poller:
        assert file_of(poller.fileno()) == "epoll for 0 descriptors"
        poller.register(one)
        assert file_of(poller.fileno()) == f"epoll for descriptor {one} ({os.readlink(f'/proc/self/fd/{one}')})"
        poller.register(third)
        assert file_of(poller.fileno()) == f"epoll for 2 descriptors: {min(one, third)}, {max(one, third)}"
    for fd in (one, other, third, fourth):
        os.close(fd)


def test_the_end_of_several_green_threads_is_told_with_their_names(waiting: Started) -> None:
    threads = [spawn(sleep, 100) for _ in range(4)]
    first, second, third, fourth = (thread.name for thread in threads)
    wait = start_and_tell(waiting, joinall, threads)
    assert wait == ("green thread", f"4 green threads to end ({first}, {second}, {third}, ...)")
    for thread in threads[:3]:
        kill(thread)
    settle()
    last = wait_of(waiting[0])
    assert (last.what, last.owner) == (f"{fourth} to end", threads[3])
    kill(threads[3])


def test_the_end_of_a_nursery_is_told(waiting: Started) -> None:
    opened = nursery()

    def block() -> None:
        with opened as n:
            n.spawn(sleep, 100)

    assert start_and_tell(waiting, block) == ("pool", f"all green threads of nursery at {id(opened):#x}")


def start_and_tell(waiting: Started, func: Callable[..., Any], *args: Any) -> tuple[str, str]:
    wait = waiting(func, *args)
    return wait.kind, wait.what
