"""Reads and writes of raw descriptors (pipes, terminals, eventfds, sockets by number) that never stop the hub.

Facts (Linux):
- A pipe's O_NONBLOCK belongs to the open file description. Child processes share it, and would be surprised by a
  change. preadv2(2) with RWF_NOWAIT asks that one call does not wait, and works on pipes and sockets. Offset -1 means
  the current position. FIFOs opened by path, terminals and some devices answer EOPNOTSUPP.
- On a regular file RWF_NOWAIT gives only what is cached: a short read where read(2) gives all, a write torn in two.
- Every description that open(2) made has O_LARGEFILE in its flags (force_o_largefile). Pipes and sockets have not.
  One F_GETFL (0.5 us; an `fstat` of Python takes 2.5) tells both that and O_NONBLOCK.
- A write to a blocking pipe returns when all is written. A pipe that polls writable takes PIPE_BUF bytes at once
  (pipe(7)).
Decision: a non-blocking descriptor and a seekable file opened by path get the plain call. For others the call is made
with RWF_NOWAIT, and repeated after a wait. Where that is not supported, the wait comes first, and then the plain call,
with PIPE_BUF bytes at a time.

Errors are those of the plain call: odd arguments are passed to it.
"""

import errno
import os
import stat
import sys
from collections.abc import Callable, Sequence
from fcntl import F_GETFL, fcntl
from functools import partial
from operator import index
from select import PIPE_BUF
from typing import Any, TypeVar

from greening._core.current import hubless
from greening._core.fairness import fairness_tick
from greening._core.poller import IN, OUT
from greening._core.waiting import wait_fd
from greening._originals import (
    os_close,
    os_fstat,
    os_lseek,
    os_open,
    os_read,
    os_readv,
    os_write,
    os_writev,
    strerror,
)
from greening._originals import poll as _poll

T = TypeVar("T")

NOWAIT: int = getattr(os, "RWF_NOWAIT", 0)
_preadv = os.preadv
_pwritev = os.pwritev
_EAGAIN = errno.EAGAIN
# Error numbers that mean: RWF_NOWAIT is not supported here.
_WAIT_FIRST = (errno.EOPNOTSUPP, errno.ENOSYS)
_NOT_NOW = (_EAGAIN, *_WAIT_FIRST)

# Sizes in bytes: up to the first, and above the second, a read makes a buffer. Between them it takes one that is used
# again: to make and clear one for a read of 64 KiB costs as much as the read.
_SMALL = 4096
_SCRATCH = 65536
# Bytes of the largest buffer: more than any pipe or socket holds. A caller that asks for a gigabyte gets no larger one.
_LARGEST = 1 << 24
_spare: list[bytearray] = []


def _unsupported(*_: Any) -> int:
    """Stand for preadv2 and pwritev2 where the C library has none."""
    raise OSError(errno.EOPNOTSUPP, strerror(errno.EOPNOTSUPP))


if not NOWAIT:
    _preadv = _pwritev = _unsupported


def _flags_of_open() -> int:
    """Return what open(2) adds to the flags of every description, as F_GETFL shows it: the kernel's O_LARGEFILE."""
    fd = os_open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return fcntl(fd, F_GETFL) & ~(os.O_ACCMODE | os.O_NONBLOCK)
    finally:
        os_close(fd)


_BY_PATH = _flags_of_open()


# Flags of a descriptor that needs a second look. Without RWF_NOWAIT, or where open(2) leaves no trace, all need it.
_ODD = os.O_NONBLOCK | _BY_PATH if NOWAIT and _BY_PATH else -1


def is_plain(fd: int) -> bool:
    """Return True if the plain system call is right: for O_NONBLOCK, for a file on disk, for what is no descriptor."""
    try:
        flags = fcntl(fd, F_GETFL)
        return flags & _ODD != 0 and _is_plain(fd, flags)
    except OSError as error:
        return error.errno != errno.ESPIPE
    except (ValueError, OverflowError, TypeError):
        return True


def _is_plain(fd: int, flags: int) -> bool:
    if flags & os.O_NONBLOCK:
        return True
    if _BY_PATH and not flags & _BY_PATH:
        return False
    os_lseek(fd, 0, os.SEEK_CUR)  # ESPIPE: a FIFO, a terminal
    return _BY_PATH != 0 or not can_block(fd)


def can_block(fd: int) -> bool:
    """Return True for pipes, sockets, terminals and the like, whose data comes and goes; False for files on disk.

    Raises:
        OSError: EBADF.
    """
    mode = os_fstat(fd).st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISBLK(mode))


def is_ready(fd: int, mask: int) -> bool:
    """Return True if an event of `mask`, an error or a hang-up is there now."""
    poll = _poll()
    poll.register(fd, mask)
    return bool(poll.poll(0))


def attempt(fd: int, mask: int, code: int, now: Callable[[], T], plain: Callable[[], T]) -> T:
    """Park and call again, after a call with RWF_NOWAIT has failed.

    Args:
        code: the errno of that failure.
        now: the call with RWF_NOWAIT.
        plain: the same call without RWF_NOWAIT. It may wait only where no other green thread is held up.
    Raises:
        OSError: what the calls raise; EBADF, the descriptor was closed meanwhile.
    """
    if hubless():
        return plain()
    if code != _EAGAIN:
        if not is_ready(fd, mask):
            wait_fd(fd, mask)
        return plain()
    while True:
        wait_fd(fd, mask)
        try:
            return now()
        except BlockingIOError:
            # Another reader was quicker. Or a 32-bit process opened this file, and its data is not in the page cache.
            if not can_block(fd):
                return plain()


def read(fd: int, n: int) -> bytes:
    """Read up to `n` bytes, as `os.read`; park while there are none.

    Returns:
        The bytes; b"" at the end of the file.
    Raises:
        OSError: what `os.read` raises, BlockingIOError only for a descriptor with O_NONBLOCK; EBADF, closed meanwhile.
    Source: read(2), preadv2(2).
    """
    if type(fd) is not int or type(n) is not int:
        try:
            fd, n = index(fd), index(n)
        except TypeError:
            return os_read(fd, n)
    fairness_tick()
    if not 0 < n <= sys.maxsize or is_plain(fd):
        return os_read(fd, n)
    try:
        data = read_now(fd, n)
    except OSError as error:
        if error.errno not in _NOT_NOW:
            raise
        return attempt(fd, IN, error.errno, partial(read_now, fd, n), partial(os_read, fd, n))
    return data


def read_now(fd: int, n: int) -> bytes:
    """Read up to `n` bytes without waiting. Raises BlockingIOError, or OSError with EOPNOTSUPP."""
    if n <= _SMALL or n > _SCRATCH:
        buffer = bytearray(min(n, _LARGEST))
        got = _preadv(fd, (buffer,), -1, NOWAIT)
        if got < n:
            del buffer[got:]
        return bytes(buffer)
    try:
        buffer = _spare.pop()
    except IndexError:
        buffer = bytearray(_SCRATCH)
    try:
        with memoryview(buffer) as view, view[:n] as part:
            got = _preadv(fd, (part,), -1, NOWAIT)
            return bytes(part[:got])
    finally:
        _spare.append(buffer)


def readinto_now(fd: int, buffer: Any) -> int:
    """Fill a writable buffer with what is there. Raises as `read_now`."""
    return _preadv(fd, (buffer,), -1, NOWAIT)


def readv(fd: int, buffers: Sequence[Any]) -> int:
    """Read into several buffers, as `os.readv`; park while there is nothing. Raises as `read`."""
    fairness_tick()
    if is_plain(fd):
        return os_readv(fd, buffers)
    try:
        return _preadv(fd, buffers, -1, NOWAIT)
    except OSError as error:
        if error.errno not in _NOT_NOW:
            raise
        code = error.errno
    return attempt(fd, IN, code, partial(_preadv, fd, buffers, -1, NOWAIT), partial(os_readv, fd, buffers))


def write(fd: int, data: Any) -> int:
    """Write all of `data`, as `os.write` to a blocking descriptor; park while there is no room.

    Returns:
        The number of bytes written: all, unless the other end went away half way.
    Raises:
        OSError: what `os.write` raises, BlockingIOError only for a descriptor with O_NONBLOCK; EBADF, closed meanwhile.
    Source: write(2), pipe(7).
    """
    if type(fd) is not int:
        try:
            fd = index(fd)
        except TypeError:
            return os_write(fd, data)
    fairness_tick()
    if is_plain(fd):
        return os_write(fd, data)
    try:
        sent = _pwritev(fd, (data,), -1, NOWAIT)
    except TypeError:
        return os_write(fd, data)
    except OSError as error:
        if error.errno not in _NOT_NOW:
            raise
        return _write_rest(fd, data, 0, error.errno)
    if type(data) is bytes and sent == len(data):
        return sent
    return _write_rest(fd, data, sent, _EAGAIN)


def writev(fd: int, buffers: Sequence[Any]) -> int:
    """Write all of several buffers, as `os.writev`. Parks, returns and raises as `write`."""
    fairness_tick()
    if is_plain(fd):
        return os_writev(fd, buffers)
    try:
        sent = _pwritev(fd, buffers, -1, NOWAIT)
        code = _EAGAIN
    except OSError as error:
        if error.errno not in _NOT_NOW:
            raise
        sent = 0
        code = error.errno
    return _write_rest(fd, b"".join(buffers), sent, code)


def write_some(fd: int, chunk: Any, code: int = _EAGAIN) -> int:
    """Park until `fd` takes some of `chunk`; return the number of bytes that it took.

    Args:
        code: the errno of a write with RWF_NOWAIT.
    """
    if code == _EAGAIN:
        return attempt(fd, OUT, code, partial(_pwritev, fd, (chunk,), -1, NOWAIT), partial(os_write, fd, chunk))
    return attempt(fd, OUT, code, _never, partial(os_write, fd, chunk[:PIPE_BUF]))


def write_now(fd: int, data: Any) -> int:
    """Write what there is room for, without waiting; return the number of bytes. Raises as `read_now`."""
    return _pwritev(fd, (data,), -1, NOWAIT)


def _never() -> int:
    raise AssertionError("not called for a descriptor that is waited for first")


def bytes_of(data: Any) -> memoryview:
    """Return a view of the bytes of any contiguous buffer."""
    view = memoryview(data)
    try:
        return view.cast("B")
    except TypeError:  # ctypes arrays have formats that do not cast
        return memoryview(view.tobytes())


def _write_rest(fd: int, data: Any, sent: int, code: int) -> int:
    with bytes_of(data) as chunk:
        size = chunk.nbytes
        while sent < size:
            try:
                with chunk[sent:] as rest:
                    sent += write_some(fd, rest, code)
            except BrokenPipeError:
                if not sent:
                    raise
                break  # the next write will report it, as after write(2)
    return sent
