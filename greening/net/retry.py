"""One discipline for every operation on a socket: try the system call, park on EAGAIN, keep the deadline, try again.

Facts:
- `recv`, `send` and the like take MSG_DONTWAIT. On a socket whose C-level timeout is None they then fail with EAGAIN
  instead of waiting. So a blocking socket keeps its blocking descriptor, as its user and a child process expect.
- With a C-level timeout above zero every C call begins with a `poll` of its own, which would stop the hub.
- OpenSSL's object reads the C-level timeout as well, and knows no MSG_DONTWAIT.
Decision: the C-level timeout is None or 0 (always 0 for TLS). A timeout that the user sets is kept here, by descriptor.
The descriptor then gets O_NONBLOCK, as in the stdlib.
"""

import _socket
import errno
from collections.abc import Callable
from math import ceil
from typing import Any
from weakref import ref

from greening._core.current import current, hubs
from greening._core.fairness import fairness_tick
from greening._core.hub import Hub
from greening._core.poller import NO_ROOM
from greening._core.registration import Registration
from greening._core.timers import deadline_after
from greening._core.waiting import wait_for_room
from greening._originals import is_finalizing, os_set_blocking, raw_socket, strerror

# The C module's are plain integers. A comparison or `|` of the enum members of `socket` is a Python call, and costs
# more than the system call. (And a program that imports this file need not load `socket`.)
INET = (_socket.AF_INET, _socket.AF_INET6)
STREAM = _socket.SOCK_STREAM
TCP = (0, _socket.IPPROTO_TCP)
DONTWAIT = _socket.MSG_DONTWAIT
# Flags with which a call does not wait, or is not meant to.
IMMEDIATE = DONTWAIT | getattr(_socket, "MSG_ERRQUEUE", 0)

_fileno = raw_socket.fileno
_raw_gettimeout = raw_socket.gettimeout
_raw_setblocking = raw_socket.setblocking
_raw_settimeout = raw_socket.settimeout
# The C members, without the conversion to an enum that the properties of `socket.socket` do.
family_of: Callable[[Any], int] = raw_socket.family.__get__
type_of: Callable[[Any], int] = raw_socket.type.__get__
proto_of: Callable[[Any], int] = raw_socket.proto.__get__

# Seconds below which a float tells the nanoseconds of a timeout apart.
_EXACT = 1e6

# Seconds of the timeouts that users have set, by descriptor. The weak reference tells the socket that set it from
# another one that has the number now.
timeouts: dict[int, tuple["ref[Any]", float | None]] = {}


def set_timeout(sock: Any, timeout: float | None) -> None:
    """Do what `socket.settimeout` does. Seconds; None: blocking; 0: non-blocking. Errors as the stdlib's."""
    fd = _fileno(sock)
    kind = type(timeout)
    if (kind is float or kind is int) and 0 < timeout < _EXACT and _raw_gettimeout(sock) is None:  # type: ignore[operator]  # a number
        # The frequent case, with one system call instead of three. The C level rounds up to nanoseconds.
        os_set_blocking(fd, False)
        timeouts[fd] = (ref(sock), ceil(timeout * 1e9) / 1e9)  # type: ignore[operator]  # likewise
        return
    _raw_settimeout(sock, timeout)
    seconds = _raw_gettimeout(sock)
    timeouts.pop(fd, None)
    if seconds == 0:
        keep_trying(fd)
    elif seconds:
        timeouts[fd] = (ref(sock), seconds)
        # The C level must be blocking, and the descriptor must not.
        _raw_settimeout(sock, None)
        os_set_blocking(fd, False)


def set_tls_timeout(sock: Any, timeout: float | None) -> None:
    """Do the same for a socket that OpenSSL reads and writes: its descriptor is always non-blocking."""
    _raw_settimeout(sock, timeout)
    seconds = _raw_gettimeout(sock)
    fd = _fileno(sock)
    timeouts.pop(fd, None)
    if seconds == 0:
        keep_trying(fd)
    else:
        timeouts[fd] = (ref(sock), seconds)
        _raw_settimeout(sock, 0)


def set_blocking(sock: Any, flag: Any) -> None:
    """Do what `socket.setblocking` does. Errors as the stdlib's."""
    _raw_setblocking(sock, flag)
    fd = _fileno(sock)
    timeouts.pop(fd, None)
    if not flag:
        keep_trying(fd)


def keep_trying(fd: int) -> None:
    """A socket is non-blocking now: have its reads try each time, since the hub may not run between two of them."""
    for hub in tuple(hubs):
        reg = hub.regs.get(fd)
        if reg is not None:
            reg.drained = reg.stream = False


def drop_timeout(fd: int) -> None:
    """Forget the timeout of a descriptor that leaves its socket."""
    timeouts.pop(fd, None)


def change_timeout(sock: Any, seconds: float | None) -> None:
    """Change the timeout of an open socket that is not non-blocking, without the system calls of `set_timeout`.

    Args:
        seconds: above zero; None: no limit.
    """
    fd = _fileno(sock)
    if fd >= 0:  # it may have been closed by another green thread
        timeouts[fd] = (ref(sock), seconds)


def timeout_of(sock: Any) -> float | None:
    """Return the timeout that the user sees, in seconds. None: blocking; 0: non-blocking."""
    timeout = _raw_gettimeout(sock)
    if not timeout and timeouts:
        entry = timeouts.get(_fileno(sock))
        if entry is not None:
            owner = entry[0]()
            # When the interpreter ends, the weak reference may be dead before its socket.
            if owner is sock or (owner is None and is_finalizing()):
                return entry[1]
    return timeout


def wait_socket(sock: Any, mask: int, deadline: float | None) -> Registration:
    """Park until an event of `mask` comes for `sock`, or `deadline` (absolute hub time, seconds) has passed.

    Returns:
        Its registration. The event may be stale: try, and wait again.
    Raises:
        TimeoutError: the deadline passed.
        OSError: EBADF, the socket was closed.
    """
    task = current()
    hub = task.hub
    reg = registration(sock, hub, deadline)
    if not hub.registry.wait(reg, task, mask, deadline):
        raise TimeoutError("timed out")
    return reg


def registration(sock: Any, hub: Hub, deadline: float | None) -> Registration:
    """Return the registration of `sock` with `hub`. A new one is armed.

    Raises:
        OSError: EBADF, the socket is closed.
        TimeoutError: the poller had no room for it until `deadline` (absolute hub time, seconds).
    """
    while True:
        fd = _fileno(sock)
        reg = hub.regs.get(fd)
        if reg is not None and reg.owner is not None and reg.owner() is sock:
            return reg
        if fd < 0:  # closed by a finaliser or a signal handler, between the try and the wait
            raise OSError(errno.EBADF, strerror(errno.EBADF))
        # SCTP's streams end a read at the end of a message: a short read does not mean that nothing is left.
        tcp = type_of(sock) == STREAM and family_of(sock) in INET and proto_of(sock) in TCP
        try:
            return hub.registry.socket(fd, sock, tcp)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
        if not wait_for_room(deadline):
            raise TimeoutError("timed out")


def deadline_of(sock: Any) -> float | None:
    """Return the absolute hub time, in seconds, at which an operation that begins now has to end; None: no limit.

    Raises:
        BlockingIOError: the socket is non-blocking.
    """
    timeout = _raw_gettimeout(sock) if not timeouts else timeout_of(sock)
    if timeout is None:
        return None
    if timeout == 0:
        raise BlockingIOError(errno.EAGAIN, strerror(errno.EAGAIN))
    return deadline_after(current().hub.now(), timeout)


def attempt(sock: Any, mask: int, user_flags: int, call: Callable[..., Any], *args: Any) -> Any:
    """Call, and `retry` where that would wait. With MSG_DONTWAIT or MSG_ERRQUEUE in `user_flags` it never waits."""
    fairness_tick()
    try:
        return call(sock, *args)
    except BlockingIOError:
        if user_flags & IMMEDIATE:
            raise
    return retry(sock, mask, call, *args)


def retry(sock: Any, mask: int, call: Callable[..., Any], *args: Any) -> Any:
    """Park and call until the call succeeds. `call` fails with BlockingIOError instead of waiting."""
    deadline = deadline_of(sock)
    while True:
        wait_socket(sock, mask, deadline)
        try:
            return call(sock, *args)
        except BlockingIOError:
            continue
