"""A loop that waits in C, beside green threads: uvloop's, or (with the argument `stub`) one that is as deaf as that.

Exit status 0: everything held.
"""

import asyncio
import selectors
import sys
import types


class _Deaf(selectors.EpollSelector):
    """Waits in C, whatever is patched."""

    def select(self, timeout=None):  # type: ignore[no-untyped-def]
        wait = -1 if timeout is None else max(0, timeout)
        events = self._selector.poll(wait, len(self._fd_to_key) or 1)
        return [
            (
                key,
                key.events
                & (selectors.EVENT_READ | selectors.EVENT_WRITE if event & ~5 else (event & 1) | (event & 4) // 2),
            )
            for fd, event in events
            if (key := self._fd_to_key.get(fd))
        ]


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__(_Deaf())


if sys.argv[1] == "stub":
    sys.modules["uvloop"] = types.ModuleType("uvloop")
    sys.modules["uvloop"].Loop = Loop  # type: ignore[attr-defined]

import greening

greening.monkey_patch()

import os
import queue
import signal
import socket
import subprocess
import threading
import time

import uvloop

from greening import aio
from greening.interop.guest import GUESTS


def run(coroutine):  # type: ignore[no-untyped-def]
    with asyncio.Runner(loop_factory=uvloop.Loop) as runner:
        return runner.run(coroutine)


async def until(condition) -> None:  # type: ignore[no-untyped-def]
    for _ in range(5000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come about")


def threads_of_executors_run() -> None:
    def work(n: int) -> int:
        time.sleep(0.002)
        return n

    async def main() -> list[int]:
        return list(await asyncio.gather(*(asyncio.to_thread(work, n) for n in range(20))))

    assert run(main()) == list(range(20))


def threads_that_wait_for_the_loop_are_woken_by_it() -> None:
    async def main() -> None:
        event, items, got = greening.Event(), queue.Queue(), []
        threads = [greening.spawn(lambda: got.append(event.wait()))]
        native = threading.Thread(target=lambda: got.append(items.get()))
        native.start()
        await asyncio.sleep(0.005)
        event.send(1)
        items.put(2)
        await until(lambda: len(got) == 2)
        assert sorted(got) == [1, 2]
        native.join()
        assert threads[0].dead

    run(main())


def sockets_children_and_native_calls() -> None:
    async def echo(reader, writer) -> None:  # type: ignore[no-untyped-def]
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()

        def client() -> int:
            with socket.create_connection(address) as connection:
                for _ in range(20):
                    connection.sendall(b"ping")
                    assert connection.recv(100) == b"ping"
            return 1

        assert await asyncio.gather(*(aio.green(client) for _ in range(5))) == [1] * 5
        child = await asyncio.to_thread(subprocess.run, ["echo", "hello"], capture_output=True)
        assert child.stdout == b"hello\n"
        assert await aio.green(greening.tpool.execute, sum, [1, 2]) == 3
        server.close()

    run(main())


def blocking_calls_in_coroutines() -> None:
    async def inner() -> asyncio.AbstractEventLoop:
        await asyncio.sleep(0.001)
        return asyncio.get_running_loop()

    async def main() -> None:
        loop, task, ran = asyncio.get_running_loop(), asyncio.current_task(), []
        greening.spawn(ran.append, 1)
        time.sleep(0.002)
        assert ran == [1]
        assert greening.spawn(asyncio.run, inner()).wait() is not loop
        assert greening.spawn(run, inner()).wait() is not loop
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is task
        with greening.Timeout(0.001, False):
            greening.Event().wait()

    run(main())


def green_threads_are_killed() -> None:
    async def main() -> None:
        thread = greening.spawn(greening.Event().wait)
        await asyncio.sleep(0.002)
        thread.kill()
        await until(lambda: thread.dead)
        task = asyncio.ensure_future(aio.green(greening.Event().wait))
        await asyncio.sleep(0.002)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return
        raise AssertionError("it was not cancelled")

    run(main())


def the_loop_is_ended() -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    async def block() -> None:
        task = asyncio.ensure_future(blocking())
        await wait()
        await task

    async def blocking() -> None:
        greening.Event().wait()

    for main in (wait, block):
        thread = greening.spawn(run, main())
        with greening.Timeout(0.005, False):
            thread.wait()
        thread.kill()
        try:
            thread.wait(10)
        except greening.GreenletExit:
            pass
        else:
            raise AssertionError("it was not killed")
        timeout = greening.Timeout(0.005)
        try:
            run(main())
        except greening.Timeout as error:
            assert error is timeout


def signals() -> None:
    async def main(number: int) -> None:
        loop, came = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, came.set)
        loop.call_later(0.005, os.kill, os.getpid(), number)
        await asyncio.wait_for(came.wait(), 10)

    run(main(signal.SIGUSR1))
    try:
        run(main(signal.SIGINT))
    except KeyboardInterrupt:
        return
    raise AssertionError("Ctrl-C did not end it")


def a_loop_that_only_waits_costs_nothing() -> None:
    async def main() -> None:
        thread = greening.spawn(time.sleep, 0.3)
        await asyncio.sleep(0.05)
        before = time.process_time()
        await asyncio.sleep(0.2)
        assert time.process_time() - before < 0.1
        await until(lambda: thread.dead)

    run(main())


threads_of_executors_run()
threads_that_wait_for_the_loop_are_woken_by_it()
sockets_children_and_native_calls()
blocking_calls_in_coroutines()
green_threads_are_killed()
the_loop_is_ended()
signals()
a_loop_that_only_waits_costs_nothing()
assert not GUESTS
greening.unpatch()
assert run(asyncio.sleep(0.001, "unpatched")) == "unpatched"
