"""Loops on the green libraries' own calls. Each `make` takes the library and returns a function that does n of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from benchmarks.inside.api import Api

Loop = Callable[[int], None]


def prepare(style: str, module: str, name: str) -> Loop:
    """Return the loop called `name`, run in a green thread as a program's work is, not in the main greenlet."""
    api: Api = importlib.import_module(f"benchmarks.inside.{style}").api(module)
    loop = LOOPS[name](api)
    return lambda n: api.wait(api.spawn(loop, n))


def nothing() -> None:
    """Do nothing."""


def spawn_wait(api: Api) -> Loop:
    """One green thread after the other: spawn an empty function, wait for it."""
    spawn, wait = api.spawn, api.wait

    def loop(n: int) -> None:
        for _ in range(n):
            wait(spawn(nothing))

    return loop


def spawn_forget(api: Api) -> Loop:
    """A hundred green threads at a time that are not waited for; they run when the loop yields."""
    spawn_n, sleep = api.spawn_n, api.sleep

    def loop(n: int) -> None:
        for start in range(0, n, 100):
            for _ in range(min(100, n - start)):
                spawn_n(nothing)
            sleep(0)

    return loop


def switch_alone(api: Api) -> Loop:
    """sleep(0) when no other green thread can run: once round the hub."""
    sleep = api.sleep

    def loop(n: int) -> None:
        for _ in range(n):
            sleep(0)

    return loop


def switch(api: Api) -> Loop:
    """sleep(0) in a hundred green threads at once: one operation is one sleep."""
    alone, tasks = switch_alone(api), 100

    def loop(n: int) -> None:
        for task in [api.spawn(alone, max(1, n // tasks)) for _ in range(min(n, tasks))]:
            api.wait(task)

    return loop


def timers(api: Api) -> Loop:
    """Short sleeps of one to five milliseconds in five hundred green threads: one operation is one sleep."""
    sleep, tasks = api.sleep, 500

    def sleeper(seconds: float, n: int) -> None:
        for _ in range(n):
            sleep(seconds)

    def loop(n: int) -> None:
        for task in [api.spawn(sleeper, 0.001 * (1 + i % 5), max(1, n // tasks)) for i in range(min(n, tasks))]:
            api.wait(task)

    return loop


def queue_ping_pong(api: Api) -> Loop:
    """Two queues of one place: one operation is an item there and an item back."""
    there, back = api.queue(1), api.queue(1)

    def answer(n: int) -> None:
        for _ in range(n):
            back.put(there.get())

    def loop(n: int) -> None:
        other = api.spawn(answer, n)
        for item in range(n):
            there.put(item)
            back.get()
        api.wait(other)

    return loop


def semaphore_free(api: Api) -> Loop:
    """Acquire and release a semaphore that no other green thread wants."""
    semaphore = api.semaphore(1)

    def loop(n: int) -> None:
        for _ in range(n):
            with semaphore:
                pass

    return loop


def semaphore_fought(api: Api) -> Loop:
    """Ten green threads want one permit, and the holder yields: one operation is one turn."""
    semaphore, sleep, tasks = api.semaphore(1), api.sleep, 10

    def fighter(n: int) -> None:
        for _ in range(n):
            with semaphore:
                sleep(0)

    def loop(n: int) -> None:
        for task in [api.spawn(fighter, max(1, n // tasks)) for _ in range(min(n, tasks))]:
            api.wait(task)

    return loop


def timeout(api: Api) -> Loop:
    """Start a timeout that will not fire, cancel it."""
    new = api.timeout

    def loop(n: int) -> None:
        for _ in range(n):
            with new(30):
                pass

    return loop


def pool_imap(api: Api) -> Loop:
    """Map a trivial function over numbers with a pool of a hundred, in order: one operation is one result."""
    pool = api.pool(100)

    def loop(n: int) -> None:
        results = sum(1 for _ in pool.imap(abs, range(n)))
        assert results == n

    return loop


LOOPS: dict[str, Callable[[Api], Loop]] = {
    make.__name__: make
    for make in (
        *(spawn_wait, spawn_forget, switch, switch_alone, timers),
        *(queue_ping_pong, semaphore_free, semaphore_fought, timeout, pool_imap),
    )
}
