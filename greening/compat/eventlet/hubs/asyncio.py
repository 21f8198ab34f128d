"""eventlet.hubs.asyncio: a name for greening's hub, beside which asyncio's loops run without being asked for.

After this import a coroutine may await a green thread.
"""

from asyncio import AbstractEventLoop

from greening.aio import get_loop
from greening.compat.eventlet.hubs.hub import BaseHub

__all__ = ["Hub", "get_loop", "is_available"]


class Hub(BaseHub):
    """See `BaseHub`."""

    @property
    def loop(self) -> AbstractEventLoop:
        """The loop on which the OS thread's coroutines run."""
        return get_loop()


def is_available() -> bool:
    """True: the name can be used."""
    return True
