"""Waiting for several descriptors at once. See `Registry.wait_any`."""

import errno
from collections.abc import Sequence

from greening._core.poller import IN, NO_ROOM
from greening._core.task import Task
from greening._core.waiting import wait_for_room
from greening._originals import epoll as _epoll


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
