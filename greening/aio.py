"""The bridge between green threads and coroutines, both ways.

    greening.aio.run(coroutine)              from a green thread: run it, park until it is done
    greening.aio.wait(awaitable)             the same for any awaitable of the shared loop
    await greening.aio.green(func, *args)    from a coroutine: run blocking code in a green thread

Coroutines that come over the bridge run on one shared loop per OS thread, in a green thread of its own that starts
with the first of them.
Whoever is killed or cancelled on one side ends the other: a killed green thread cancels the task it waits for, a
cancelled
coroutine kills the green thread it waits for. Nothing needs to be patched.
"""

import asyncio
import atexit
import os
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from greening._core.greenthread import GreenThread, spawn
from greening._originals import real_local
from greening.errors import GreenletExit
from greening.patches.asyncio import install
from greening.patches.selectors import PATCH as SELECTORS
from greening.sync.event import Event

T = TypeVar("T")

_thread = real_local()


class GreenSelector(selectors.DefaultSelector):
    """The system's best selector, cooperative whether or not `selectors` has been patched. For loops of your own:

    `asyncio.SelectorEventLoop(greening.aio.GreenSelector())`.
    """


def _methods() -> dict[str, Any]:
    assert SELECTORS.bind is not None
    found: Any = SELECTORS.bind(selectors).methods
    return dict(found[selectors.DefaultSelector.__name__])


for _name, _value in _methods().items():
    setattr(GreenSelector, _name, _value)


def get_loop() -> asyncio.AbstractEventLoop:
    """The shared loop of this OS thread; it runs. Made and started on first use."""
    loop: asyncio.AbstractEventLoop | None = getattr(_thread, "loop", None)
    if loop is None or loop.is_closed():
        install()
        loop = _thread.loop = asyncio.SelectorEventLoop(GreenSelector())
        runner = _thread.runner = spawn(loop.run_forever)
        runner.name = "greening.aio loop"
    return loop


def run(coroutine: Awaitable[T], timeout: float | None = None) -> T:
    """Run a coroutine on the shared loop and park until it is done. From a green thread or the main greenlet.

    Args:
        timeout: seconds from now; None: no limit. When it runs out the coroutine is cancelled.
    Returns:
        What it returned.
    Raises:
        what it raised; TimeoutError: the time ran out; asyncio.CancelledError: it was cancelled;
        RuntimeError: called from a coroutine, which has `await` for that.
    Thread-safety: each OS thread has a loop of its own.
    """
    return wait(coroutine, timeout)


def wait(awaitable: Awaitable[T], timeout: float | None = None) -> T:
    """Like `run`, for any awaitable: a coroutine, a future or task of the shared loop, an object with `__await__`."""
    if asyncio._get_running_loop() is not None:
        close = getattr(awaitable, "close", None)
        if close is not None:
            close()  # else Python complains that it was never awaited
        raise RuntimeError("this is a coroutine: use `await` here, not greening.aio.wait() or run()")
    loop = get_loop()
    done = Event()
    box: list[asyncio.Task[T]] = []

    def start() -> None:
        task = asyncio.ensure_future(_awaited(awaitable), loop=loop)
        task.add_done_callback(done.send)
        box.append(task)

    loop.call_soon_threadsafe(start)
    try:
        task = done.wait(timeout)
    except BaseException:
        _cancel(loop, box)
        raise
    if task is None:
        _cancel(loop, box)
        raise TimeoutError(f"the coroutine has not ended within {timeout} seconds")
    return task.result()  # type: ignore[no-any-return]  # what the awaitable gives


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _cancel(loop: asyncio.AbstractEventLoop, box: "list[asyncio.Task[Any]]") -> None:
    def cancel() -> None:
        # `start` ran before us, or we would not be asked: the loop keeps the order.
        task = box[0]
        task.add_done_callback(_heard)
        task.cancel()

    loop.call_soon_threadsafe(cancel)


def _heard(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()  # nobody waits for it any more: asyncio need not report it as lost


async def green(func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run blocking code in a green thread, from a coroutine of any loop in this OS thread, and await its result.

    The green thread gets a copy of the coroutine's context. When the coroutine is cancelled the green thread is killed.

    Raises:
        what `func` raised; asyncio.CancelledError: it was killed from elsewhere.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    thread = spawn(func, *args, **kwargs)
    thread._quiet = True  # the coroutine hears of its error
    thread.link(_tell, loop, future)
    try:
        return await future
    except asyncio.CancelledError:
        thread.kill()
        raise


def _tell(thread: GreenThread[T], loop: asyncio.AbstractEventLoop, future: "asyncio.Future[T]") -> None:
    def settle() -> None:
        if future.done():
            return
        try:
            result = thread.wait()
        except GreenletExit:
            future.cancel()
        except Exception as error:  # noqa: BLE001  # handed to the coroutine
            future.set_exception(error)
        else:
            future.set_result(result)

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)


def _close() -> None:
    """At exit: stop this thread's loop and close it, so that nothing complains of a loop left open."""
    loop: asyncio.AbstractEventLoop | None = getattr(_thread, "loop", None)
    if loop is not None and not loop.is_closed():
        loop.call_soon_threadsafe(loop.stop)
        _thread.runner.wait()
        loop.close()


def _forget() -> None:
    """In a forked child the loop's green thread does not exist. The object is kept, so that nothing of it is torn down
    here.
    """
    if hasattr(_thread, "loop"):
        _abandoned.append((_thread.loop, _thread.runner))
        del _thread.loop, _thread.runner


_abandoned: list[Any] = []

atexit.register(_close)
os.register_at_fork(after_in_child=_forget)
