"""The loops of `green` on asyncio's own calls, by the same names, for asyncio and uvloop."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable

Loop = Callable[[int], None]
Coroutine = Callable[[int], Awaitable[None]]


def prepare(style: str, module: str, name: str) -> Loop:
    """Return the loop called `name`, as a task of one event loop that lives as long as the process."""
    del style
    events = importlib.import_module(module).new_event_loop()
    loop = LOOPS[name]()

    async def run(n: int) -> None:
        await loop(n)

    return lambda n: events.run_until_complete(run(n))


async def nothing() -> None:
    """Do nothing."""


def spawn_wait() -> Coroutine:
    """One task after the other."""

    async def loop(n: int) -> None:
        for _ in range(n):
            await asyncio.create_task(nothing())

    return loop


def spawn_forget() -> Coroutine:
    """A hundred tasks at a time that are not waited for; the references that the documentation demands are kept."""

    async def loop(n: int) -> None:
        for start in range(0, n, 100):
            tasks = [asyncio.create_task(nothing()) for _ in range(min(100, n - start))]
            await asyncio.sleep(0)
            del tasks

    return loop


def switch_alone() -> Coroutine:
    """sleep(0) when no other task can run."""

    async def loop(n: int) -> None:
        for _ in range(n):
            await asyncio.sleep(0)

    return loop


def switch() -> Coroutine:
    """sleep(0) in a hundred tasks at once."""
    alone, tasks = switch_alone(), 100

    async def loop(n: int) -> None:
        await asyncio.gather(*[alone(max(1, n // tasks)) for _ in range(min(n, tasks))])

    return loop


def timers() -> Coroutine:
    """Short sleeps of one to five milliseconds in five hundred tasks."""
    tasks = 500

    async def sleeper(seconds: float, n: int) -> None:
        for _ in range(n):
            await asyncio.sleep(seconds)

    async def loop(n: int) -> None:
        await asyncio.gather(*[sleeper(0.001 * (1 + i % 5), max(1, n // tasks)) for i in range(min(n, tasks))])

    return loop


def queue_ping_pong() -> Coroutine:
    """Two queues of one place: there and back."""

    async def loop(n: int) -> None:
        there: asyncio.Queue[int] = asyncio.Queue(1)
        back: asyncio.Queue[int] = asyncio.Queue(1)

        async def answer() -> None:
            for _ in range(n):
                await back.put(await there.get())

        other = asyncio.create_task(answer())
        for item in range(n):
            await there.put(item)
            await back.get()
        await other

    return loop


def semaphore_free() -> Coroutine:
    """Acquire and release a semaphore that no other task wants."""

    async def loop(n: int) -> None:
        semaphore = asyncio.Semaphore(1)
        for _ in range(n):
            async with semaphore:
                pass

    return loop


def semaphore_fought() -> Coroutine:
    """Ten tasks want one permit, and the holder yields."""
    tasks = 10

    async def loop(n: int) -> None:
        semaphore = asyncio.Semaphore(1)

        async def fighter(n: int) -> None:
            for _ in range(n):
                async with semaphore:
                    await asyncio.sleep(0)

        await asyncio.gather(*[fighter(max(1, n // tasks)) for _ in range(min(n, tasks))])

    return loop


def timeout() -> Coroutine:
    """Start a timeout that will not fire, cancel it."""

    async def loop(n: int) -> None:
        for _ in range(n):
            async with asyncio.timeout(30):
                pass

    return loop


LOOPS: dict[str, Callable[[], Coroutine]] = {
    make.__name__: make
    for make in (
        *(spawn_wait, spawn_forget, switch, switch_alone, timers),
        *(queue_ping_pong, semaphore_free, semaphore_fought, timeout),
    )
}
