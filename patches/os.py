"""os: reads and writes of descriptors, waits for children, closing.

What blocks here: read(2) and write(2) of pipes, terminals, sockets and eventfds; the wait(2) family; sendfile(2) and
splice(2); opening a FIFO; lockf(3); system(3).
What we replace: those, and the calls that close a descriptor, which must wake the tasks that wait for it.
What stays: everything about files on disk; `fork` and `posix_spawn` (in the child of a fork the engine starts afresh
by itself); `popen` and `spawn*`, which are made of the above.
"""

import _imp
import errno
import fcntl
import io
import os as _os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from greening._builtin_method import ModuleSelf
from greening._core.current import hubless, hubs
from greening._core.waiting import forget_fd
from greening._originals import os_close as _real_close
from greening._originals import os_open as _real_open
from greening._originals import strerror
from greening.fdio import child_wait as child
from greening.fdio import os_io, pipe
from greening.fdio.fileio import open_fd
from greening.fdio.filelock import RECORD, Part, absolute, change, lock, real_lockf
from greening.interop import importlock
from greening.patcher.spec import Patch, Undo
from greening.threads.native import NativePool

_home = ModuleSelf("os")
_real_closerange = _os.closerange
_real_dup2 = _os.dup2
_real_lockf = _os.lockf
_real_system = _os.system
# It blocks no signals: the shell inherits the signal mask.
_shells = NativePool(1000)


@_home.builtin
def read(_: Any, fd: int, length: int, /) -> bytes:
    """Read up to `length` bytes from a file descriptor."""
    return pipe.read(fd, length)


@_home.builtin
def write(_: Any, fd: int, data: Any, /) -> int:
    """Write a bytes-like object to a file descriptor; returns the number of bytes written."""
    return pipe.write(fd, data)


@_home.builtin
def readv(_: Any, fd: int, buffers: Sequence[Any], /) -> int:
    """Read from a file descriptor into a sequence of buffers; returns the number of bytes."""
    return pipe.readv(fd, buffers)


@_home.builtin
def writev(_: Any, fd: int, buffers: Sequence[Any], /) -> int:
    """Write the contents of a sequence of buffers to a file descriptor; returns the number of bytes."""
    return pipe.writev(fd, buffers)


@_home.builtin
def eventfd_read(_: Any, fd: int) -> int:
    """Take the counter of an eventfd, or one of a semaphore."""
    return int.from_bytes(pipe.read(fd, 8), sys.byteorder)


@_home.builtin
def sendfile(_: Any, out_fd: int, in_fd: int, offset: int | None, count: int) -> int:
    """Copy bytes from the file `in_fd` to `out_fd`; returns how many, which may be less than `count`."""
    return os_io.sendfile(out_fd, in_fd, offset, count)


@_home.builtin
def splice(
    _: Any, src: int, dst: int, count: int, offset_src: int | None = None, offset_dst: int | None = None, flags: int = 0
) -> int:
    """Move bytes between two descriptors, one of which is a pipe; returns how many."""
    return os_io.splice(src, dst, count, offset_src, offset_dst, flags)


@_home.builtin
def open(_: Any, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """Open a file; returns its descriptor."""
    return os_io.open_file(path, flags, mode, dir_fd=dir_fd)


def _make_close() -> Callable[[Any, int], None]:
    # Finalisers call it when the interpreter is going down, and the names of modules are None: it keeps its own.
    real, going_down = _real_close, sys.is_finalizing

    def close(_: Any, fd: int) -> None:
        """Close a file descriptor. A task that waits for it gets OSError (EBADF)."""
        if not going_down() and type(fd) is int:
            if _is_engines(fd):
                # The program was never given this number: it closes a whole range. For it the number is not open.
                raise OSError(errno.EBADF, strerror(errno.EBADF))
            forget_fd(fd)
        real(fd)

    return close


close = _home.builtin(_make_close())


@_home.builtin
def closerange(_: Any, fd_low: int, fd_high: int, /) -> None:
    """Close all descriptors from `fd_low` up to, and without, `fd_high`; those of the hubs stay open."""
    kept = []
    for hub in tuple(hubs):
        for fd in tuple(hub.regs):
            if fd_low <= fd < fd_high:
                forget_fd(fd)
        kept += [fd for fd in hub.fds() if fd_low <= fd < fd_high]
    for fd in sorted(kept):
        _real_closerange(fd_low, fd)
        fd_low = fd + 1
    _real_closerange(fd_low, fd_high)


def _is_engines(fd: int) -> bool:
    for hub in tuple(hubs):  # noqa: SIM110  # a generator would take as long as the rest: see `Hub.owns`
        if hub.owns(fd):
            return True
    return False


@_home.builtin
def dup2(_: Any, fd: int, fd2: int, inheritable: bool = True) -> int:
    """Duplicate a file descriptor to a given number, which is closed first."""
    if fd != fd2 and type(fd2) is int:
        forget_fd(fd2)
    return _real_dup2(fd, fd2, inheritable)


@_home.builtin
def lockf(_: Any, fd: int, command: int, length: int, /) -> None:
    """Lock, try or unlock `length` bytes from the file's position on, for this process; 0: to the end of the file.

    Args:
        command: F_LOCK (others run while it waits), F_TLOCK, F_ULOCK or F_TEST.
    """
    if type(fd) is not int or type(length) is not int or command not in _LOCK_TYPES:
        return _real_lockf(fd, command, length)
    try:
        part = Part(*absolute(fd, 0, length, _os.SEEK_CUR), _LOCK_TYPES[command])
    except OSError:
        return _real_lockf(fd, command, length)
    if command != _os.F_LOCK:
        return change(RECORD, fd, lambda: part, _real_lockf, fd, command, length)
    sys.audit("os.lockf", fd, command, length)
    return lock(
        RECORD,
        fd,
        lambda: part,
        partial(_real_lockf, fd, _os.F_TLOCK, length),
        lambda waiting: real_lockf(waiting, fcntl.LOCK_EX, abs(length), part.start),
    )


_LOCK_TYPES = {_os.F_LOCK: fcntl.F_WRLCK, _os.F_TLOCK: fcntl.F_WRLCK, _os.F_ULOCK: fcntl.F_UNLCK}


def fdopen(
    fd: int, mode: str = "r", buffering: int = -1, encoding: str | None = None, *args: Any, **kwargs: Any
) -> Any:
    """A file object for a descriptor; cooperative for pipes, sockets and terminals. Arguments as `open`."""
    if not isinstance(fd, int):
        raise TypeError(f"invalid fd type ({type(fd)}, expected integer)")
    if "b" not in mode:
        encoding = io.text_encoding(encoding)
    return open_fd(fd, mode, buffering, encoding, *args, **kwargs)


fdopen.__module__ = "os"


@_home.builtin
def wait(_: Any, /) -> tuple[int, int]:
    """Wait for any child to end; returns (pid, status)."""
    return child.waitpid(-1, 0)


@_home.builtin
def waitpid(_: Any, pid: int, options: int, /) -> tuple[int, int]:
    """Wait for a child; returns (pid, status)."""
    return child.waitpid(pid, options)


@_home.builtin
def wait3(_: Any, options: int) -> tuple[int, int, Any]:
    """Wait for any child; returns (pid, status, rusage)."""
    return child.wait3(options)


@_home.builtin
def wait4(_: Any, pid: int, options: int) -> tuple[int, int, Any]:
    """Wait for a child; returns (pid, status, rusage)."""
    return child.wait4(pid, options)


@_home.builtin
def waitid(_: Any, idtype: int, id: int, options: int, /) -> Any:
    """Wait for a change of a child; returns what changed, or None with WNOHANG."""
    return child.waitid(idtype, id, options)


@_home.builtin
def system(_: Any, command: Any) -> int:
    """Run a command in a shell, in a native thread; returns its status."""
    return _real_system(command) if hubless() else _shells.execute(_real_system, command)


_GREEN: dict[str, object] = {
    "read": read,
    "write": write,
    "readv": readv,
    "writev": writev,
    "eventfd_read": eventfd_read,
    "sendfile": sendfile,
    "splice": splice,
    "open": open,
    "close": close,
    "closerange": closerange,
    "dup2": dup2,
    "lockf": lockf,
    "fdopen": fdopen,
    "wait": wait,
    "waitpid": waitpid,
    "wait3": wait3,
    "wait4": wait4,
    "waitid": waitid,
    "system": system,
}


def _watch_import_lock(undo: Undo) -> None:
    """`fork` waits for imports of other green threads: see importlock."""
    for name in ("acquire_lock", "release_lock"):
        undo.add(partial(setattr, _imp, name, getattr(_imp, name)))
        setattr(_imp, name, getattr(importlock, name))


def _after(undo: Undo) -> None:
    _watch_import_lock(undo)
    # `os.open in os.supports_dir_fd` is how shutil finds out whether rmtree can be safe.
    for supports in (_os.supports_dir_fd, _os.supports_fd, _os.supports_follow_symlinks, _os.supports_effective_ids):
        if _real_open in supports and open not in supports:
            supports.add(open)
            undo.add(partial(supports.discard, open))


PATCH = Patch(
    target="os",
    flag="os",
    replaces={name: green for name, green in _GREEN.items() if hasattr(_os, name)},
    after=_after,
)
