"""`select`, `poll` and `epoll` that wait cooperatively and let the real ones answer.

Every call asks the real object first, with timeout 0: its errors, its order, its results. Only when it finds nothing,
and may wait, do we park - for the descriptors themselves (select, poll) or for the one descriptor of the epoll set,
which becomes readable when something happens in it (epoll(7)) - and ask again. No event is reported by us.

Facts: an epoll set that is itself in the hub's set, edge-triggered, reports every event that comes up inside; none
can come up between the real `poll(0)` and the park without being reported there. So it is armed once, like a socket.
"""

import errno
from collections.abc import Callable, Sequence
from typing import Any

from greening._core.current import current, hubless
from greening._core.fairness import fairness_tick
from greening._core.poller import ERR, HUP, IN, NO_ROOM, NVAL, OUT, PRI
from greening._core.task import Task
from greening._core.timers import deadline_after, stdlib_number
from greening._core.waiting import wait_for_room
from greening._originals import epoll as _epoll
from greening._originals import poll as _real_poll
from greening._originals import select as _real_select
from greening._originals import strerror

Wants = Sequence[tuple[int, int]]
Found = tuple[list[Any], list[Any], list[Any]]

_FD_SETSIZE = 1024
# Seconds from which on a timeout is an OverflowError: 2**63 nanoseconds.
_TOO_LONG = 9223372036.0


def wait_events(find: Callable[[], Any], wants: Wants, timeout: float | None, strict: bool = True) -> Any:
    """Park until `find()`, which asks the real object without waiting and has found nothing yet, finds something.

    Args:
        wants: the descriptors and events it looks at, each descriptor once.
        timeout: seconds from now, None: no limit.
        strict: a descriptor that is closed meanwhile is an error; otherwise `find` is asked about it.
    Returns:
        What `find` returned; something false when the time ran out.
    Raises:
        OSError: EBADF, a descriptor was closed meanwhile; what `find` raises.
    """
    task = current()
    deadline = None if timeout is None else deadline_after(task.hub.now(), timeout)
    # A wait for "readable" is also woken by urgent data, which may not be asked for: one false alarm is enough.
    exactly = any(not mask & (IN | OUT) for _, mask in wants)
    while True:
        try:
            in_time = (wait_any_exactly if exactly else wait_any)(task, wants, deadline)
        except OSError:
            if strict:
                raise
            in_time = True
        found = find()
        if found or not in_time:
            return found
        exactly = True


def number_of(file: Any) -> int:
    """The descriptor of a file object, or of a number."""
    return file if isinstance(file, int) else file.fileno()  # the real call has checked it


def select(rlist: Any, wlist: Any, xlist: Any, timeout: Any = None) -> Found:
    """`select.select`. Arguments, results and errors are its own.

    Difference: descriptors from 1024 on, which select(2) cannot look at, are answered right (through poll) instead of
    with a ValueError: a program with thousands of green threads has thousands of descriptors.
    """
    seconds = None if timeout is None else stdlib_number(timeout)
    if timeout is not None and (seconds is None or not 0 <= seconds < _TOO_LONG):
        return _real_select(rlist, wlist, xlist, timeout)  # an error, and it knows which
    fairness_tick()
    lists = (_sequence(rlist), _sequence(wlist), _sequence(xlist))
    try:
        found = _real_select(*lists, 0)
        wide = False
    except ValueError:
        if not _is_wide(lists):
            raise
        found = _select_wide(*lists)
        wide = True
    if seconds == 0 or any(found):
        return found
    if hubless() and not wide:
        return _real_select(*lists, timeout)
    return _select_parked(lists, seconds, wide)


def _sequence(files: Any) -> Any:
    """Something that can be gone through twice; what cannot be gone through at all is left for the real call."""
    if isinstance(files, (list, tuple)):
        return files
    try:
        return list(files)
    except TypeError:
        return files


def _is_wide(lists: Sequence[Any]) -> bool:
    """True when select(2) refuses only because of the size of a number, or of a list."""
    try:
        numbers = [number_of(file) for files in lists for file in files]
    except ValueError:
        return False
    return min(numbers) >= 0 and (max(numbers) >= _FD_SETSIZE or len(numbers) > _FD_SETSIZE)


def _select_parked(lists: Sequence[Sequence[Any]], timeout: float | None, wide: bool) -> Found:
    # By number from here on: a file that is closed meanwhile has none any more.
    numbers: Any = [[number_of(file) for file in files] for files in lists]
    ready: Found = ([], [], [])

    def find() -> bool:
        nonlocal ready
        ready = _select_wide(*numbers) if wide else _real_select(numbers[0], numbers[1], numbers[2], 0)
        return any(ready)

    if not wait_events(find, list(_wants(*numbers).items()), timeout):
        return [], [], []
    hits = [set(fds) for fds in ready]
    r, w, x = ([file for file, fd in zip(lists[i], numbers[i], strict=True) if fd in hits[i]] for i in range(3))
    return r, w, x


def _wants(rlist: Sequence[Any], wlist: Sequence[Any], xlist: Sequence[Any]) -> dict[int, int]:
    wants: dict[int, int] = {}
    for files, mask in ((rlist, IN), (wlist, OUT), (xlist, PRI)):
        for file in files:
            fd = number_of(file)
            wants[fd] = wants.get(fd, 0) | mask
    return wants


def _select_wide(rlist: Sequence[Any], wlist: Sequence[Any], xlist: Sequence[Any]) -> Found:
    """What select(2) would find now, asked of poll(2): select(2) has the table ("Correspondence ...")."""
    poll = _real_poll()
    for fd, mask in _wants(rlist, wlist, xlist).items():
        poll.register(fd, mask)
    events = dict(poll.poll(0))
    if any(mask & NVAL for mask in events.values()):
        raise OSError(errno.EBADF, strerror(errno.EBADF))
    tests = ((rlist, IN | HUP | ERR), (wlist, OUT | ERR), (xlist, PRI))
    r, w, x = ([file for file in files if events.get(number_of(file), 0) & mask] for files, mask in tests)
    return r, w, x


# Waiting for several descriptors at once. See `Registry.wait_any`.


def wait_any(task: Task, wants: Sequence[tuple[int, int]], deadline: float | None) -> bool:
    """`Registry.wait_any`, also where the poller has no room for the descriptors."""
    try:
        return task.hub.registry.wait_any(task, wants, deadline)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
    # select(2) and poll(2) need no room: ask them again after a moment.
    return wait_for_room(deadline)


def wait_any_exactly(task: Task, wants: Sequence[tuple[int, int]], deadline: float | None) -> bool:
    """`wait_any` for any events, POLLPRI alone or none (errors and hang-ups) among them, and without false alarms.

    It takes an epoll set of its own, which is itself a descriptor that can be waited for.
    """
    if _epoll is None:
        return wait_any(task, [(fd, mask or IN) for fd, mask in wants], deadline)
    nested = _epoll()
    try:
        for fd, mask in wants:
            try:
                nested.register(fd, mask)
            except OSError as error:
                if error.errno in NO_ROOM:
                    return wait_for_room(deadline)
                if error.errno != errno.EPERM:
                    raise
        return wait_any(task, [(nested.fileno(), IN)], deadline)
    finally:
        nested.close()
