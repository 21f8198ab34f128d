"""`sendfile`, `splice`, and opening a FIFO, without stopping the hub.

Facts: sendfile(2) to a blocking socket waits until all is sent, and has no flag against that. SPLICE_F_NONBLOCK is
about pipes (tried: a splice to a full blocking socket waits). O_NONBLOCK belongs to the open file description, which is
not ours.
Decision: to a blocking descriptor we send what there is room for: we read the file, write with RWF_NOWAIT, and return
how much that was, as sendfile may. For a non-blocking descriptor the real call does it. (`socket.sendfile` has a socket
of its own and copies nothing.)

Fact: the opening of a FIFO waits for the other end in open(2), and only there.
Decision: a native thread opens it.
"""

import os
import stat
from collections.abc import Callable
from operator import index
from typing import Any

from greening._compiled import double
from greening._core.current import hubless
from greening._core.poller import IN, OUT
from greening._core.waiting import wait_fd
from greening._originals import os_close, os_lseek, os_open, os_pread, os_sendfile, os_stat
from greening.fdio.pipe import is_plain, is_ready, write_some
from greening.threads.native import NativePool

# Bytes of one read and write of a copy, at most.
_CHUNK = 1 << 18
_real_splice: Callable[..., int] | None = getattr(os, "splice", None)
_NONBLOCK: int = getattr(os, "SPLICE_F_NONBLOCK", 0)

# Flags with one of which open(2) does not wait for the other end, or does not open FIFOs.
_AT_ONCE = os.O_NONBLOCK | os.O_DIRECTORY | os.O_PATH | os.O_EXCL

# Bits of the flags that say how a file is used, and their value for "to read and to write".
_ACCESS = os.O_ACCMODE
_BOTH_WAYS = os.O_RDWR

# Native threads that open FIFOs. The other end may come late: nothing else has to wait for these threads.
_openers = NativePool(1000, block_signals=True)


def sendfile(out_fd: int, in_fd: int, offset: int | None, count: int) -> int:
    """Copy bytes of a file to a descriptor, as `os.sendfile`. Parks while there is no room.

    Args, Returns: as `os.sendfile`. It sends what there is room for.
    Raises:
        OSError: what `os.sendfile` raises. BlockingIOError only for a descriptor with O_NONBLOCK.
    Source: sendfile(2).
    """
    if is_plain(out_fd) or count <= 0:
        return os_sendfile(out_fd, in_fd, offset, count)
    start = os_lseek(in_fd, 0, os.SEEK_CUR) if offset is None else offset
    data = os_pread(in_fd, min(count, _CHUNK), start)
    if not data:
        return 0
    sent = write_some(out_fd, data)
    if offset is None:
        os_lseek(in_fd, start + sent, os.SEEK_SET)
    return sent


def splice(
    src: int, dst: int, count: int, offset_src: int | None = None, offset_dst: int | None = None, flags: int = 0
) -> int:
    """Move bytes from or to a pipe, as `os.splice`. Parks until there are some and room for them. Source: splice(2)."""
    assert _real_splice is not None
    where = {"offset_src": offset_src, "offset_dst": offset_dst}
    if flags & _NONBLOCK or hubless():
        return _real_splice(src, dst, count, **where, flags=flags)
    while True:
        for fd, mask in ((src, IN), (dst, OUT)):
            if not is_plain(fd) and not is_ready(fd, mask):
                wait_fd(fd, mask)
        try:
            return _real_splice(src, dst, count, **where, flags=flags | _NONBLOCK)
        except BlockingIOError:
            if is_plain(src) or is_plain(dst):
                raise  # a descriptor has O_NONBLOCK, and its user wants to know


def open_file(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """Open a file, as `os.open`. For a FIFO, park until the other end is opened as well. Source: open(2), fifo(7)."""
    flags = index(flags)
    if flags & _AT_ONCE or flags & _ACCESS == _BOTH_WAYS or not is_fifo(path, flags, dir_fd) or hubless():
        # A keyword takes as long as four arguments.
        return os_open(path, flags, mode) if dir_fd is None else os_open(path, flags, mode, dir_fd=dir_fd)
    opened: list[int] = []
    given_up = False

    def open_it() -> None:
        opened.append(os_open(path, flags, mode, dir_fd=dir_fd))
        if given_up:
            _close_all(opened)

    try:
        _openers.execute(open_it)
        return opened.pop()
    except BaseException:
        given_up = True
        _close_all(opened)
        raise


def _close_all(fds: list[int]) -> None:
    # Two threads may do this at once. The one that takes a number out of the list closes it.
    while fds:
        try:
            os_close(fds.pop())
        except IndexError:
            return


@double
def is_fifo(path: Any, flags: int = 0, dir_fd: int | None = None, /) -> bool:
    """Return True if open(2) with these flags would open a FIFO."""
    try:
        found = os_stat(path, dir_fd=dir_fd, follow_symlinks=not flags & os.O_NOFOLLOW)
    except (OSError, ValueError, TypeError):
        return False
    return stat.S_ISFIFO(found.st_mode)
