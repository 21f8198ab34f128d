"""What asyncio keeps once per OS thread: the running loop, the current task, the hooks for asynchronous generators.

Here it belongs to one greenlet, and to none while that greenlet is parked. The engine knows nothing of asyncio: each
park calls `busy`, which is None until patches/asyncio.py sets it. Without a running loop that costs one C call.
"""

from collections.abc import Callable
from typing import Any

from greening._compiled import accelerator


class AsyncioState:
    """The functions that move that state, for the whole process.

    busy: returns the running loop of this OS thread, or None. None itself: asyncio is not patched.
    save: clears the state and returns what it was. restore: sets it again.
    """

    __slots__ = ("busy", "restore", "save")

    def __init__(self) -> None:
        self.busy: Callable[[], Any] | None = None
        self.save: Callable[[Any], Any] = _nothing
        self.restore: Callable[[Any], None] = _nothing

    def watch(self, busy: Callable[[], Any], save: Callable[[Any], Any], restore: Callable[[Any], None]) -> None:
        """Use these three functions at every park from now on."""
        self.save = save
        self.restore = restore
        self.busy = busy
        if accelerator is not None:
            accelerator.watch_slots(busy, save, restore)

    def leave_alone(self) -> None:
        """Undo `watch`. State that was saved before is still restored."""
        self.busy = None
        if accelerator is not None:
            accelerator.watch_slots(None, self.save, self.restore)


def _nothing(state: Any) -> None:
    return None


ASYNCIO = AsyncioState()
