"""What a task is about to wait for is told at the park itself, for each primitive, and with its place."""

import gc
import os
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from greening import Event, GreenPool, GreenThread, Lock, Queue, RLock, Semaphore, kill, sleep, spawn
from greening._compiled import accelerator
from greening._core.current import get_hub
from greening._core.journal import JOURNAL, WAIT
from greening._core.parking_lot import ParkingLot
from greening._core.waiting import wait_readable
from greening.debug.reasons import Reason, Reasons, readiness
from greening.green import queue as green_queue
from greening.green import threading as green_threading
from greening.testing import settle
from greening.threads.native import execute

Waits = Callable[..., Reason]


@pytest.fixture
def waits() -> Iterator[Waits]:
    """Have a function wait in a green thread of its own; return the reason of its last park."""
    threads: list[GreenThread[Any]] = []
    reasons = Reasons()

    def wait(func: Callable[..., Any], *args: Any) -> Reason:
        get_hub()
        thread = spawn(in_a_function, func, *args)
        threads.append(thread)
        JOURNAL.begin(1000, reasons)
        settle()
        JOURNAL.end()
        number = JOURNAL.number(thread)
        labels = [entry[5] for entry in JOURNAL if entry[1] == WAIT and entry[2] == number]  # type: ignore[attr-defined]
        return Reason(*labels[-1])

    yield wait
    JOURNAL.clear()
    for thread in threads:
        kill(thread)


def in_a_function(call: Callable[..., Any], *args: Any) -> Any:
    return call(*args)


def taken(lock: Any) -> Any:
    lock.acquire()
    return lock


def full(one: Any) -> Any:
    one.put(1)
    return one


PRIMITIVES: dict[str, tuple[Callable[[], Any], str, tuple[Any, ...], str, str]] = {
    "lock": (lambda: taken(Lock()), "acquire", (), "lock", "Lock at {:#x}"),
    "rlock": (lambda: spawned(taken, RLock()), "acquire", (), "lock", "RLock at {:#x}"),
    "semaphore": (lambda: Semaphore(0), "acquire", (), "semaphore", "a permit of Semaphore at {:#x}"),
    "event": (Event, "wait", (), "event", "Event at {:#x} to be sent"),
    "get": (Queue, "get", (), "queue", "an item of Queue at {:#x}"),
    "put": (lambda: full(Queue(1)), "put", (2,), "queue", "a place in Queue at {:#x}"),
    "threading's event": (green_threading.Event, "wait", (), "event", "Event at {:#x} to be set"),
    "queue.Queue": (green_queue.Queue, "get", (), "queue", "an item of Queue at {:#x}"),
}


def spawned(func: Callable[..., Any], *args: Any) -> Any:
    return spawn(func, *args).wait()


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_primitive_is_told_by_its_class_and_address(waits: Waits, name: str) -> None:
    make, method, args, kind, text = PRIMITIVES[name]
    primitive = make()
    for _ in range(2):  # the second time, what was learned
        found = waits(getattr(primitive, method), *args)
        assert found.kind == kind
        assert found.sentence() == text.format(id(primitive))


def test_the_place_is_that_of_the_program(waits: Waits) -> None:
    found = waits(Event().wait)
    line = in_a_function.__code__.co_firstlineno + 1
    assert found.place() == f"{__file__}:{line} in in_a_function"


@pytest.mark.skipif(accelerator is None, reason="the Python source does not note who has a lock")
def test_a_lock_is_told_with_its_holder(waits: Waits) -> None:
    lock, done = Lock(), Event()

    def hold() -> None:
        with lock:
            done.wait()

    holder = spawn(hold)
    settle()
    assert waits(lock.acquire).holder == JOURNAL.number(holder)
    done.send()


def test_a_sleep_is_told_with_its_length(waits: Waits) -> None:
    found = waits(sleep, 30)
    assert (found.kind, found.sentence()) == ("sleep", "30 seconds")


def test_descriptors_that_are_waited_for_by_number_are_told(waits: Waits) -> None:
    reads, writes = os.pipe()
    try:
        found = waits(wait_readable, reads)
        assert (found.kind, found.sentence()) == ("descriptor", f"descriptor {reads} to be readable")
    finally:
        os.close(writes)


def test_the_same_function_waits_for_different_threads(waits: Waits) -> None:
    """What depends on more than the object is asked each time."""
    for name in ("first", "second"):
        stays = green_threading.Event()
        thread = green_threading.Thread(target=stays.wait, name=name, daemon=True)
        thread.start()
        assert waits(thread.join).sentence().startswith(name)
        stays.set()


def test_a_call_in_the_native_pool_is_told_by_its_function(waits: Waits) -> None:
    go = Future[None]()
    found = waits(execute, go.result, 10)
    go.set_result(None)
    assert (found.kind, found.sentence()) == ("native call", "the native call of Future.result")


def test_a_pool_is_told_instead_of_what_it_is_made_of(waits: Waits) -> None:
    pool = GreenPool(1)
    pool.spawn(Event().wait)
    found = waits(pool.spawn, sleep)
    assert (found.kind, found.what) == ("pool", "a place in {}")
    kill(next(iter(pool.coroutines_running)))


@pytest.mark.skipif(accelerator is None, reason="every function has a frame there")
def test_a_green_thread_without_a_frame_waits_as_well() -> None:
    lot = ParkingLot()
    get_hub()
    JOURNAL.begin(1000, Reasons())
    thread = spawn(lot.park)
    settle()
    JOURNAL.end()
    labels = [entry[5] for entry in JOURNAL if entry[1] == WAIT and entry[2] == JOURNAL.number(thread)]  # type: ignore[attr-defined]
    JOURNAL.clear()
    assert labels == [("other", "a wake-up", None, "", "", 0)]
    lot.unpark("value")
    assert thread.wait() == "value"


def test_an_object_whose_attributes_raise_costs_nothing(waits: Waits) -> None:
    class Odd(green_threading.Thread):  # type: ignore[misc, name-defined]  # green imports are Any
        odd = False

        @property
        def name(self) -> str:
            if self.odd:
                raise LookupError
            return "odd"

        @name.setter
        def name(self, value: str) -> None:
            pass

    stays = green_threading.Event()
    thread = Odd(target=stays.wait, daemon=True)
    thread.start()
    thread.odd = True
    assert isinstance(waits(thread.join), Reason)
    stays.set()


def test_reasons_keep_no_object_alive(waits: Waits) -> None:
    event = Event()
    gone = weakref.ref(event)
    found = waits(event.wait)
    JOURNAL.clear()
    assert found.thing == ("Event", id(event))
    event.send()
    settle()
    del event
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("mask", "text"), [(1, "readable"), (4, "writable"), (5, "readable or writable"), (2, "readable")]
)
def test_events_in_words(mask: int, text: str) -> None:
    assert readiness(mask) == text
