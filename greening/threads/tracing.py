"""Trace and profile functions of green threads: `threading.settrace` and `threading.setprofile`.

Facts: the functions belong to an OS thread, not to a greenlet; `threading` sets them in the thread that begins.
Consequence: without more, the main greenlet would be traced from then on. So while a green thread has functions of its
own, the functions are exchanged at every switch from and to it. Otherwise switches are left alone.
"""

import sys
from typing import Any

from greenlet import getcurrent, gettrace, greenlet
from greenlet import settrace as set_switch_hook

from greening._originals import real_local
from greening.threads.handle import StartedThread

Functions = tuple[Any, Any]

_NONE: Functions = (None, None)

# A debugger puts something in place of `sys.settrace`, to warn of those who switch it off: nobody does here.
settrace = sys.settrace


class _Exchange:
    """The functions of one OS thread's greenlets, while they differ.

    Attributes:
        own: greenlets with functions of their own -> these, while they are suspended.
        others: the functions of all other greenlets, while none of these runs.
    """

    __slots__ = ("next_hook", "others", "own")

    def __init__(self) -> None:
        self.own: dict[greenlet, Functions] = {}
        self.others = _NONE
        self.next_hook: Any = None

    def begin(self, glet: greenlet) -> None:
        """Give the running greenlet functions of its own; it begins with none."""
        if not self.own:
            self.next_hook = gettrace()
            set_switch_hook(self._switched)
        self.others = _get()
        self.own[glet] = _NONE
        _set(_NONE)

    def end(self, glet: greenlet) -> None:
        """Give it the functions of the others again."""
        _set(self.others)
        del self.own[glet]
        if not self.own and gettrace() == self._switched:
            set_switch_hook(self.next_hook)

    def _switched(self, event: str, places: tuple[greenlet, greenlet]) -> None:
        origin, target = places
        own = self.own
        if origin in own:
            own[origin] = _get()
            _set(own.get(target, self.others))
        elif target in own:
            self.others = _get()
            _set(own[target])
        if self.next_hook is not None:
            self.next_hook(event, places)


def _get() -> Functions:
    return sys.gettrace(), sys.getprofile()


def _set(functions: Functions) -> None:
    settrace(functions[0])
    sys.setprofile(functions[1])


_os_thread = real_local()


class TracedThread(StartedThread):
    """A started thread with trace and profile functions of its own."""

    __slots__ = ()

    def execute(self) -> None:
        """See `GreenThread.execute`."""
        try:
            exchange: _Exchange = _os_thread.exchange
        except AttributeError:
            exchange = _os_thread.exchange = _Exchange()
        exchange.begin(getcurrent())
        super().execute()

    def _settle(self) -> None:
        # Before the end, not after it: a thread's functions do not see its end.
        glet = getcurrent()
        if self.greenlet is glet:  # not killed before it began
            _os_thread.exchange.end(glet)
        super()._settle()
