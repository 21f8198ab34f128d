"""`sys.stdin`: the interpreter has made it before anything is patched, and it is made cooperative in place.

Facts: `sys.stdin` is a TextIOWrapper over a BufferedReader over a FileIO. Both upper layers may have read ahead, and
modules may have captured either. The text layer calls the methods of the middle one by name. It looks at the FileIO
that it began with to find out whether the file is open.
Decision: all three objects stay. The middle one is initialised again, on a raw file of ours that first gives back what
had been read ahead. It gets methods of its own that wait their turn. Nothing is lost, and every reference stays right.
"""

import io
import os
import sys
from _io import BufferedReader as _BufferedReader
from _io import FileIO as _FileIO
from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any, cast

from greening._builtin_method import name_after
from greening._core.greenthread import spawn_n
from greening._originals import builtin_open, os_close, os_lseek, os_open
from greening.fdio.buffers import GreenReader
from greening.fdio.rawfile import GreenFileIO, comes_and_goes

_listdir = os.listdir

# System call numbers of read(2) on x86-64 and aarch64, as /proc shows them.
_READ = ("0", "63")


class StdinFile(GreenFileIO):
    """The raw file under a standard input that had another one before.

    Attributes:
        original: the raw file that it had. It stays open as long as this one.
        ours: False once the original is back.
        ahead: bytes that were read from the original, and that no caller has got yet.
        green: False once the patch is taken back. Then reads block the OS thread.
        muted: True while the buffer above is asked for what it has. Then a read finds nothing.
        reading: the number of calls that may be waiting in here.
        undo: takes the patch back when the last of them has ended. None: it is not to be taken back.
    """

    def __init__(self, original: _FileIO, ahead: bytes) -> None:
        super().__init__(original.fileno(), "r", closefd=False)
        self.name = original.name
        self.original = original
        self.ours = True
        self.ahead = ahead
        self.green = True
        self.muted = False
        self.reading = 0
        self.undo: Callable[[], None] | None = None

    def readinto(self, buffer: Any, /) -> int | None:
        """See `io.RawIOBase.readinto`."""
        if self.muted:
            return 0
        if self.ahead:
            with memoryview(buffer) as view, view.cast("B") as part:
                got = min(len(part), len(self.ahead))
                part[:got] = self.ahead[:got]
            self.ahead = self.ahead[got:]
            return got
        # Files on disk are read plainly. `os.dup2` may change which file it is.
        if self.green and comes_and_goes(self.fileno()):
            self.reading += 1
            try:
                return super().readinto(buffer)
            finally:
                self.reading -= 1
                if not self.reading and self.undo is not None:
                    # Not here: the method of the buffer that has called this is under way.
                    undo, self.undo = self.undo, None
                    spawn_n(undo)
        return _FileIO.readinto(self, buffer)

    def read(self, size: int | None = -1, /) -> bytes | None:  # type: ignore[override]  # typeshed leaves None out
        """See `io.RawIOBase.read`."""
        if size is None or size < 0:
            return self.readall()
        return io.RawIOBase.read(self, size)

    def close(self) -> None:
        """Close both raw files, unless the original is in its old place again."""
        super().close()
        if self.ours:
            self.original.close()


name_after(StdinFile, GreenFileIO)


def make_green(stream: object) -> Callable[[], None] | None:
    """Make a standard input cooperative, in place.

    Returns:
        A function that takes it back. None: the interpreter does not make such a stream, or it is green already, or an
        OS thread reads from it.
    """
    try:
        if type(stream) is not io.TextIOWrapper or stream.closed:
            return None
        buffer = stream.buffer
        if type(buffer) is not _BufferedReader or _is_being_read(buffer.fileno()):
            return None
    except ValueError:  # a layer is detached
        return None
    if type(buffer.raw) is StdinFile and not buffer.raw.green:  # the patch was taken back, and left data there
        raw = buffer.raw
        raw.green = True
    elif type(buffer.raw) is StdinFile and buffer.raw.undo is not None:  # it was to be taken back after a read
        buffer.raw.undo = None
        return partial(_make_plain, buffer, buffer.raw)
    elif type(buffer.raw) is _FileIO and not buffer.raw.closefd:
        raw = _replace(buffer, buffer.raw)
    else:
        return None
    for name, value in vars(GreenReader).items():
        if not name.startswith("__"):
            vars(buffer)[name] = MethodType(value, buffer) if callable(value) else value
    return partial(_make_plain, buffer, raw)


def _replace(buffer: _BufferedReader, original: _FileIO) -> StdinFile:
    ahead = _take_read_ahead(buffer, original)
    try:
        os_lseek(original.fileno(), -len(ahead), os.SEEK_CUR)  # a file on disk: that part is read again
        ahead = b""
    except OSError:
        pass
    raw = StdinFile(original, ahead)
    _put_under(buffer, raw)
    return raw


def is_green(stream: object) -> bool:
    """Return True for a standard input whose reads let others run."""
    try:
        raw = getattr(getattr(stream, "buffer", None), "raw", None)
    except ValueError:  # a layer is detached
        return False
    return isinstance(raw, GreenFileIO) and getattr(raw, "green", True)


def would_block() -> bool:
    """Return True if a read of `sys.stdin` would, as far as we can tell, stop all green threads of its OS thread."""
    stream: Any = sys.stdin
    try:
        return type(stream.buffer.raw) is _FileIO and comes_and_goes(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return False


def _make_plain(buffer: _BufferedReader, raw: StdinFile) -> None:
    if raw.reading or vars(buffer).get("_line") is not None:  # calls are under way, and use the methods until they end
        raw.undo = partial(_make_plain, buffer, raw)
        return
    for name in vars(GreenReader):
        vars(buffer).pop(name, None)
    try:
        under: object = buffer.raw
    except ValueError:  # detached
        return
    if under is not raw or raw.closed:
        return  # closed, or the buffer has another raw file by now
    raw.green = False
    raw.muted = True
    try:
        ahead = buffer.peek()
    finally:
        raw.muted = False
    raw.ahead = ahead + raw.ahead
    raw.ours = bool(raw.ahead)
    _put_under(buffer, raw if raw.ours else raw.original)


def _put_under(buffer: _BufferedReader, raw: io.RawIOBase) -> None:
    buffer.__init__(raw)  # type: ignore[misc]  # the only way to give it another raw file


def _take_read_ahead(buffer: _BufferedReader, raw: _FileIO) -> bytes:
    """Return the bytes that `buffer` has in store. For that moment its raw file is /dev/null, which has no more."""
    fd, name = raw.fileno(), raw.name
    nothing = os_open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        raw.__init__(nothing, "r", closefd=False)  # type: ignore[misc]  # likewise
        return buffer.peek()
    finally:
        raw.__init__(fd, "r", closefd=False)  # type: ignore[misc]
        cast(Any, raw).name = name
        os_close(nothing)


def _is_being_read(fd: int) -> bool:
    """Return True if an OS thread of this process sits in read(2) of `fd`: it holds the lock of the buffer."""
    try:
        for thread in _listdir("/proc/self/task"):
            with builtin_open(f"/proc/self/task/{thread}/syscall", encoding="utf-8") as file:
                words = file.read().split()
            if len(words) > 1 and words[0] in _READ and int(words[1], 16) == fd:
                return True
    except (OSError, ValueError):  # a thread that has ended; a system without that file
        pass
    return False
