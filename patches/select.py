"""select: `select`, `poll`, `epoll`.

What blocks here: select(2), poll(2), epoll_wait(2).
What we replace: all three, with functions and a class that ask the real ones with timeout 0 and park in between.
Objects that exist already are replaced wherever they are; in selectors they stay, see there.
What stays: the constants and `error`.
"""

import sys
from functools import partial
from typing import Any

from greening._builtin_method import ModuleSelf
from greening._originals import epoll as _real_epoll
from greening._originals import poll as _real_poll
from greening.patcher.references import holders
from greening.patcher.spec import Patch, Undo
from greening.readiness import polls
from greening.readiness import select as net
from greening.threads.replace_existing import Replacer

_home = ModuleSelf("select")


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

_ADOPT: dict[type, Any] = {}
if isinstance(_real_epoll, type):
    _ADOPT[_real_epoll] = polls.adopt_epoll
if _real_poll is not None:
    _ADOPT[type(_real_poll())] = polls.adopt_poll


def _green_for(real: Any) -> Any:
    return _ADOPT[type(real)](real)


# A program without any of these has made no such object, and looking for one takes as long as all the rest.
_USERS = ("socket", "selectors", "threading")


def _after(undo: Undo) -> None:
    if sys.modules.keys().isdisjoint(_USERS):
        return
    replacer = Replacer(holders, _green_for, (polls.Poll, polls.Epoll), _is_selector)
    undo.add(partial(replacer.back, _always))  # the real one has what was registered since
    replacer.run(tuple(_ADOPT))


def _is_selector(owner: object) -> bool:
    return any(base.__module__ == "selectors" for base in type(owner).__mro__)


def _always(green: object) -> bool:
    return True


PATCH = Patch(target="select", flag="select", replaces=_REPLACES, after=_after)
