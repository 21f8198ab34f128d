"""`socket.sendfile` by sendfile(2): from the page cache to the socket. It parks while the socket is full."""

import socket as _stdlib
from errno import EINVAL, ENOSYS, EOVERFLOW
from typing import Any

from greening._core.fairness import fairness_tick
from greening._core.poller import OUT
from greening._originals import os_fstat, os_get_blocking, os_pread, os_sendfile, os_set_blocking, raw_socket
from greening.net.retry import deadline_of, timeout_of, wait_socket

_fileno = raw_socket.fileno

# Bytes per call, at most. More is an OverflowError on some systems (bpo-38319).
_BLOCK = 2**30

# Errors of sendfile(2) that are about the file, which can be read all the same: those of sysfs, for example.
_NOT_THIS_FILE = (EINVAL, ENOSYS, EOVERFLOW)
_COPIED = 65536  # bytes


def _sendfile_use_sendfile(self: Any, file: Any, offset: int = 0, count: int | None = None) -> int:
    self._check_sendfile_params(file, offset, count)
    give_up = _stdlib._GiveupOnSendfile  # type: ignore[attr-defined]  # what makes socket.sendfile fall back to send
    try:
        file_fd = file.fileno()
        size = os_fstat(file_fd).st_size
    except (AttributeError, OSError) as error:
        raise give_up(error) from None
    if not size:
        return 0
    if timeout_of(self) == 0:
        raise ValueError("non-blocking sockets are not supported")
    sock_fd = _fileno(self)
    was_blocking = os_get_blocking(sock_fd)
    total = 0
    try:
        while count is None or total < count:
            block = min(count - total if count else size, _BLOCK)
            try:
                sent = _some(self, file_fd, offset + total, block)
            except OSError as error:
                if total == 0 and not isinstance(error, TimeoutError):
                    # sendfile(2) does not take the file. Plain reads and sends may still work.
                    raise give_up(error) from None
                raise
            if sent == 0:
                break
            total += sent
        return total
    finally:
        if was_blocking and _fileno(self) == sock_fd:
            os_set_blocking(sock_fd, True)
        if total > 0 and hasattr(file, "seek"):
            file.seek(offset + total)


def send_range(sock: Any, file_fd: int, offset: int, count: int) -> int:
    """Send `count` bytes of a file from `offset` on, for a server that has looked at the file and the socket itself.

    The descriptor of the socket is non-blocking afterwards. The file's own position does not change.

    Returns:
        How many bytes were sent; fewer if the file has fewer.
    Raises:
        OSError: the peer is gone, or the file cannot be read. TimeoutError: the peer takes nothing.
    """
    total = 0
    while total < count:
        try:
            sent = _some(sock, file_fd, offset + total, min(count - total, _BLOCK))
        except OSError as error:
            if error.errno not in _NOT_THIS_FILE:
                raise
            data = os_pread(file_fd, min(count - total, _COPIED), offset + total)
            sock.sendall(data)
            sent = len(data)
        if not sent:
            break
        total += sent
    return total


def _some(sock: Any, file_fd: int, offset: int, block: int) -> int:
    deadline = None
    while True:
        fairness_tick()
        sock_fd = _fileno(sock)
        # Every time: another call that sends a file, or a process that has the descriptor, may have made it blocking.
        os_set_blocking(sock_fd, False)
        try:
            return os_sendfile(sock_fd, file_fd, offset, block)
        except BlockingIOError:
            if deadline is None:
                deadline = deadline_of(sock)
            wait_socket(sock, OUT, deadline)
