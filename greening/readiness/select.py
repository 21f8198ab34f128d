"""`select`, `poll` and `epoll` that wait cooperatively and let the real ones answer.

Every call asks the real object first, with timeout 0: the errors, the order and the results are those of the real one.
If it finds nothing and may wait, we park and ask again. select and poll park for the descriptors themselves. epoll
parks for the one descriptor of its set, which becomes readable when something happens in it (epoll(7)).

Fact: an epoll set that is itself in the hub's set, edge-triggered, reports every event that comes up inside. This
includes an event between the real `poll(0)` and the park.
Decision: an epoll set is armed once, like a socket.
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

# Descriptors: select(2) takes numbers below this, and Python's call takes at most so many in a list.
_FD_SETSIZE = 1024
# Seconds from which a timeout is an OverflowError: 2**63 nanoseconds.
_TOO_LONG = 9223372036.0


def wait_events(find: Callable[[], Any], wants: Wants, timeout: float | None, strict: bool = True) -> Any:
    """Park until `find()` finds something.

    Args:
        find: asks the real object without waiting. It has found nothing yet.
        wants: the descriptors and events that it looks at, each descriptor once.
        timeout: seconds, relative; None: no limit.
        strict: True: a descriptor that is closed meanwhile is an error. False: `find` decides what that is.
    Returns:
        What `find` returned; something false when the time ran out.
    Raises:
        OSError: EBADF, a descriptor was closed meanwhile; what `find` raises.
    """
    task = current()
    deadline = None if timeout is None else deadline_after(task.hub.now(), timeout)
    # A wait for "readable" is also woken by urgent data. If that was not asked for, one false alarm is enough.
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
    """Return the descriptor of a file object, or the number itself."""
    return file if isinstance(file, int) else file.fileno()  # the real call has checked it


def select(rlist: Any, wlist: Any, xlist: Any, timeout: Any = None) -> Found:
    """Park until descriptors are ready, as `select.select`.

    Args:
        rlist, wlist, xlist: descriptors or objects with `fileno`, to be looked at for reading, for writing and for
            exceptional conditions.
        timeout: seconds, relative; None: no limit; 0: do not wait.
    Returns:
        Those of each list that are ready; three empty lists when the time ran out.
    Raises:
        OSError: EBADF, a descriptor is closed, or was closed meanwhile. TypeError, ValueError: as the stdlib's.
    Difference from the stdlib: descriptors from 1024 on are no ValueError. select(2) cannot look at them, so poll(2) is
    asked. A program with thousands of green threads has thousands of descriptors.
    Source: select(2).
    """
    seconds = None if timeout is None else stdlib_number(timeout)
    if timeout is not None and (seconds is None or not 0 <= seconds < _TOO_LONG):
        return _real_select(rlist, wlist, xlist, timeout)  # it raises the right error
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
    """Return a sequence that can be gone through twice. What cannot be gone through is left for the real call."""
    if isinstance(files, (list, tuple)):
        return files
    try:
        return list(files)
    except TypeError:
        return files


def _is_wide(lists: Sequence[Any]) -> bool:
    """Return True if select(2) refuses only because of the size of a number, or of a list."""
    try:
        numbers = [number_of(file) for files in lists for file in files]
    except ValueError:
        return False
    return min(numbers) >= 0 and (max(numbers) >= _FD_SETSIZE or len(numbers) > _FD_SETSIZE)


def _select_parked(lists: Sequence[Sequence[Any]], timeout: float | None, wide: bool) -> Found:
    # By number from here on: a file that is closed meanwhile has no number any more.
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
    """Return what select(2) would find now, by poll(2). The table is in select(2), "Correspondence ..."."""
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
    """Do what `Registry.wait_any` does, also where the poller has no room for the descriptors."""
    try:
        return task.hub.registry.wait_any(task, wants, deadline)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
    # select(2) and poll(2) need no room: the caller asks them again after a moment.
    return wait_for_room(deadline)


def wait_any_exactly(task: Task, wants: Sequence[tuple[int, int]], deadline: float | None) -> bool:
    """Do what `wait_any` does, for any events and without false alarms.

    POLLPRI alone, and no events but errors and hang-ups, are among them. It takes an epoll set of its own, which is a
    descriptor that can be waited for.
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
