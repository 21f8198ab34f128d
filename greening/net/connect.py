"""Beginnings of a connection: `connect` and `accept`, which have no MSG_DONTWAIT, and names instead of addresses."""

import errno
import os
import socket as _stdlib
from typing import Any

from greening._core.current import current
from greening._core.poller import IN, OUT
from greening._core.waiting import sleep
from greening._originals import raw_socket
from greening.net.dns import getaddrinfo
from greening.net.retry import INET, deadline_of, family_of, spend, timeout_of, wait_socket

_fileno = raw_socket.fileno
_raw_accept = raw_socket._accept  # type: ignore[attr-defined]  # private, and what socket.accept is made of
_raw_connect = raw_socket.connect
_raw_connect_ex = raw_socket.connect_ex
_raw_gettimeout = raw_socket.gettimeout
_raw_settimeout = raw_socket.settimeout

# A Unix socket whose listener's backlog is full answers EAGAIN and reports nothing when there is room again: ask again,
# at first soon, then every so many seconds.
_RETRY_FIRST, _RETRY_LAST = 0.001, 0.050


def resolved(sock: Any, address: Any) -> Any:
    """`address` with its host as a number: the C level would look a name up itself, and stop the hub meanwhile."""
    if family_of(sock) not in INET or not isinstance(address, tuple) or not address or not isinstance(address[0], str):
        return address
    host = address[0]
    if not host or host == "<broadcast>" or _is_number(family_of(sock), host):
        return address
    found = getaddrinfo(host, None, family_of(sock), _stdlib.SOCK_DGRAM)
    return (found[0][4][0], *address[1:])


def _is_number(family: int, host: str) -> bool:
    try:
        _stdlib.inet_pton(family, host)
    except (OSError, ValueError):
        return False
    return True


def accept_fd(sock: Any) -> tuple[int, Any]:
    """Wait for a connection; return its descriptor and address."""
    if _raw_gettimeout(sock) is None:
        _unblock(sock)
    try:
        accepted: tuple[int, Any] = _raw_accept(sock)
    except BlockingIOError:
        pass
    else:
        spend()
        return accepted
    deadline = deadline_of(sock)
    while True:
        wait_socket(sock, IN, deadline)
        try:
            return _raw_accept(sock)  # type: ignore[no-any-return]  # (descriptor, address)
        except BlockingIOError:
            continue


def _unblock(sock: Any) -> None:
    """Another process may take the connection that woke us: `accept` must fail then, not wait."""
    fd = _fileno(sock)
    reg = current().hub.regs.get(fd)
    if reg is not None and reg.unblocked and reg.owner is not None and reg.owner() is sock:
        return
    os.set_blocking(fd, False)
    if reg is not None:
        reg.unblocked = True


def connect(self: Any, address: Any, /) -> None:
    """Connect to `address`. Errors as the stdlib's; names are looked up without stopping the others."""
    if timeout_of(self) == 0:
        _raw_connect(self, address)
        return
    error = _connect(self, address)
    if error:
        raise OSError(error, os.strerror(error))


def connect_ex(self: Any, address: Any, /) -> int:
    """Like `connect`, but returns the errno of connect(2) instead of raising it (0: connected)."""
    if timeout_of(self) == 0:
        return _raw_connect_ex(self, address)
    try:
        return _connect(self, address)
    except TimeoutError:
        return errno.EWOULDBLOCK


def _connect(sock: Any, address: Any) -> int:
    deadline = deadline_of(sock)
    address = resolved(sock, address)
    pause = _RETRY_FIRST
    error = _begin(sock, address)
    while error == errno.EAGAIN and family_of(sock) == _stdlib.AF_UNIX:
        if deadline is not None and current().hub.now() + pause > deadline:
            raise TimeoutError("timed out")
        sleep(pause)
        pause = min(pause * 2, _RETRY_LAST)
        error = _begin(sock, address)
    if error not in (errno.EINPROGRESS, errno.EINTR, errno.EALREADY):
        return error
    while True:
        wait_socket(sock, OUT, deadline)
        error = sock.getsockopt(_stdlib.SOL_SOCKET, _stdlib.SO_ERROR)
        if error:
            return int(error)
        try:
            sock.getpeername()
        except OSError as failure:
            if failure.errno != errno.ENOTCONN:
                return failure.errno or errno.EINVAL
            continue  # a stale event
        return 0


def _begin(sock: Any, address: Any) -> int:
    fd = _fileno(sock)
    blocking = fd < 0 or os.get_blocking(fd)
    before = _raw_gettimeout(sock)
    _raw_settimeout(sock, 0)
    try:
        return _raw_connect_ex(sock, address)
    finally:
        if before is None:
            _raw_settimeout(sock, None)
            if not blocking:
                os.set_blocking(fd, False)
