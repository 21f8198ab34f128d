"""eventlet.asyncio: coroutines from green threads, and green threads from coroutines."""

from collections.abc import Awaitable
from typing import TypeVar

from greening import aio
from greening._core.greenthread import GreenThread, getcurrent, spawn
from greening.errors import GreenletExit

__all__ = ["GreenletExit", "getcurrent", "spawn", "spawn_for_awaitable"]

T = TypeVar("T")


def spawn_for_awaitable(coroutine: Awaitable[T]) -> GreenThread[T]:
    """Run a coroutine, or wait for another awaitable, in a green thread. `wait()` gives the result.

    To kill the green thread cancels the coroutine. Unlike eventlet's, it works whatever `use_hub` says.

    Args:
        coroutine: what `await` takes. It runs on the loop that the OS thread's green threads share.
    Returns:
        The green thread.
    """
    return spawn(aio.wait, coroutine)
