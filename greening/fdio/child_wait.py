"""Waiting for child processes without polling, without SIGCHLD, and without taking another waiter's child.

Facts: a descriptor from pidfd_open(2) polls readable when the process has ended, reaped or not. No such descriptor
exists for "any child", for a process group, or for a child that stops. waitid(2) with WNOWAIT reports a change and
leaves it there.
Decision: one child is waited for through a pidfd. For the rest, one native thread for each kind of wait sits in
waitid(WNOWAIT) and wakes the green threads that asked for it. Each of them then reaps with WNOHANG itself, and goes on
waiting if another waiter was quicker. A green thread that is killed leaves at once. Its native thread serves the next
one that asks, or ends with the next change.
"""

import _signal
import os
from collections.abc import Callable
from operator import index
from typing import Any

from greening._core.critical import guard
from greening._core.current import current, has_hub, hubless
from greening._core.fairness import fairness_tick
from greening._core.fork import NET, on_child
from greening._core.parking_lot import ParkingLot
from greening._core.poller import IN
from greening._core.task import RUNNING, TIMED_OUT
from greening._core.waiting import wait_readable
from greening._originals import os_close, os_get_blocking, os_getpgrp, start_new_thread
from greening._originals import poll as _poll
from greening._originals import wait3 as _wait3
from greening._originals import wait4 as _wait4
from greening._originals import waitid as _waitid
from greening._originals import waitpid as _waitpid

_pidfd_open: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
_WNOHANG = os.WNOHANG
# Milliseconds: the longest timeout that poll(2) takes.
_INT_MAX = 2**31 - 1
_P_PIDFD = getattr(os, "P_PIDFD", -1)

# The green threads of this process that wait, by (idtype, id, options) of waitid. Guarded by `guard`.
_watched: dict[tuple[int, int, int], ParkingLot] = {}
on_child(NET, _watched.clear)


def wait_exit(pid: int, timeout: float | None = None) -> bool:
    """Park until the child `pid` has ended. Its status stays to be collected with `waitpid`.

    Args:
        timeout: seconds, relative; None: no limit.
    Returns:
        True: it has ended, or there is no such process; `waitpid` will not wait. False: the time ran out.
    Thread-safety: call it in any green or native thread.
    """
    try:
        if _pidfd_open is None:
            return _watch(os.P_PID, pid, os.WEXITED, timeout)
        fd = _pidfd_open(pid)
    except ProcessLookupError:
        return True
    except OSError:  # ENOSYS, EPERM of a sandbox, or EMFILE: wait without a descriptor
        return _watch(os.P_PID, pid, os.WEXITED, timeout)
    try:
        return wait_pidfd(fd, timeout)
    finally:
        os_close(fd)


def wait_pidfd(fd: int, timeout: float | None = None) -> bool:
    """Do what `wait_exit` does, for the process of a descriptor from pidfd_open(2). The descriptor is borrowed."""
    if not hubless():
        return wait_readable(fd, timeout)
    poll = _poll()
    poll.register(fd, IN)
    return bool(poll.poll(None if timeout is None else min(timeout * 1000, _INT_MAX)))


def wait_change(idtype: int, ident: int, options: int) -> None:
    """Park until waitid(idtype, ident, options) has a change to report or would fail. The change stays to be collected.

    Args:
        options: WEXITED, WSTOPPED, WCONTINUED.
    """
    if options == os.WEXITED and idtype == os.P_PID and ident > 0:
        wait_exit(ident)
    elif options == os.WEXITED and idtype == _P_PIDFD and not hubless():
        wait_readable(ident)
    else:
        _watch(idtype, ident, options, None)


def _watch(idtype: int, ident: int, options: int, timeout: float | None) -> bool:
    if timeout is None and hubless():
        _sit(idtype, ident, options)
        return True
    key = (idtype, ident, options)
    with guard:
        waiters = _watched.get(key)
        if waiters is None:
            waiters = _watched[key] = ParkingLot()
            start_new_thread(_serve, (key,))
        task = waiters.enter()
    with task.hub.external_wait():
        return waiters.wait(task, timeout) is not TIMED_OUT


def _serve(key: tuple[int, int, int]) -> None:
    """Body of a native thread: wait for one change, and wake the green threads that wait for it. No signals."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    _sit(*key)
    with guard:
        waiters = _watched.pop(key, None)
        if waiters is not None:
            waiters.unpark_all()


def _sit(idtype: int, ident: int, options: int) -> None:
    try:
        _waitid(idtype, ident, options | os.WNOWAIT)
    except OSError:
        return  # ECHILD: there is no such child, and the green thread will find that out


def _run_handlers() -> None:
    """Handle a signal that came before a child ended, perhaps from it, before the caller hears of the end.

    What interrupts the engine is put off until the hub runs. No kill and no timeout may come meanwhile: the child's
    status would be lost.
    """
    if not has_hub() or hubless():
        return
    task = current()
    hub = task.hub
    if hub.wakeup.inbox and task.state == RUNNING and not guard.is_owned():
        hub.end_round()
        task.pass_turn()


def _change_of(pid: int, options: int) -> tuple[int, int, int]:
    """Return what waitpid(pid, options) waits for, as arguments of waitid."""
    events = os.WEXITED | options & ~_WNOHANG  # WUNTRACED is WSTOPPED
    if pid > 0:
        return os.P_PID, pid, events
    if pid == -1:
        return os.P_ALL, 0, events
    return os.P_PGID, -pid or os_getpgrp(), events


def _reaped(reap: Callable[[int], Any], pid: int, options: int) -> Any:
    """Park until `reap(options)`, which does not wait, has a child to tell of. With WNOHANG: ask once."""
    options = index(options)
    fairness_tick()
    while True:
        result = reap(options | _WNOHANG)
        if result[0]:
            _run_handlers()
            return result
        if options & _WNOHANG:
            return result
        wait_change(*_change_of(index(pid), options))


def waitpid(pid: int, options: int) -> tuple[int, int]:
    """Wait for a child, as `os.waitpid`: the same arguments, result and errors. Parks. Source: waitpid(2)."""
    return _reaped(lambda flags: _waitpid(pid, flags), pid, options)  # type: ignore[no-any-return]  # its result


def wait4(pid: int, options: int) -> tuple[int, int, Any]:
    """Wait for a child, as `os.wait4`: the same arguments, result and errors. Parks. Source: wait4(2)."""
    return _reaped(lambda flags: _wait4(pid, flags), pid, options)  # type: ignore[no-any-return]  # likewise


def wait3(options: int) -> tuple[int, int, Any]:
    """Wait for any child, as `os.wait3`: the same arguments, result and errors. Parks. Source: wait3(2)."""
    return _reaped(lambda flags: _wait3(flags), -1, options)  # type: ignore[no-any-return]  # likewise


def waitid(idtype: int, ident: int, options: int) -> Any:
    """Wait for a change of a child, as `os.waitid`: same arguments, result and errors. Parks. Source: waitid(2)."""
    options = index(options)
    fairness_tick()
    if idtype == _P_PIDFD and not os_get_blocking(ident):
        return _waitid(idtype, ident, options)  # a pidfd with O_NONBLOCK means: fail with EAGAIN
    while True:
        result = _waitid(idtype, ident, options | _WNOHANG)
        if result is not None:
            _run_handlers()
            return result
        if options & _WNOHANG:
            return result
        wait_change(index(idtype), index(ident), options & ~os.WNOWAIT)
