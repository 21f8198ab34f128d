"""selectors: the `select` of every selector class, on the class itself.

What blocks here: `select.select`, `poll.poll`, `epoll.poll`, which the classes captured when the module was imported.
What we replace: `select` (and `close` of EpollSelector, which must wake its waiters). The real poll and epoll objects
stay inside. So registering costs what it did, and selectors that were made before the patch - an event loop's, say -
are cooperative, too.
What stays: the classes, `DefaultSelector`, the rules of keys and maps.
"""

import selectors as _selectors
from types import ModuleType
from typing import Any

from greening._core.fairness import fairness_tick
from greening._core.waiting import forget_fd
from greening._originals import epoll as _real_epoll
from greening._originals import poll as _real_poll
from greening.patcher.spec import Patch
from greening.readiness.polls import wait_epoll, wait_poll
from greening.readiness.select import select as _green_select

_READ = _selectors.EVENT_READ
_WRITE = _selectors.EVENT_WRITE
_POLLIN = 1
_POLLOUT = 4
_NOT_IN = ~_POLLIN
_NOT_OUT = ~_POLLOUT


def _report(known: dict[int, Any], events: list[tuple[int, int]]) -> list[tuple[Any, int]]:
    """What a selector reports: an event other than "writable" is something to read, and the other way round."""
    ready = []
    for fd, event in events:
        key = known.get(fd)
        if key:
            mask = (event & _NOT_IN and _WRITE) | (event & _NOT_OUT and _READ)
            ready.append((key, mask & key.events))
    return ready


def poll_select(self: Any, timeout: float | None = None) -> list[tuple[Any, int]]:
    """Wait for events. `timeout`: seconds; None: no limit; zero or less: do not wait."""
    real = self._selector
    known = self._fd_to_key
    fairness_tick()
    events = real.poll(0)
    if not events and (timeout is None or not timeout <= 0):
        wants = [
            (fd, (key.events & _READ and _POLLIN) | (key.events & _WRITE and _POLLOUT)) for fd, key in known.items()
        ]
        events = wait_poll(real, wants, timeout)
    return _report(known, events)


def _epoll_select(self: Any, timeout: float | None = None) -> list[tuple[Any, int]]:
    """Wait for events. `timeout`: seconds; None: no limit; zero or less: do not wait."""
    real = self._selector
    known = self._fd_to_key
    most = len(known) or 1
    fairness_tick()
    events = real.poll(0, most)
    if not events and (timeout is None or not timeout <= 0):
        events = wait_epoll(self, real, most, timeout)
    return _report(known, events)


def _bind(module: ModuleType) -> Patch:
    methods: dict[str, dict[str, object]] = {"SelectSelector": {"_select": staticmethod(_green_select)}}
    if hasattr(module, "PollSelector"):
        methods["PollSelector"] = {"select": poll_select, "_selector_cls": _real_poll}
    if hasattr(module, "EpollSelector"):
        close = module.EpollSelector.close

        def _epoll_close(self: Any) -> None:
            """Close the selector. A task that waits in `select` gets the ValueError of a closed one."""
            real = self._selector
            if not real.closed:
                forget_fd(real.fileno())
            close(self)

        methods["EpollSelector"] = {"select": _epoll_select, "close": _epoll_close, "_selector_cls": _real_epoll}
    return PATCH._replace(methods=methods, bind=None)


PATCH = Patch(target="selectors", flag="select", replaces={}, bind=_bind)
