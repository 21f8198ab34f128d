"""`connect` and `accept`, which have no MSG_DONTWAIT, and the look-up of names in addresses."""

import _socket
import errno
from collections.abc import Callable
from typing import Any

from greening._core.current import current
from greening._core.external import Backoff
from greening._core.fairness import fairness_tick
from greening._core.poller import IN, OUT
from greening._core.waiting import sleep
from greening._originals import os_get_blocking, os_set_blocking, raw_socket, strerror
from greening.net.dns import getaddrinfo
from greening.net.exchange import abort_if_interrupted, every_client
from greening.net.retry import INET, TCP, deadline_of, family_of, proto_of, timeout_of, wait_socket

_fileno = raw_socket.fileno
_raw_accept = raw_socket._accept  # type: ignore[attr-defined]  # private, and what socket.accept is made of
_raw_connect = raw_socket.connect
_raw_connect_ex: Callable[[Any, Any], int] = raw_socket.connect_ex
_raw_gettimeout = raw_socket.gettimeout
_raw_settimeout = raw_socket.settimeout
_getpeername = raw_socket.getpeername
_getsockopt: Callable[[Any, int, int], int] = raw_socket.getsockopt

# Error numbers of a connect(2) that has begun. Its end is reported by EPOLLOUT, and its outcome by SO_ERROR.
_UNDER_WAY = (errno.EINPROGRESS, errno.EINTR, errno.EALREADY)

# Families in which a second connect(2) tells how the first stands: EALREADY, EISCONN, or it begins.
_ASKABLE = (*INET, _socket.AF_UNIX)


def resolved(sock: Any, address: Any) -> Any:
    """Return `address` with its host as a number. The C level would look a name up itself, and stop the hub."""
    family = family_of(sock)
    if family not in INET or not isinstance(address, tuple) or len(address) < 2:
        return address
    host = address[0]
    if not host or not isinstance(host, str | bytes | bytearray) or host == "<broadcast>" or _is_number(family, host):
        return address
    found = getaddrinfo(host, None, family, _socket.SOCK_DGRAM)
    return (found[0][4][0], *address[1:])


def _is_number(family: int, host: str | bytes | bytearray) -> bool:
    try:
        _socket.inet_pton(family, host if isinstance(host, str) else host.decode("ascii"))
    except (OSError, ValueError):
        return False
    return True


def accept_fd(sock: Any) -> tuple[int, Any]:
    """Wait for a connection; return its descriptor and address."""
    fairness_tick()
    accepted = _accept_now(sock)
    if accepted is None:
        deadline = deadline_of(sock)
        while accepted is None:
            wait_socket(sock, IN, deadline)
            accepted = _accept_now(sock)
    return accepted


def _accept_now(sock: Any) -> tuple[int, Any] | None:
    if _raw_gettimeout(sock) is None:
        # Another process may take the connection that woke us: `accept` must fail then, and not wait. The flag is set
        # every time, since a process that shares the descriptor may have cleared it meanwhile.
        os_set_blocking(_fileno(sock), False)
    try:
        return _raw_accept(sock)  # type: ignore[no-any-return]  # (descriptor, address)
    except BlockingIOError:
        return None


def connect(self: Any, address: Any, /) -> None:
    """Connect to `address`; park until the connection is made.

    Difference from the stdlib: a host name is looked up while other green threads run.

    Args:
        address: as the socket's family has it: (host, port) or a path. The host may be a name or a number.
    Raises:
        OSError: connect(2) failed. socket.gaierror: the name is unknown.
        TimeoutError: the socket's timeout has passed; the look-up of a name does not count.
        BlockingIOError: EINPROGRESS, the timeout is 0, and the connection is being made.
    Source: connect(2).
    """
    fairness_tick()
    if timeout_of(self) == 0:
        _raw_connect(self, resolved(self, address))
        return
    error = _connect(self, address)
    if error:
        raise OSError(error, strerror(error))


def connect_ex(self: Any, address: Any, /) -> int:
    """Connect like `connect`, but return the errno of connect(2) instead of raising it.

    Returns:
        0: connected; EAGAIN: the timeout has passed; EINPROGRESS: the timeout is 0; else the error.
    Raises:
        socket.gaierror: the name is unknown. TypeError: `address` is not an address.
    """
    fairness_tick()
    if timeout_of(self) == 0:
        return _raw_connect_ex(self, resolved(self, address))
    try:
        return _connect(self, address)
    except TimeoutError:
        return errno.EWOULDBLOCK


def _connect(sock: Any, address: Any) -> int:
    # The timeout is for connect(2) alone, as in the stdlib: the look-up of a name has no limit.
    address = resolved(sock, address)
    deadline = deadline_of(sock)
    error = _begin(sock, address)
    # A Unix socket whose listener's backlog is full answers EAGAIN, and reports nothing when there is room again.
    look = Backoff(None if deadline is None else deadline - current().hub.now(), longest=0.05)
    while error == errno.EAGAIN and family_of(sock) == _socket.AF_UNIX:
        pause = look.next()
        if not pause:
            raise TimeoutError("timed out")
        sleep(pause)
        error = _begin(sock, address)
    while error in _UNDER_WAY:
        wait_socket(sock, OUT, deadline)
        error = _outcome(sock, address)
    if every_client():
        abort_if_interrupted(sock)
    return error


def _outcome(sock: Any, address: Any) -> int:
    """Return 0: connected; one of _UNDER_WAY: the event was stale; else the errno of the failure."""
    if proto_of(sock) in TCP and family_of(sock) in INET:
        # The same call tells, and makes the connection final: the next one gets EISCONN, as after one that blocked.
        error = _begin(sock, address)
        return 0 if error == errno.EISCONN else error
    error = _getsockopt(sock, _socket.SOL_SOCKET, _socket.SO_ERROR)
    if not error:
        try:
            _getpeername(sock)
        except OSError as failure:
            return errno.EINPROGRESS if failure.errno == errno.ENOTCONN else failure.errno or errno.EINVAL
    return error


def _begin(sock: Any, address: Any) -> int:
    """Call connect(2) without waiting; return its errno. The mode of the descriptor stays what it was."""
    error = _begin_once(sock, address)
    if error != errno.EINTR or family_of(sock) not in _ASKABLE:
        return error
    # A signal interrupted it. It may be under way or done, and its event may have come. Between Unix sockets it has not
    # begun, and no event will come.
    while error == errno.EINTR:
        error = _begin_once(sock, address)
    return 0 if error == errno.EISCONN else error


def _begin_once(sock: Any, address: Any) -> int:
    fd = _fileno(sock)
    if fd < 0 or _raw_gettimeout(sock) == 0:
        return _raw_connect_ex(sock, address)
    blocking = os_get_blocking(fd)
    _raw_settimeout(sock, 0)
    try:
        return _raw_connect_ex(sock, address)
    finally:
        _raw_settimeout(sock, None)
        if not blocking:
            os_set_blocking(fd, False)
