"""Waiting for several descriptors at once: one park, the first event ends it.

Every descriptor gets its registration, as for a single wait, so that closing one of them wakes us with EBADF - which
a nested epoll set would never report - and no descriptor is needed for the wait itself.
"""

import errno
from collections.abc import Sequence

from greening._core.hub import Hub
from greening._core.poller import IN, NO_ROOM, OUT, READ
from greening._core.registry import Registration
from greening._core.task import PARKED, TIMED_OUT, Task
from greening._core.waiting import wait_for_room
from greening._originals import epoll as _epoll


def wait_many(task: Task, wants: Sequence[tuple[int, int]], deadline: float | None) -> bool:
    """Park until an event comes for one of several descriptors.

    Args:
        task: the running one.
        wants: (descriptor, events of POLLIN and POLLOUT). None at all: only the deadline ends it.
        deadline: absolute hub time, seconds; None: none.
    Returns:
        False: the deadline passed. True: ask the system what there is; it may be nothing.
    Raises:
        OSError: EBADF, one of them is closed, or was meanwhile.
    """
    try:
        return _wait(task, wants, deadline)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
    # select(2) and poll(2) need no room: ask them again after a moment.
    return wait_for_room(deadline)


def _wait(task: Task, wants: Sequence[tuple[int, int]], deadline: float | None) -> bool:
    hub = task.hub
    joined: list[Registration] = []
    task.state = PARKED
    try:
        for fd, mask in wants:
            reg = _join(hub, task, fd, mask)
            if reg is not None:
                joined.append(reg)
        return task.park(deadline) is not TIMED_OUT
    except BaseException:
        task.unparked()
        raise
    finally:
        for reg in joined:
            _leave(hub, task, reg)


def wait_many_exactly(task: Task, wants: Sequence[tuple[int, int]], deadline: float | None) -> bool:
    """`wait_many` for any events, POLLPRI alone or none (errors and hang-ups) among them, and without false alarms.

    It takes an epoll set of its own, which is itself a descriptor that can be waited for.
    """
    if _epoll is None:
        return wait_many(task, [(fd, mask or IN) for fd, mask in wants], deadline)
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
        return wait_many(task, [(nested.fileno(), IN)], deadline)
    finally:
        nested.close()


def _join(hub: Hub, task: Task, fd: int, mask: int) -> Registration | None:
    """Line up for one descriptor. None: it never has anything to tell (a file on disk, which is always ready)."""
    reg = hub.regs.get(fd)
    if reg is not None and reg.owner is not None and reg.owner() is None:
        del hub.regs[fd]  # the socket is gone, and its number is somebody else's
        reg = None
    fresh = reg is None
    if reg is None:
        reg = hub.regs[fd] = Registration(fd, None, False, False)
    if mask & READ:
        reg.readers = _with(reg.readers, task)
    if mask & OUT:
        reg.writers = _with(reg.writers, task)
    try:
        if reg.edge:
            hub.poller.arm_edge(fd)  # somebody may have consumed the edge: what is ready now is reported again
        else:
            hub.poller.arm_once(fd, reg.wanted)
    except BaseException as error:
        reg.leave(task)
        if fresh:
            del hub.regs[fd]
        if isinstance(error, PermissionError):
            return None
        raise
    return reg


def _leave(hub: Hub, task: Task, reg: Registration) -> None:
    reg.leave(task)
    if reg.edge or hub.regs.get(reg.fd) is not reg:
        return
    if reg.wanted:
        try:
            hub.poller.arm_once(reg.fd, reg.wanted)
        except OSError:
            hub.registry.forget(reg.fd)  # closed behind our back: the others who wait for it are told
        return
    hub.poller.disarm(reg.fd)
    if reg.owner is None:
        del hub.regs[reg.fd]


def _with(waiters: Task | list[Task] | None, task: Task) -> Task | list[Task]:
    if waiters is None:
        return task
    return [*waiters, task] if isinstance(waiters, list) else [waiters, task]
