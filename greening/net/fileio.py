"""File objects over pipes, sockets and terminals: the stdlib's own layers on a raw file that parks instead of blocking.

Facts: a Buffered object of the stdlib calls its raw file's `readinto`, `readall` and `write` and holds a lock
meanwhile whose owner is the OS thread. A second thread waits for it; a second green thread of the same OS thread gets
RuntimeError ("reentrant call") before anything has happened to the object.
Decision: our Buffered classes take that error as "wait for your turn". A close wakes whoever waits inside first.
"""

import errno
import io
import stat
import sys
import warnings
from collections.abc import Callable
from typing import Any, cast

from greening._core.current import current
from greening._core.poller import IN
from greening._core.task import PARKED, Task
from greening._core.waiting import forget_fd
from greening._originals import builtin_open, os_fstat, os_get_blocking, os_isatty
from greening.net.pipe import attempt, octets_of, read_now, readinto_now, spend, write_now, write_some

_NOT_NOW = (errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS)
_CHUNK = 65536
_NOTHING = (None, None, None)
# From 3.14 on `open` gives large buffers to everything.
_LARGE_BUFFERS = sys.version_info >= (3, 14)


class GreenFileIO(io.FileIO):
    """`io.FileIO` whose reads and writes park. The descriptor's flags are never changed.

    A read or write of a descriptor that has O_NONBLOCK returns None where the stdlib's does. `close` wakes who waits.
    Made by `open_fd`; `whole` tells whether `write` writes all, as a write to a blocking pipe does, or what there is
    room for, so that a Buffered object on top always knows how far it is.
    """

    def __init__(self, file: Any, mode: str = "r", closefd: bool = True, opener: Any = None) -> None:
        super().__init__(file, mode, closefd, opener)
        self.whole = True
        self.busy = 0
        self._others: list[Task] = []

    def _wait(self, call: Callable[..., Any], *args: Any) -> Any:
        """`call(*args)`, which parks, with those who come meanwhile lined up behind it."""
        self.busy += 1
        try:
            return call(*args)
        finally:
            self.busy -= 1
            others, self._others = self._others, []
            for task in others:
                task.wake()

    def wait_turn(self) -> None:
        """Park until the call that is parked in here has ended."""
        task = current()
        task.state = PARKED
        self._others.append(task)
        try:
            task.park()
        finally:
            if task in self._others:
                self._others.remove(task)

    def _nonblocking(self, fd: int) -> bool:
        return not os_get_blocking(fd)

    def readinto(self, buffer: Any, /) -> int | None:
        """See `io.RawIOBase.readinto`."""
        fd = self.fileno()
        if not self.readable():
            return super().readinto(buffer)
        try:
            got = readinto_now(fd, buffer)
        except (TypeError, BufferError):
            return super().readinto(buffer)
        except OSError as error:
            code = error.errno
            if code not in _NOT_NOW:
                raise
        else:
            spend()
            return got
        if self._nonblocking(fd):
            return super().readinto(buffer)
        plain = super().readinto
        return cast(int, self._wait(attempt, fd, IN, code, lambda: readinto_now(fd, buffer), lambda: plain(buffer)))

    def read(self, size: int | None = -1, /) -> bytes | None:  # type: ignore[override]  # typeshed leaves None out
        """See `io.RawIOBase.read`."""
        if size is None or size < 0:
            return self.readall()
        fd = self.fileno()
        if not size or not self.readable():
            return super().read(size)
        try:
            data = read_now(fd, size)
        except OSError as error:
            code = error.errno
            if code not in _NOT_NOW:
                raise
        else:
            spend()
            return data
        if self._nonblocking(fd):
            return super().read(size)
        plain = super().read
        return cast(bytes, self._wait(attempt, fd, IN, code, lambda: read_now(fd, size), lambda: plain(size)))

    def readall(self) -> bytes | None:  # type: ignore[override]  # typeshed leaves None out
        """See `io.RawIOBase.readall`."""
        parts: list[bytes] = []
        while True:
            part = self.read(_CHUNK)
            if part is None and not parts:
                return None
            if not part:
                return b"".join(parts)
            parts.append(part)

    def write(self, data: Any, /) -> int | None:  # type: ignore[override]  # likewise
        """See `io.RawIOBase.write`."""
        fd = self.fileno()
        if not self.writable():
            return super().write(data)
        try:
            sent = write_now(fd, data)
            code = errno.EAGAIN
        except TypeError:
            return super().write(data)
        except OSError as error:
            code = cast(int, error.errno)
            if code not in _NOT_NOW:
                raise
            sent = 0
        if sent and (not self.whole or (type(data) is bytes and sent == len(data))):
            spend()
            return sent
        with octets_of(data) as octets:
            if sent == octets.nbytes:
                return sent
            if self._nonblocking(fd):
                return sent or super().write(data)
            return cast(int, self._wait(self._write_rest, fd, octets, sent, code))

    def _write_rest(self, fd: int, octets: memoryview, sent: int, code: int) -> int:
        while sent < octets.nbytes:
            try:
                with octets[sent:] as rest:
                    sent += write_some(fd, rest, code)
            except BrokenPipeError:
                if not sent:
                    raise
                break
            if not self.whole:
                break
        return sent

    def close(self) -> None:
        """Close the descriptor, if it is ours to close; whoever waits for it gets OSError (EBADF)."""
        if not self.closed and self.closefd:
            forget_fd(self.fileno())
        super().close()


def _in_turn(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of a Buffered class that waits while another green thread is parked inside the object."""

    def call(self: Any, *args: Any) -> Any:
        while True:
            try:
                return method(self, *args)
            except RuntimeError:
                raw = self.raw
                if not raw.busy:
                    raise
            raw.wait_turn()

    call.__name__ = method.__name__
    call.__doc__ = method.__doc__
    return call


def _close(self: Any, close: Callable[..., Any]) -> None:
    raw = self.raw
    if raw is not None and raw.busy and raw.closefd and not raw.closed:
        forget_fd(raw.fileno())
    close(self)


class GreenReader(io.BufferedReader):
    """`io.BufferedReader` that several green threads may use at once, in turn."""

    read = _in_turn(io.BufferedReader.read)
    read1 = _in_turn(io.BufferedReader.read1)
    readinto = _in_turn(io.BufferedReader.readinto)
    readinto1 = _in_turn(io.BufferedReader.readinto1)
    readline = _in_turn(io.BufferedReader.readline)
    peek = _in_turn(io.BufferedReader.peek)
    _close_in_turn = _in_turn(io.BufferedReader.close)

    def close(self) -> None:
        """Close the file underneath."""
        _close(self, GreenReader._close_in_turn)


class GreenWriter(io.BufferedWriter):
    """`io.BufferedWriter` that several green threads may use at once, in turn."""

    write = _in_turn(io.BufferedWriter.write)
    flush = _in_turn(io.BufferedWriter.flush)
    _close_in_turn = _in_turn(io.BufferedWriter.close)

    def close(self) -> None:
        """Flush, and close the file underneath."""
        _close(self, GreenWriter._close_in_turn)


for _green, _name in ((GreenReader, "BufferedReader"), (GreenWriter, "BufferedWriter"), (GreenFileIO, "FileIO")):
    _green.__module__ = "_io"
    _green.__name__ = _green.__qualname__ = _name


def comes_and_goes(fd: int) -> bool:
    """True for a pipe, a socket or a terminal: a read of it may have to wait for somebody."""
    try:
        mode = os_fstat(fd).st_mode
    except (OSError, OverflowError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or (stat.S_ISCHR(mode) and os_isatty(fd))


def open_fd(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """`io.open`, cooperative if `file` is the descriptor of a pipe, a socket or a terminal. Arguments, errors: its own.

    Returns:
        The stdlib's layers (TextIOWrapper, Buffered...) over a GreenFileIO; for anything else what `io.open` returns.
    """
    if type(file) is not int or not comes_and_goes(file):
        return builtin_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    return open_green(file, mode, buffering, encoding, errors, newline, closefd, opener)


def open_green(
    file: Any,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
    closefd: bool,
    opener: Any,
) -> Any:
    """`io.open` of what comes and goes: cooperative, unless the arguments are odd."""
    kind = mode.replace("b", "", 1).replace("t", "", 1) if isinstance(mode, str) else ""
    binary = kind != mode and "b" in mode
    usual = kind in ("r", "w", "a") and (not binary or ("t" not in mode and (encoding, errors, newline) == _NOTHING))
    if not usual or (not buffering and not binary):
        return builtin_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    raw = GreenFileIO(file, kind, closefd, opener)
    try:
        return _layers(raw, mode, kind, binary, buffering, (encoding, errors, newline))
    except BaseException:
        raw.close()
        raise


def _layers(
    raw: GreenFileIO,
    mode: str,
    kind: str,
    binary: bool,
    buffering: int,
    text: tuple[str | None, str | None, str | None],
) -> Any:
    if not buffering:
        return raw
    line_buffering = buffering == 1 or (buffering < 0 and raw.isatty())
    if buffering == 1 and binary:
        message = "line buffering (buffering=1) isn't supported in binary mode, the default buffer size will be used"
        warnings.warn(message, RuntimeWarning, stacklevel=5)  # the caller of `open` or `fdopen`
    raw.whole = False
    size = buffering if buffering > 1 else _default_size(raw)
    buffer = GreenReader(cast(io.RawIOBase, raw), size) if kind == "r" else GreenWriter(raw, size)
    if binary:
        return buffer
    wrapper = io.TextIOWrapper(buffer, text[0], text[1], text[2], line_buffering)
    wrapper.mode = mode  # type: ignore[misc]  # what io.open does
    return wrapper


def _default_size(raw: GreenFileIO) -> int:
    blksize: int = raw._blksize  # type: ignore[attr-defined]  # set by FileIO for io.open
    if _LARGE_BUFFERS:
        return max(min(blksize, 8 * 1024 * 1024), io.DEFAULT_BUFFER_SIZE)
    return blksize if blksize > 1 else io.DEFAULT_BUFFER_SIZE
