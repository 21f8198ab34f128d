"""asyncio under monkey_patch(): loops beside green threads and beside each other. Exit status 0: everything held."""

import greening

greening.monkey_patch()

import asyncio
import sys
import threading
import time


async def ticks(n: int) -> int:
    for _ in range(n):
        await asyncio.sleep(0.001)
    return n


def loops_in_many_green_threads() -> None:
    pool = greening.GreenPool(20)
    assert list(pool.imap(lambda n: asyncio.run(ticks(n)), range(20))) == list(range(20))


def loops_in_threads() -> None:
    results: list[int] = []
    threads = [threading.Thread(target=lambda n=n: results.append(asyncio.run(ticks(n)))) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(10))


def no_loop_is_seen_from_outside() -> None:
    seen: list[bool] = []

    def outsider() -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            seen.append(False)
        else:
            seen.append(True)

    async def main() -> None:
        task = asyncio.current_task()
        green = greening.spawn(outsider)
        time.sleep(0.001)  # a blocking green call inside a coroutine
        green.wait()
        assert asyncio.current_task() is task
        assert asyncio.get_running_loop() is not None

    asyncio.run(main())
    assert seen == [False]


def executors_and_children() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert await asyncio.to_thread(lambda: threading.current_thread() is not threading.main_thread())
        assert await loop.run_in_executor(None, sum, [1, 2]) == 3
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print(6 * 7)", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await child.communicate()
        assert out == b"42\n", out
        assert child.returncode == 0

    asyncio.run(main())


def generators_are_finalised_by_their_own_loop() -> None:
    closed: list[str] = []

    async def numbers(name: str):  # type: ignore[no-untyped-def]
        try:
            for n in range(100):
                yield n
                await asyncio.sleep(0)
        finally:
            closed.append(name)

    async def main(name: str) -> None:
        generator = numbers(name)
        async for n in generator:
            if n == 3:
                break
        await asyncio.sleep(0.002)

    first, second = (greening.spawn(asyncio.run, main(name)) for name in ("a", "b"))
    first.wait()
    second.wait()
    assert sorted(closed) == ["a", "b"], closed


loops_in_many_green_threads()
loops_in_threads()
no_loop_is_seen_from_outside()
executors_and_children()
generators_are_finalised_by_their_own_loop()
