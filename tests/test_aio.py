"""The bridge between green threads and coroutines."""

import asyncio
import contextvars
import os
import selectors
import threading
from typing import Any

import pytest

import greening
from greening import aio
from greening.compat.eventlet.asyncio import spawn_for_awaitable
from greening.compat.eventlet.hubs.asyncio import Hub
from greening.interop.guest import arrive, depart
from greening.testing import settle, wait_until_parked


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


def test_a_switch_to_the_waiting_green_thread_does_not_end_the_coroutine() -> None:
    go = greening.Event()

    async def coroutine() -> str:
        await aio.green(go.wait)
        return "result"

    thread = greening.spawn(aio.run, coroutine(), 20)
    wait_until_parked(thread)
    thread.switch()
    settle()
    assert not thread.dead
    go.send()
    assert thread.wait() == "result"


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


def test_a_coroutine_awaits_a_green_thread_that_runs_already() -> None:
    running = greening.spawn(lambda: (greening.sleep(0), 1)[1])
    ended, failing = greening.spawn(int), greening.spawn(int, "x")
    failing.quiet = True
    ended.wait()

    async def main() -> tuple[int, int]:
        with pytest.raises(ValueError, match="'x'"):
            await failing
        return await running, await ended

    assert aio.run(main()) == (1, 0)


def test_to_cancel_the_coroutine_kills_the_green_thread_that_it_awaits() -> None:
    thread = greening.spawn(greening.sleep, 100)

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(thread, 0.001)

    aio.run(main())
    with pytest.raises(greening.GreenletExit):
        thread.wait()


def test_eventlets_name_for_a_green_thread_that_awaits() -> None:
    assert spawn_for_awaitable(_double(4)).wait() == 8


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


def test_a_plain_loop_awaits_green_threads_in_a_process_that_is_not_patched() -> None:
    async def main(debug: bool) -> int:
        assert asyncio.get_running_loop().get_debug() == debug
        return await asyncio.wait_for(aio.green(lambda: greening.sleep(0.001) or 5), 10)

    assert asyncio.run(main(False)) == 5
    assert asyncio.run(main(True), debug=True) == 5


@pytest.mark.parametrize("kind", [selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector])
def test_a_loop_with_any_selector_of_the_stdlib_awaits_green_threads(kind) -> None:
    async def main() -> int:
        return await asyncio.wait_for(aio.green(lambda: greening.sleep(0.001) or 5), 10)

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(kind())) as runner:
        assert runner.run(main()) == 5


def test_a_loop_that_waits_in_c_awaits_green_threads(monkeypatch) -> None:
    monkeypatch.setattr(aio, "_cooperates", lambda loop: False)

    async def main() -> None:
        for _ in range(2):
            assert await asyncio.wait_for(aio.green(lambda: greening.sleep(0.001) or 5), 10) == 5
        started: greening.Event = greening.Event()

        def block() -> None:
            started.send(True)
            greening.Event().wait()

        task = asyncio.ensure_future(aio.green(block))
        await aio.green(started.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    settle()


def test_a_loop_that_waits_in_c_inside_another_one_is_told_that_it_cannot_await_green_threads(monkeypatch) -> None:
    monkeypatch.setattr(aio, "_cooperates", lambda loop: False)

    async def main() -> None:
        with pytest.raises(RuntimeError, match="no green thread can run"):
            await aio.green(greening.sleep)

    outer = asyncio.new_event_loop()
    guest = arrive(outer)
    assert guest is not None
    asyncio.run(main())
    depart(guest)
    outer.close()


def test_a_timeout_that_ends_the_green_thread_is_raised_in_the_coroutine() -> None:
    def block() -> None:
        with greening.Timeout(0.001):
            greening.Event().wait()

    async def main() -> None:
        with pytest.raises(greening.Timeout):
            await asyncio.wait_for(aio.green(block), 10)

    aio.run(main())


def test_stop_iteration_of_the_green_thread_is_a_runtime_error_in_the_coroutine() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await asyncio.wait_for(aio.green(next, iter(())), 10)

    aio.run(main())


def test_an_error_in_the_clean_up_of_a_killed_green_thread_is_reported(monkeypatch) -> None:
    started = greening.Event()
    seen: list[Any] = []
    monkeypatch.setattr("threading.excepthook", seen.append)

    def block() -> None:
        started.send(True)
        try:
            greening.Event().wait()
        finally:
            raise ValueError("in the clean-up")

    async def main() -> None:
        task = asyncio.ensure_future(aio.green(block))
        await aio.green(started.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    aio.run(main())
    assert [str(args.exc_value) for args in seen] == ["in the clean-up"]


def test_the_coroutine_runs_in_a_copy_of_the_callers_context() -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")
    variable.set(1)

    async def main() -> int:
        before = variable.get()
        variable.set(2)
        assert await aio.green(variable.get) == 2
        return before

    assert aio.run(main()) == 1
    assert variable.get() == 1


def test_system_exit_of_a_coroutine_goes_to_the_caller_and_the_loop_lives_on() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    loop = aio.get_loop()
    with pytest.raises(SystemExit, match="3"):
        aio.run(leave(), 5)
    assert aio.run(_double(1), 5) == 2
    assert aio.get_loop() is loop


def test_keyboard_interrupt_of_a_task_that_is_not_waited_for_goes_to_the_main_greenlet_and_the_loop_lives_on() -> None:
    tasks = []

    async def interrupt() -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        tasks.append(asyncio.ensure_future(interrupt()))
        await asyncio.get_running_loop().create_future()

    with pytest.raises(KeyboardInterrupt):
        aio.run(main(), 5)
    assert aio.run(_double(1), 5) == 2
    assert isinstance(tasks[0].exception(), KeyboardInterrupt)


def test_a_thread_that_waits_when_the_loop_is_killed_is_told_and_the_next_gets_a_new_loop() -> None:
    ended = []

    async def forever() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(True)

    def waiter() -> None:
        with pytest.raises(asyncio.CancelledError):
            aio.run(forever())

    loop = aio.get_loop()
    thread = greening.spawn(waiter)
    wait_until_parked(thread)
    assert aio.run(_double(1), 5) == 2
    aio._thread.shared.thread.kill()
    thread.wait(5)
    assert ended == [True]
    assert loop.is_closed()
    assert aio.run(_double(1), 5) == 2
    assert aio.get_loop() is not loop


def test_a_thread_that_comes_while_the_loop_is_stopping_does_not_wait_for_ever() -> None:
    stopping, coming = greening.Event(), greening.Event()

    async def hold_up() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            stopping.send(True)
            await aio.green(coming.wait)

    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    def waiter(awaitable) -> None:
        with pytest.raises(asyncio.CancelledError):
            aio.run(awaitable)

    first = greening.spawn(waiter, hold_up())
    wait_until_parked(first)
    aio.run(_double(1), 5)
    loop = aio.get_loop()
    loop.call_soon_threadsafe(loop.stop)
    assert stopping.wait(5)
    late = greening.spawn(waiter, forever())
    wait_until_parked(late)
    coming.send(True)
    first.wait(5)
    late.wait(5)
    assert loop.is_closed()


def test_a_coroutine_that_is_given_up_before_its_start_is_closed() -> None:
    coroutine = _double(1)
    thread = greening.spawn(aio.run, coroutine)
    loop = aio.get_loop()
    loop.call_soon_threadsafe(thread.kill)
    with pytest.raises(greening.GreenletExit):
        thread.wait(5)
    aio.run(_double(1), 5)
    with pytest.raises(RuntimeError, match="cannot reuse already awaited"):
        coroutine.send(None)


def test_tasks_that_are_left_at_the_end_are_cancelled_and_finish() -> None:
    ended = []

    async def clean_up() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0.001)
            ended.append(True)

    async def main() -> None:
        ended.append(asyncio.ensure_future(clean_up()))
        await asyncio.sleep(0)

    aio.run(main())
    aio._close()
    assert ended[1:] == [True]


def test_an_os_thread_that_ends_leaves_no_descriptors_of_its_loop_behind() -> None:
    def use() -> None:
        assert aio.run(_double(1), 5) == 2

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    _in_an_os_thread(use)
    before = descriptors()
    for _ in range(5):
        _in_an_os_thread(use)
    assert descriptors() == before


def _in_an_os_thread(func) -> None:
    thread = threading.Thread(target=func)
    thread.start()
    thread.join()


def test_the_bridge_outlives_unpatch(run_program) -> None:
    run_program(
        "import greening\n"
        "greening.monkey_patch()\n"
        "from greening import aio\n"
        "import asyncio\n"
        "aio.run(asyncio.sleep(0), 5)\n"
        "greening.unpatch()\n"
        "assert aio.run(asyncio.sleep(0, 3), 5) == 3\n"
        "assert greening.spawn(aio.run, asyncio.sleep(0, 4)).wait(5) == 4\n"
    )


def test_a_forked_child_has_a_shared_loop_of_its_own_and_leaves_the_parents_alone(run_program) -> None:
    run_program(
        "import os, asyncio, greening\n"
        "from greening import aio\n"
        "def fork():\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        done = greening.spawn(aio.run, asyncio.sleep(0.001, 3), 5).wait(5)\n"
        "        os._exit(7 if done == 3 else 1)\n"
        "    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
        "async def main():\n"
        "    fork()\n"
        "aio.run(asyncio.sleep(0), 5)\n"
        "for way in (fork, lambda: aio.run(main()), lambda: asyncio.run(main())):\n"
        "    way()\n"
        "    assert aio.run(asyncio.sleep(0.001, 4), 5) == 4\n"
        "child = os.fork()\n"
        "if child:\n"
        "    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
        "    assert aio.run(asyncio.sleep(0.001, 4), 5) == 4\n"
    )


def test_the_hub_of_eventlets_name_knows_the_loop_of_its_coroutines() -> None:
    async def running() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    assert spawn_for_awaitable(running()).wait() is Hub().loop
