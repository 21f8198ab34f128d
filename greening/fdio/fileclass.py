"""What `io.FileIO` and the Buffered classes mean in a patched process, and the files that are opened by path.

Facts: these classes are written in C and take no other methods. Code calls them, derives classes from them, and asks
`isinstance`; `open` makes objects of the C classes themselves, whatever their names mean.
Decision: each name means a class of ours. Its instances and sub-classes are those of the C class. A call of it makes an
object of the C class, or a green one where a read may have to wait. A class that is derived from `FileIO` has the
methods of both, and each of its objects uses those that fit its file. A class that is derived from a Buffered class is
the stdlib's: its objects are for one thread at a time.

Fact: files that wait cannot be sought (pipes, FIFOs, terminals). The stdlib's layers find that out when they are made.
Decision: a file that was opened by path is asked `seekable`, which takes no system call after `open`. An fstat(2) would
cost one for every file on disk.
"""

import sys
import warnings
from _io import BufferedReader as _BufferedReader
from _io import BufferedRWPair as _BufferedRWPair
from _io import BufferedWriter as _BufferedWriter
from _io import FileIO as _FileIO
from abc import ABCMeta
from collections.abc import Callable
from fcntl import F_DUPFD_CLOEXEC, fcntl
from os import PathLike
from typing import Any

from greening._builtin_method import name_after
from greening._core.current import get_hub, has_hub
from greening.fdio.buffers import GreenReader, GreenRWPair, GreenWriter
from greening.fdio.fileio import open_green
from greening.fdio.os_io import is_fifo, open_file
from greening.fdio.rawfile import GreenFileIO, comes_and_goes


def reopened(
    opened: Any, path: Any, mode: str, buffering: int, encoding: str | None, errors: str | None, newline: str | None
) -> Any:
    """Return what `io.open` has opened with these arguments; opened again, cooperatively, if a read may wait."""
    if not _is_path(path) or not comes_and_goes(opened.fileno()):
        return opened
    if buffering == 1 and "b" in mode:
        buffering = -1  # the default, as `io.open` takes it; the warning has been given
    return open_green(path, mode, buffering, encoding, errors, newline, True, _opener_of(opened))


def open_raw(
    file: Any, mode: str = "r", closefd: bool = True, opener: Callable[[Any, int], int] | None = None
) -> _FileIO:
    """Make an `io.FileIO`, cooperative if a read may have to wait. Arguments and errors are those of `io.FileIO`."""
    if type(file) is int:
        return (GreenFileIO if comes_and_goes(file) else _FileIO)(file, mode, closefd, opener)
    if isinstance(file, bool) and sys.version_info >= (3, 13):
        warnings.warn("bool is used as a file descriptor", RuntimeWarning, stacklevel=3)  # the caller of `FileIO`
        return _FileIO(int(file), mode, closefd, opener)
    if opener is None and others() and is_fifo(file):
        return GreenFileIO(file, mode, closefd, open_fifo)
    opened = _FileIO(file, mode, closefd, opener)
    if opened.seekable() or not _is_path(file) or not comes_and_goes(opened.fileno()):
        return opened
    return GreenFileIO(file, mode, closefd, _opener_of(opened))


def _is_path(file: Any) -> bool:
    return isinstance(file, str | bytes | PathLike)


def _opener_of(opened: Any) -> Callable[[Any, int], int]:
    """Return an opener that gives a duplicate of the descriptor of `opened`, which is closed."""
    fd = fcntl(opened.fileno(), F_DUPFD_CLOEXEC, 0)
    opened.close()
    return lambda _path, _flags: fd


def others() -> bool:
    """Return False if no other green thread would stand still while open(2) waits."""
    if not has_hub():
        return False
    hub = get_hub()
    return bool(hub.runners or hub.ready)


def open_fifo(path: Any, flags: int) -> int:
    """An `opener` that parks until the other end of a FIFO is opened as well."""
    return open_file(path, flags, 0o666)


class _StandIn(ABCMeta):
    """The type of classes that stand for a class written in C, and of their sub-classes, which are as any other class.

    Each class has `_real`, the C class, and `_make`, the function that a call of it calls. The type is an ABCMeta, so
    that a class may derive from such a class and from the abstract classes of `io`.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        make = cls.__dict__.get("_make")
        return super().__call__(*args, **kwargs) if make is None else make.__func__(*args, **kwargs)

    def __instancecheck__(cls, instance: Any) -> bool:
        real = cls.__dict__.get("_real")
        return super().__instancecheck__(instance) if real is None else isinstance(instance, real)

    def __subclasscheck__(cls, subclass: type) -> bool:
        real = cls.__dict__.get("_real")
        return super().__subclasscheck__(subclass) if real is None else issubclass(subclass, real)


class FileIO(GreenFileIO, metaclass=_StandIn):
    """Stands for `io.FileIO`, see above. Difference: `type(file) is io.FileIO` is False; `isinstance` is right."""

    _real = _FileIO
    _make = staticmethod(open_raw)
    _waits = False

    def __init__(
        self, file: Any, mode: str = "r", closefd: bool = True, opener: Callable[[Any, int], int] | None = None
    ) -> None:
        super().__init__(file, mode, closefd, opener)
        self._waits = (type(file) is int or not self.seekable()) and comes_and_goes(self.fileno())

    def read(self, size: int | None = -1, /) -> bytes | None:  # type: ignore[override]  # typeshed leaves None out
        """See `io.RawIOBase.read`."""
        return _methods_of(self).read(self, size)

    def readinto(self, buffer: Any, /) -> int | None:
        """See `io.RawIOBase.readinto`."""
        return _methods_of(self).readinto(self, buffer)

    def readall(self) -> bytes | None:  # type: ignore[override]  # likewise
        """See `io.RawIOBase.readall`."""
        return _methods_of(self).readall(self)

    def write(self, data: Any, /) -> int | None:  # type: ignore[override]  # likewise
        """See `io.RawIOBase.write`."""
        return _methods_of(self).write(self, data)

    def close(self) -> None:
        """See `GreenFileIO.close`."""
        _methods_of(self).close(self)


def _methods_of(file: Any) -> type[_FileIO]:
    # `io.FileIO.read(file)` may be called with an object of the C class.
    return GreenFileIO if getattr(file, "_waits", False) else _FileIO


name_after(FileIO, _FileIO)


def _waits_for(raw: Any) -> bool:
    try:
        return not raw.seekable()
    except (AttributeError, ValueError):  # closed, or no raw file at all: the C class says so
        return False


def _make_reader(raw: Any, *args: Any, **kwargs: Any) -> _BufferedReader:
    return (GreenReader if _waits_for(raw) else _BufferedReader)(raw, *args, **kwargs)


def _make_writer(raw: Any, *args: Any, **kwargs: Any) -> _BufferedWriter:
    return (GreenWriter if _waits_for(raw) else _BufferedWriter)(raw, *args, **kwargs)


class BufferedReader(_BufferedReader, metaclass=_StandIn):
    """Stands for `io.BufferedReader`. A call makes a GreenReader on a raw file that cannot be sought. See above."""

    _real = _BufferedReader
    _make = staticmethod(_make_reader)


class BufferedWriter(_BufferedWriter, metaclass=_StandIn):
    """Stands for `io.BufferedWriter`. A call makes a GreenWriter on a raw file that cannot be sought. See above."""

    _real = _BufferedWriter
    _make = staticmethod(_make_writer)


class BufferedRWPair(_BufferedRWPair, metaclass=_StandIn):
    """Stands for `io.BufferedRWPair`. A call makes a GreenRWPair. See above."""

    _real = _BufferedRWPair
    _make = staticmethod(GreenRWPair)


name_after(BufferedReader, _BufferedReader)
name_after(BufferedWriter, _BufferedWriter)
name_after(BufferedRWPair, _BufferedRWPair)
