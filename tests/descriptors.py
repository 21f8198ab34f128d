"""What the tests of pipes and files share."""

from collections.abc import Callable
from typing import Any

from greening._core.greenthread import GreenThread, spawn
from greening._core.waiting import sleep
from greening.fdio import pipe

Ends = tuple[int, int]


def parked(call: Callable[..., Any], *args: Any) -> GreenThread[Any]:
    """A green thread that has called, and waits inside the call."""
    thread = spawn(call, *args)
    sleep(0)
    assert thread
    return thread


def drain(fd: int) -> bytes:
    """All that comes, up to the end."""
    got = b""
    while part := pipe.read(fd, 65536):
        got += part
    return got
