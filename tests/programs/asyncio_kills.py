"""Kills and Timeouts of green threads that run loops. Exit status 0: everything held."""

import greening

greening.monkey_patch()

import asyncio
import time


class Case:
    """A loop whose main coroutine waits for a task that blocks in a green call, in one way or another."""

    def __init__(self, way) -> None:  # type: ignore[no-untyped-def]
        self.way = way
        self.blocked = greening.Event()
        self.log: list[str] = []

    async def block(self) -> None:
        try:
            self.blocked.send(True)
            greening.Event().wait()
        finally:
            self.log.append("task")

    async def main(self) -> None:
        try:
            await self.way(self.block())
        finally:
            self.log.append("main")


async def in_a_group(coroutine) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.TaskGroup() as group:
        group.create_task(coroutine)


async def in_the_background(coroutine) -> None:  # type: ignore[no-untyped-def]
    task = asyncio.ensure_future(coroutine)
    await asyncio.get_running_loop().create_future()
    await task


async def gathered(coroutine) -> None:  # type: ignore[no-untyped-def]
    await asyncio.gather(coroutine, return_exceptions=True)
    await asyncio.get_running_loop().create_future()


async def directly(coroutine) -> None:  # type: ignore[no-untyped-def]
    await coroutine


WAYS = (in_a_group, in_the_background, gathered, directly)


def a_kill_ends_the_loop() -> None:
    for way in WAYS:
        case = Case(way)
        thread = greening.spawn(asyncio.run, case.main())
        assert case.blocked.wait(10)
        thread.kill()
        try:
            thread.wait(10)
        except greening.GreenletExit:
            case.log.append("exit")
        assert case.log == ["task", "main", "exit"], (way, case.log)


def a_timeout_around_the_loop_ends_it() -> None:
    for way in WAYS:
        case = Case(way)
        timeout = greening.Timeout(0.005)
        try:
            asyncio.run(case.main())
        except greening.Timeout as error:
            assert error is timeout
            case.log.append("timeout")
        assert case.log == ["task", "main", "timeout"], (way, case.log)


def a_timeout_inside_a_coroutine_is_the_coroutines() -> None:
    async def limited() -> None:
        with greening.Timeout(0.001):
            greening.Event().wait()

    async def main() -> str:
        with greening.Timeout(0.001, False):
            greening.Event().wait()
        task = asyncio.ensure_future(limited())
        try:
            await task
        except greening.Timeout:
            await asyncio.sleep(0.001)
        return "went on"

    assert asyncio.run(main()) == "went on"


def a_coroutine_that_catches_a_kill_goes_on() -> None:
    blocked = greening.Event()

    async def stubborn() -> str:
        try:
            blocked.send(True)
            greening.Event().wait()
        except greening.GreenletExit:
            return "caught"
        return "never"

    async def main() -> str:
        return await asyncio.ensure_future(stubborn())

    thread = greening.spawn(asyncio.run, main())
    assert blocked.wait(10)
    thread.kill()
    assert thread.wait(10) == "caught"


def a_kill_while_the_loop_waits_cancels_its_tasks() -> None:
    log: list[str] = []
    waiting = greening.Event()

    async def main() -> None:
        try:
            asyncio.get_running_loop().call_soon(waiting.send, True)
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            time.sleep(0.001)
            await asyncio.sleep(0.001)
            log.append("cleaned up")
            raise

    thread = greening.spawn(asyncio.run, main())
    assert waiting.wait(10)
    thread.kill()
    try:
        thread.wait(10)
    except greening.GreenletExit:
        log.append("exit")
    assert log == ["cleaned up", "exit"], log


def a_loop_that_runs_says_so_and_goes_on() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        try:
            greening.spawn(loop.run_forever).wait()
        except RuntimeError as error:
            assert "already running" in str(error)
        await asyncio.sleep(0.001)

    asyncio.run(main())


a_kill_ends_the_loop()
a_timeout_around_the_loop_ends_it()
a_timeout_inside_a_coroutine_is_the_coroutines()
a_coroutine_that_catches_a_kill_goes_on()
a_kill_while_the_loop_waits_cancels_its_tasks()
a_loop_that_runs_says_so_and_goes_on()
