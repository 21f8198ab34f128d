"""A raw file over a pipe, a socket or a terminal that parks instead of blocking.

Fact: on real threads close(2) ends no read(2) or write(2) that is under way. The system keeps the file open, under no
number, until they return. So the reader gets its data, and the writer at the other end gets no SIGPIPE.
Decision: a `close` that meets such calls duplicates the descriptor first. They go on with the duplicate. The last of
them closes it.
"""

import errno
import stat
import sys
from _io import FileIO as _FileIO
from collections.abc import Callable
from fcntl import F_DUPFD_CLOEXEC, fcntl
from select import PIPE_BUF
from typing import Any, TypeVar

from greening._builtin_method import name_after
from greening._core.current import current, has_hub
from greening._core.fairness import fairness_tick
from greening._core.poller import IN, OUT
from greening._core.task import RUNNING
from greening._core.waiting import forget_fd
from greening._originals import os_close, os_fstat, os_get_blocking, os_isatty, os_read, os_readv, os_write, strerror
from greening.fdio.pipe import attempt, bytes_of, read_now, readinto_now, write_now

T = TypeVar("T")

_NOT_NOW = (errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS)
# Bytes of one read of `readall`, at most.
_CHUNK = 65536


class GreenFileIO(_FileIO):
    """`io.FileIO` whose reads and writes park. The descriptor's flags are never changed.

    A read or write of a descriptor with O_NONBLOCK returns None where the stdlib's does. After `close` the calls that
    wait in here go on, as they do on real threads. Difference: `readall` then goes on up to the end of the file.

    Attributes:
        whole: True: `write` writes all, as a write to a blocking pipe does. False: it writes what there is room for, so
            that a Buffered object on top always knows how much was written.
        parks_always: True: a descriptor with O_NONBLOCK is treated as any other: reads and writes of it park, too.
    """

    whole = True
    parks_always = False
    # False in a file of a sub-class (see fileclass) that never has to wait.
    _waits = True
    # Calls that wait in here, and the descriptor that they go on with after `close`; -1: none.
    _inside = 0
    _kept = -1

    def _number(self) -> int:
        return self._kept if self._kept >= 0 else self.fileno()

    def _enter(self) -> None:
        self._inside += 1

    def _leave(self) -> None:
        self._inside -= 1
        if not self._inside and self._kept >= 0:
            kept, self._kept = self._kept, -1
            if self.closefd:
                os_close(kept)

    def _wait(self, mask: int, code: int, now: Callable[[int], T], plain: Callable[[int], T]) -> T:
        """See `pipe.attempt`; the calls get the descriptor."""
        self._enter()
        try:
            while True:
                fd = self._number()
                if mask == OUT and not _may_park():
                    return plain(fd)

                def same(call: Callable[[int], T], fd: int = fd) -> T:
                    if self._number() != fd:
                        raise OSError(errno.EBADF, strerror(errno.EBADF))
                    return call(fd)

                try:
                    return attempt(fd, mask, code, lambda: same(now), lambda: same(plain))
                except OSError as error:
                    if error.errno != errno.EBADF or self._kept in (-1, fd):
                        raise
        finally:
            self._leave()

    def _nonblocking(self) -> bool:
        return not self.parks_always and not os_get_blocking(self._number())

    def readinto(self, buffer: Any, /) -> int | None:
        """See `io.RawIOBase.readinto`."""
        fd = self.fileno()
        if not self.readable():
            return super().readinto(buffer)
        fairness_tick()
        try:
            got = readinto_now(fd, buffer)
        except (TypeError, BufferError):
            return super().readinto(buffer)
        except OSError as error:
            code = error.errno
            if code not in _NOT_NOW:
                raise
        else:
            return got
        if self._nonblocking():
            return super().readinto(buffer)
        return self._wait(IN, code, lambda fd: readinto_now(fd, buffer), lambda fd: os_readv(fd, (buffer,)))

    def read(self, size: int | None = -1, /) -> bytes | None:  # type: ignore[override]  # typeshed leaves None out
        """See `io.RawIOBase.read`."""
        if size is None or size < 0:
            return self.readall()
        self.fileno()
        if not size or not self.readable():
            return super().read(size)
        return self._read(size)

    def _read(self, size: int) -> bytes | None:
        fairness_tick()
        try:
            data = read_now(self._number(), size)
        except OSError as error:
            code = error.errno
            if code not in _NOT_NOW:
                raise
        else:
            return data
        if self._nonblocking():
            return super().read(size)
        return self._wait(IN, code, lambda fd: read_now(fd, size), lambda fd: os_read(fd, size))

    def readall(self) -> bytes | None:  # type: ignore[override]  # typeshed leaves None out
        """See `io.RawIOBase.readall`."""
        self.fileno()
        if not self.readable():
            return super().readall()
        parts: list[bytes] = []
        self._enter()
        try:
            while True:
                part = self._read(_CHUNK)
                if part is None and not parts:
                    return None
                if not part:
                    return b"".join(parts)
                parts.append(part)
        finally:
            self._leave()

    def write(self, data: Any, /) -> int | None:  # type: ignore[override]  # likewise
        """See `io.RawIOBase.write`."""
        fd = self.fileno()
        if not self.writable():
            return super().write(data)
        fairness_tick()
        try:
            sent = write_now(fd, data)
            code = errno.EAGAIN
        except TypeError:
            return super().write(data)
        except OSError as error:
            code = error.errno  # type: ignore[assignment]  # a number, from a system call
            if code not in _NOT_NOW:
                raise
            sent = 0
        if sent and (not self.whole or (type(data) is bytes and sent == len(data))):
            return sent
        with bytes_of(data) as chunk:
            if sent == chunk.nbytes:
                return sent
            if self._nonblocking():
                return sent or super().write(data)
            return self._write_rest(chunk, sent, code)

    def _write_rest(self, chunk: memoryview, sent: int, code: int) -> int:
        self._enter()
        try:
            while sent < chunk.nbytes:
                with chunk[sent:] as rest:
                    sent += self._write_some(rest, code)
                if not self.whole:
                    break
        except BrokenPipeError:
            if not sent:
                raise
            # The next write will report it, as after write(2).
        finally:
            self._leave()
        return sent

    def _write_some(self, rest: memoryview, code: int) -> int:
        if code != errno.EAGAIN:
            rest = rest[:PIPE_BUF]
        return self._wait(OUT, code, lambda fd: write_now(fd, rest), lambda fd: os_write(fd, rest))

    def close(self) -> None:
        """Close the file, and with `closefd` its descriptor. The calls that wait in here go on."""
        if not self.closed:
            fd = self.fileno()
            if self._inside:
                self._kept = _duplicate(fd) if self.closefd else fd
            if self.closefd:
                forget_fd(fd)
        super().close()


def comes_and_goes(fd: int) -> bool:
    """Return True for what a read may have to wait for: a pipe, a socket, a terminal, an eventfd or the like."""
    try:
        mode = os_fstat(fd).st_mode
    except (OSError, OverflowError):
        return False
    # An anonymous inode, as of eventfd(2), inotify(7), signalfd(2) or timerfd_create(2), is of no type.
    kind = stat.S_IFMT(mode)
    return kind in (stat.S_IFIFO, stat.S_IFSOCK, 0) or (kind == stat.S_IFCHR and os_isatty(fd))


def _may_park() -> bool:
    """Return False in the hub, and when the interpreter ends: a report that is written there has to block."""
    return not sys.is_finalizing() and (not has_hub() or current().state == RUNNING)


def _duplicate(fd: int) -> int:
    try:
        return fcntl(fd, F_DUPFD_CLOEXEC, 0)
    except OSError:  # EMFILE: the calls end with EBADF
        return -1


name_after(GreenFileIO, _FileIO)
