"""The recheck: a second look at sockets whose read parked after a short read, in case data was left all the same.

Facts: by epoll(7), after a short read of a stream no data is left, and Linux keeps to it. Other kernels that run Linux
programs, and layers between a program and libc, cut reads short with data left. The edge that reported this data has
been consumed, so a read that parks then would wait for ever.
Measured (64-byte echo, 100 connections): to try before every park costs a tenth of the whole, and a fifth without the
accelerator; this second look costs 1 to 2 per cent.
Decision: a socket whose read parks without trying is checked once more after a moment, together with all the others.
Where poll(2) finds data that epoll does not report, wake the reader, and never trust that socket's short reads again.
"""

from typing import TYPE_CHECKING

from greening._core.poller import BATCH, IN, OUT
from greening._core.registry import dispatch
from greening._originals import poll as _poll

if TYPE_CHECKING:
    from greening._core.hub import Hub
    from greening._core.registration import Registration

# Seconds until the second look. A shorter time would cost a busy hub. A longer one would be felt at the first short
# read of every socket, where these cannot be trusted.
AFTER = 0.05
# Calls of poll(2), at most, until it reports anything at all.
_LOOKS = 8


def schedule_recheck(hub: "Hub", reg: "Registration") -> None:
    """A read of `reg` is about to park without trying: schedule a recheck, unless one is due already."""
    registry = hub.registry
    if reg.recheck_due or not registry.rechecks:
        return
    reg.recheck_due = True
    registry.to_recheck.append(reg)
    if len(registry.to_recheck) == 1:
        hub.call_at(hub.now() + AFTER, recheck, hub)


def recheck(hub: "Hub") -> None:
    """In the hub: wake the tasks that wait for data that is there but that no event will report."""
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
    # CPython answers a poll(2) that a signal interrupted with an empty list. Some socket is nearly always writable, so
    # an empty list is a reason to ask again.
    for _ in range(_LOOKS):
        if seen := poll.poll(0):
            break
    found = [fd for fd, events in seen if events & IN]
    if not found:
        return
    # For data that has just come epoll has queued an event, behind at most one for each descriptor. To go on until no
    # event is left could take for ever.
    for _ in range(len(hub.regs) // BATCH + 1):
        dispatch(registry, hub.poller.wait(0))
    for fd in found:
        reg = parked[fd]
        if reg.drained and reg.readers and hub.regs.get(fd) is reg:
            reg.stream = False
            dispatch(registry, [(fd, IN)])
