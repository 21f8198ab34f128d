"""How the rooms above let others run: sleep, yield, wait for a descriptor."""

import errno
from functools import partial
from typing import Any

from greening._compiled import double
from greening._core.critical import guard
from greening._core.current import current, hubs
from greening._core.poller import IN, NO_ROOM, OUT, ROOM_PAUSE
from greening._core.suspend import SWITCHABLE
from greening._core.task import PARKED, READY, RUNNING, Task
from greening._core.timers import deadline_after
from greening._originals import get_ident


@double
def sleep(seconds: float = 0) -> None:
    """Let others run for at least `seconds`; 0 (or less): let every task that is runnable now run once.

    Args:
        seconds: relative, monotonic time.
    Raises:
        TypeError, ValueError, OverflowError: not a real number; nan; an integer that is too large.
        Whatever interrupts it: a kill, a Timeout.
    Difference from `time.sleep`: negative is 0, as in eventlet; the default is 0.
    """
    task = current()
    hub = task.hub
    if seconds != 0:
        now = hub.now()
        deadline = deadline_after(now, seconds)
        if deadline > now:
            if task.state != RUNNING:
                task = task.waiter()
            task.value = SWITCHABLE
            task.state = PARKED
            try:
                task.park(deadline)
            except BaseException:
                task.value = None
                raise
            return
    if task.state != RUNNING:
        task = task.waiter()
    task.state = READY
    hub.ready.append(task)
    task.park()


def sleep_or_look(seconds: float = 0) -> None:
    """`sleep`, but 0 has the hub look at descriptors and timers first if nobody else is runnable.

    What they wake has its turn before the caller. eventlet's `sleep` does so, and its programs count on it: after one
    `sleep(0)` others have read what was sent to them. The look costs a system call, so greening's own `sleep` leaves it
    to the hub, which looks once in a round.

    Args, Raises: as `sleep`.
    """
    task = current()
    hub = task.hub
    if seconds == 0 and not hub.ready and task.state == RUNNING:
        task.state = READY
        # The hub takes its inbox after the look at descriptors.
        hub.wakeup.inbox.append(partial(_resume_last, task, task.generation))
        task.park()
        return
    sleep(seconds)


def _resume_last(task: Task, generation: int) -> None:
    """In the hub: have the timers called that are due, and then the task resumed."""
    hub = task.hub
    now, mark = hub.now(), hub.timers.mark()
    while (timer := hub.timers.pop_due(now, mark)) is not None:
        timer.call(*timer.args)
    if task.generation == generation:
        hub.ready.append(task)


def yield_now() -> None:
    """Let every runnable task run once. If there is none, let the hub look at descriptors and timers.

    The next park raises a Timeout or a kill that comes meanwhile. In the hub, in a critical step, and in code that
    interrupts a park, it does nothing.
    """
    task = current()
    if task.state == RUNNING and not guard.is_owned():
        task.pass_turn()


def wait_fd(fd: int, mask: int, timeout: float | None = None) -> int:
    """Park until an event of `mask` (select.POLLIN, POLLOUT, POLLPRI, ...) is there for a descriptor.

    Args:
        fd: an open descriptor. Borrowed: keep it open, or call `forget_fd` before closing it.
        timeout: seconds from now; None: no limit; 0: one look, after the others had their turn.
    Returns:
        The events that are there; 0: the time ran out. A regular file has all of them, always.
    Raises:
        OSError: EBADF, it is closed or was closed meanwhile.
    Source: epoll(7), epoll_ctl(2) on EPOLLONESHOT and EPERM.
    """
    task = current()
    hub = task.hub
    deadline = None if timeout is None else deadline_after(hub.now(), timeout)
    if fd < 0:
        raise OSError(errno.EBADF, "negative file descriptor")
    while True:
        try:
            return hub.registry.wait_raw(fd, task, mask, deadline)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
        if not wait_for_room(deadline):
            return 0


def wait_for_room(deadline: float | None) -> bool:
    """The poller had no room for a descriptor: park for a moment. False: `deadline` (absolute hub time) has passed."""
    left = ROOM_PAUSE if deadline is None else deadline - current().hub.now()
    if left <= 0:
        return False
    sleep(min(ROOM_PAUSE, left))
    return True


def wait_readable(fd: int, timeout: float | None = None) -> bool:
    """Park until `fd` can be read without blocking. See `wait_fd`. False: the time ran out."""
    return wait_fd(fd, IN, timeout) != 0


def wait_writable(fd: int, timeout: float | None = None) -> bool:
    """Park until `fd` can be written without blocking. See `wait_fd`. False: the time ran out."""
    return wait_fd(fd, OUT, timeout) != 0


def wait_read(fd: Any, timeout: float | None = None) -> bool:
    """Park until a descriptor can be read without blocking, has ended, or has failed. For drivers that wait in C.

    Args:
        fd: an open descriptor, or an object with `fileno()`; keep it open. A regular file can always be read.
        timeout: seconds from now; None: no limit; 0: one look, after the others had their turn.
    Returns:
        False: the time ran out.
    Raises:
        TypeError: it is neither, or `timeout` is no number. OSError: EBADF, it is closed, or was closed meanwhile.
    Thread-safety: complete; several may wait for one descriptor.
    Difference from gevent's: it does not raise when the time runs out. From eventlet's `trampoline`: one direction.
    Source: epoll(7).
    """
    return wait_readable(_descriptor(fd), timeout)


def wait_write(fd: Any, timeout: float | None = None) -> bool:
    """Park until a descriptor can be written without blocking, or has failed. Otherwise as `wait_read`."""
    return wait_writable(_descriptor(fd), timeout)


def _descriptor(fd: Any) -> int:
    number = fd if isinstance(fd, int) else getattr(fd, "fileno", lambda: None)()
    if not isinstance(number, int):
        raise TypeError(f"a descriptor, or an object with fileno(), is needed, not {fd!r}")
    if number < 0:
        raise OSError(errno.EBADF, f"{fd!r} is closed" if number is not fd else "a descriptor is not negative")
    return number


def forget_fd(fd: int) -> None:
    """Call it before closing `fd`: its waiters, in every hub, get OSError(EBADF). Thread-safe, idempotent, cheap."""
    for hub in tuple(hubs):
        reg = hub.regs.get(fd)
        if reg is not None:
            if hub.awake_ident == get_ident():
                hub.registry.forget(fd)
            else:
                # When the other hub gets to it, the number may be that of a new file already.
                hub.post(partial(hub.registry.forget, fd, reg))
