"""The bridge between green threads and coroutines."""

import asyncio

import pytest

import greening
from greening import aio


@pytest.fixture(autouse=True)
def _closed_loop():
    yield
    aio._close()


async def _double(n: int) -> int:
    await asyncio.sleep(0)
    return 2 * n


def test_a_green_thread_runs_a_coroutine_and_gets_its_result() -> None:
    assert aio.run(_double(21)) == 42


def test_many_green_threads_share_one_loop() -> None:
    pool = greening.GreenPool(10)
    loops = set()

    async def which() -> int:
        loops.add(id(asyncio.get_running_loop()))
        return await _double(1)

    assert list(pool.imap(lambda _: aio.run(which()), range(10))) == [2] * 10
    assert len(loops) == 1


def test_an_exception_of_the_coroutine_is_raised_in_the_green_thread() -> None:
    async def fail() -> None:
        raise ValueError("from the coroutine")

    with pytest.raises(ValueError, match="from the coroutine"):
        aio.run(fail())


def test_run_gives_up_after_its_timeout_and_cancels_the_coroutine() -> None:
    cancelled = greening.Event()

    async def forever() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.send(True)
            raise

    with pytest.raises(TimeoutError):
        aio.run(forever(), timeout=0.001)
    assert cancelled.wait(5)


def test_killing_the_waiting_green_thread_cancels_the_coroutine() -> None:
    started, cancelled = greening.Event(), greening.Event()

    async def forever() -> None:
        started.send(True)
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.send(True)
            raise

    thread = greening.spawn(aio.run, forever())
    assert started.wait(5)
    thread.kill()
    assert cancelled.wait(5)


def test_wait_takes_a_future_of_the_shared_loop() -> None:
    loop = aio.get_loop()
    future = loop.create_future()
    loop.call_soon_threadsafe(future.set_result, "there")
    assert aio.wait(future) == "there"


def test_a_coroutine_awaits_blocking_code_in_a_green_thread() -> None:
    async def main() -> list[int]:
        def block(n: int) -> int:
            greening.sleep(0)
            return n

        return list(await asyncio.gather(*(aio.green(block, n) for n in range(5))))

    assert aio.run(main()) == [0, 1, 2, 3, 4]


def test_an_exception_of_the_green_thread_is_raised_in_the_coroutine() -> None:
    def fail() -> None:
        raise KeyError("green")

    async def main() -> None:
        with pytest.raises(KeyError):
            await aio.green(fail)

    aio.run(main())


def test_cancelling_the_coroutine_kills_the_green_thread() -> None:
    started, ended = greening.Event(), greening.Event()

    def block() -> None:
        started.send(True)
        try:
            greening.Event().wait()
        finally:
            ended.send(True)

    async def main() -> None:
        task = asyncio.ensure_future(aio.green(block))
        await aio.green(started.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    aio.run(main())
    assert ended.wait(5)


def test_run_inside_a_coroutine_names_the_remedy() -> None:
    async def main() -> None:
        aio.run(_double(1))

    with pytest.raises(RuntimeError, match="await"):
        aio.run(main())
