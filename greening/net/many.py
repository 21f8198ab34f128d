"""Waiting for several descriptors at once, for any events. See `Registry.wait_any`."""

from collections.abc import Sequence

from greening._core.poller import IN
from greening._core.task import Task
from greening._originals import epoll as _epoll


def wait_many_exactly(task: Task, wants: Sequence[tuple[int, int]], deadline: float | None) -> bool:
    """`Registry.wait_any` for any events, POLLPRI alone or none (errors and hang-ups) among them. No false alarms.

    It takes an epoll set of its own, which is itself a descriptor that can be waited for.
    """
    if _epoll is None:
        return task.hub.registry.wait_any(task, [(fd, mask or IN) for fd, mask in wants], deadline)
    nested = _epoll()
    try:
        for fd, mask in wants:
            try:
                nested.register(fd, mask)
            except PermissionError:
                continue
        return task.hub.registry.wait_any(task, [(nested.fileno(), IN)], deadline)
    finally:
        nested.close()
