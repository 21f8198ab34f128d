"""uvloop: green threads run beside its loop.

What blocks here: libuv's wait, in C, for as long as the loop has nothing to do.
What we replace: `Loop.run_forever`, which makes the hub a guest of the loop while it runs; `run_until_complete` and
`uvloop.run` call it. In a green thread that is not the main one the loop does not take over signals, as in any thread.
What stays: everything else. A loop that is run inside another one of the same OS thread blocks until it has ended.
"""

from functools import wraps
from types import ModuleType
from typing import Any

from greening._core.current import current
from greening.interop.guest import arrive, depart
from greening.patcher.spec import Patch
from greening.patches.asyncio import ending
from greening.patches.signal import SETTERS
from greening.threads.identity import is_main_thread


def _bind(module: ModuleType) -> Patch:
    real_run = ending(module.Loop.run_forever)

    @wraps(real_run)
    def run_forever(self: Any) -> None:
        me = current()
        if is_main_thread():
            return run_as_host(self)
        SETTERS.in_vain.add(me)
        try:
            return run_as_host(self)
        finally:
            SETTERS.in_vain.discard(me)

    def run_as_host(self: Any) -> None:
        guest = arrive(self)
        if guest is None:
            return real_run(self)
        guest.stays = True
        try:
            real_run(self)
        finally:
            depart(guest)
        if guest.fatal is not None:
            fatal, guest.fatal = guest.fatal, None
            raise fatal

    return PATCH._replace(methods={"Loop": {"run_forever": run_forever}}, bind=None)


PATCH = Patch(target="uvloop", flag="select", replaces={}, bind=_bind)
