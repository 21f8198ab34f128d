"""Reads that park on the strength of a short read: a second look, in case the system did not keep its word.

Facts: epoll(7) permits to take a short read of a stream for the end of what is there, and Linux keeps to it. Other
kernels that run Linux programs, and layers between a program and libc, cut reads short with data left. The edge that
told of this data has been consumed, so a read that parks then would wait for ever.
Measured (64-byte echo, 100 connections): to try before every park costs a tenth of the whole, and a fifth without the
accelerator; this second look costs 1 to 2 per cent.
Decision: a socket whose read parks untried is looked at once more after a moment, together with all the others. Where
poll(2) finds data of which epoll has nothing to tell, the reader is woken, and that socket is never trusted again.
"""

from typing import TYPE_CHECKING

from greening._core.poller import BATCH, IN, OUT
from greening._core.registry import dispatch
from greening._originals import poll as _poll

if TYPE_CHECKING:
    from greening._core.hub import Hub
    from greening._core.registration import Registration

# Seconds before the second look. Sooner, and it is a part of the cost of a busy hub; later, and the first short read of
# every socket is felt where they cannot be trusted.
AFTER = 0.05
# So often, at most, is poll(2) asked until it says anything at all.
_LOOKS = 8


def schedule_recheck(hub: "Hub", reg: "Registration") -> None:
    """A read of `reg` is about to park without having tried: have it looked at again. Once is enough until then."""
    registry = hub.registry
    if reg.recheck_due or not registry.rechecks:
        return
    reg.recheck_due = True
    registry.to_recheck.append(reg)
    if len(registry.to_recheck) == 1:
        hub.call_at(hub.now() + AFTER, recheck, hub)


def recheck(hub: "Hub") -> None:
    """In the hub: wake the tasks that wait for data that is there, and of which no event will tell."""
    registry = hub.registry
    to_recheck, registry.to_recheck = registry.to_recheck, []
    poll = _poll()
    parked: dict[int, Registration] = {}
    for reg in to_recheck:
        reg.recheck_due = False
        if reg.drained and reg.readers and hub.regs.get(reg.fd) is reg:
            poll.register(reg.fd, IN | OUT)
            parked[reg.fd] = reg
    if not parked:
        return
    # CPython takes a look that a signal interrupted for one that has found nothing. Some socket is nearly always
    # writable, so that an empty answer is a reason to ask again.
    for _ in range(_LOOKS):
        if seen := poll.poll(0):
            break
    found = [fd for fd, events in seen if events & IN]
    if not found:
        return
    # Data that has just come has an event under way: epoll has queued it by now, behind at most one for each
    # descriptor. Until none is left would be too long, for there may always be more.
    for _ in range(len(hub.regs) // BATCH + 1):
        dispatch(registry, hub.poller.wait(0))
    for fd in found:
        reg = parked[fd]
        if reg.drained and reg.readers and hub.regs.get(fd) is reg:
            reg.stream = False
            dispatch(registry, [(fd, IN)])
