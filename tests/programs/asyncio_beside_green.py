"""asyncio under monkey_patch(): loops beside green threads and beside each other. Exit status 0: everything held."""

import greening

greening.monkey_patch()

import asyncio
import os
import signal
import sys
import threading
import time

from greenlet import greenlet


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


def loops_in_debug_mode() -> None:
    async def main() -> None:
        await ticks(2)
        time.sleep(0.001)
        await asyncio.to_thread(time.sleep, 0.001)
        await asyncio.sleep(0)

    threads = [greening.spawn(asyncio.run, main(), debug=n % 2 == 0) for n in range(4)]
    for thread in threads:
        thread.wait()
    assert sys.get_coroutine_origin_tracking_depth() == 0


def a_greenlet_made_in_a_coroutine_belongs_to_the_loop_in_debug_mode() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def bridged() -> None:
            task = asyncio.current_task()
            assert task is not None
            time.sleep(0.001)
            assert asyncio.current_task() is task
            loop.call_soon(future.set_result, "there")

        greenlet(bridged).switch()
        assert await future == "there"
        try:
            await asyncio.to_thread(loop.call_soon, print, "not from another thread")
        except RuntimeError as error:
            assert "Non-thread-safe" in str(error)
        else:
            raise AssertionError("another thread has called call_soon")

    asyncio.run(main(), debug=True)


def a_loop_in_a_green_thread_of_a_coroutine() -> None:
    async def which() -> asyncio.AbstractEventLoop:
        await ticks(1)
        return asyncio.get_running_loop()

    async def main() -> None:
        me, task = asyncio.get_running_loop(), asyncio.current_task()
        assert greening.spawn(asyncio.run, which()).wait() is not me
        assert await asyncio.to_thread(asyncio.run, which()) is not me
        assert await which() is me
        assert asyncio.current_task() is task

    asyncio.run(main())


def eager_tasks() -> None:
    if sys.version_info < (3, 12):
        return

    async def blocking(n: int) -> int:
        task = asyncio.current_task()
        for _ in range(2):
            time.sleep(0.001)
            assert asyncio.current_task() is task
            await asyncio.sleep(0)
        return n

    async def main() -> list[int]:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        task = asyncio.current_task()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(blocking(n)) for n in range(3)]
            assert asyncio.current_task() is task
        return [task.result() for task in tasks]

    threads = [greening.spawn(asyncio.run, main()) for _ in range(3)]
    assert [thread.wait() for thread in threads] == [[0, 1, 2]] * 3


def signals() -> None:
    async def main() -> None:
        loop, came = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, came.set)
        loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
        await asyncio.wait_for(came.wait(), 10)
        loop.remove_signal_handler(signal.SIGUSR1)

    asyncio.run(main())


loops_in_many_green_threads()
loops_in_threads()
no_loop_is_seen_from_outside()
executors_and_children()
generators_are_finalised_by_their_own_loop()
loops_in_debug_mode()
a_greenlet_made_in_a_coroutine_belongs_to_the_loop_in_debug_mode()
a_loop_in_a_green_thread_of_a_coroutine()
eager_tasks()
signals()
