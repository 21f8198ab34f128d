"""select: `select`, `poll`, `epoll`.

What blocks here: select(2), poll(2), epoll_wait(2).
What we replace: all three, with functions and a class that ask the real ones with timeout 0 and park in between.
What stays: the constants, `error`, and poll and epoll objects that existed before the patch (those block;
`debug.audit()` lists them).
"""

from typing import Any

from greening._originals import epoll as _real_epoll
from greening.net import polls
from greening.net import select as net
from greening.net.builtin import Home
from greening.patcher.spec import Patch

_home = Home("select")


@_home.builtin
def select(_: Any, rlist: Any, wlist: Any, xlist: Any, timeout: Any = None, /) -> net.Found:
    """Wait until one or more file descriptors are ready for some kind of I/O."""
    return net.select(rlist, wlist, xlist, timeout)


@_home.builtin
def poll(_: Any, /) -> polls.Poll:
    """A polling object, which supports registering and unregistering file descriptors, and then polling them."""
    return polls.poll()


_REPLACES: dict[str, object] = {"select": select, "poll": poll}
if _real_epoll is not None:
    _REPLACES["epoll"] = polls.Epoll

PATCH = Patch(target="select", flag="select", replaces=_REPLACES)
