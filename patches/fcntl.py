"""fcntl: locks on files that another process or thread has.

What blocks here: `flock`, `lockf` and `fcntl` with F_SETLKW or F_OFD_SETLKW, until the lock is free.
What we replace: those three. How they wait, and what happens to a lock that comes too late, is in
`greening.fdio.filelock`.
Difference from the stdlib: the audit events of a call that may wait come twice or three times, first with the
arguments of the call and then with those of what is tried.
What stays: `ioctl`; leases; every call that does not wait.
"""

import fcntl as _fcntl
import sys
from functools import partial
from operator import index
from typing import Any

from greening._builtin_method import ModuleSelf
from greening.fdio.filelock import (
    END,
    FLOCK,
    OFD,
    RECORD,
    TYPES,
    WHOLE,
    Part,
    absolute,
    change,
    lock,
    real_fcntl,
    real_flock,
    real_lockf,
)
from greening.patcher.spec import Patch

_home = ModuleSelf("fcntl")
_NB = _fcntl.LOCK_NB
_BLOCKING = ~_NB
_UNLOCKED = _fcntl.F_UNLCK
# What `flock` locks, by its operation without LOCK_NB.
_WHOLE_FILES = {operation: partial(Part, 0, END, kind) for operation, kind in TYPES.items()}
_WHOLE_UNLOCKED = _WHOLE_FILES[_fcntl.LOCK_UN]

# Commands of `fcntl` that lock: which locks, whether they wait, and the one that does not.
_COMMANDS = {
    _fcntl.F_SETLK: (RECORD, False, _fcntl.F_SETLK),
    _fcntl.F_SETLKW: (RECORD, True, _fcntl.F_SETLK),
    _fcntl.F_OFD_SETLK: (OFD, False, _fcntl.F_OFD_SETLK),
    _fcntl.F_OFD_SETLKW: (OFD, True, _fcntl.F_OFD_SETLK),
}


@_home.builtin
def flock(_: Any, fd: Any, operation: int, /) -> None:
    """Lock or unlock the file of a descriptor; others run while it waits. See flock(2).

    Args:
        fd: a descriptor, or an object with `fileno()`.
        operation: LOCK_SH, LOCK_EX or LOCK_UN, with LOCK_NB: do not wait.
    Raises:
        OSError: BlockingIOError with LOCK_NB, when another has it.
    """
    try:
        part = _WHOLE_FILES.get(index(operation) & _BLOCKING)
    except TypeError:
        part = None
    number = fd if type(fd) is int else _number(fd)
    if part is None or number is None:
        return real_flock(fd, operation)  # it says what is wrong
    if operation & _NB or part is _WHOLE_UNLOCKED:
        return change(WHOLE, number, part, real_flock, number, operation)
    sys.audit("fcntl.flock", number, operation)
    return lock(
        WHOLE,
        number,
        part,
        partial(real_flock, number, operation | _NB),
        lambda waiting: real_flock(waiting, operation),
    )


@_home.builtin
def lockf(_: Any, fd: Any, cmd: int, len: int = 0, start: int = 0, whence: int = 0, /) -> None:
    """Lock or unlock a range of a file for this process; others run while it waits. See fcntl(2), record locks.

    Args:
        fd: a descriptor, or an object with `fileno()`.
        cmd: LOCK_SH, LOCK_EX or LOCK_UN, with LOCK_NB: do not wait.
        len: bytes; 0: to the end of the file, however far it grows.
        start: the first byte, counted from what `whence` says, as in `os.lseek`.
    Raises:
        OSError: BlockingIOError with LOCK_NB, when another process has it; EDEADLK, two processes wait for each other.
    Green threads of one process do not exclude each other, as OS threads do not.
    """
    kind = _type_of(cmd)
    number = fd if type(fd) is int else _number(fd)
    if kind is None or number is None:
        return real_lockf(fd, cmd, len, start, whence)
    if cmd & _NB or kind == _UNLOCKED:
        part_of = partial(_part, number, kind, start, len, whence)
        return change(RECORD, number, part_of, real_lockf, number, cmd, len, start, whence)
    part = _part(number, kind, start, len, whence)
    if part is None:
        return real_lockf(fd, cmd, len, start, whence)
    sys.audit("fcntl.lockf", number, cmd, len, start, whence)
    return lock(
        RECORD,
        number,
        lambda: part,
        partial(real_lockf, number, cmd | _NB, len, start, whence),
        lambda waiting: real_lockf(waiting, cmd, 0 if part.end == END else part.end - part.start, part.start),
    )


@_home.builtin
def fcntl(_: Any, fd: Any, cmd: int, arg: Any = 0, /) -> Any:
    """Perform an operation on a descriptor; others run while F_SETLKW or F_OFD_SETLKW wait. See fcntl(2).

    Args:
        fd: a descriptor, or an object with `fileno()`.
        arg: a number, or bytes: for locks a `struct flock`.
    Returns:
        A number, or the bytes as the operation has changed them.
    """
    family, waits, at_once = _COMMANDS.get(cmd, (None, False, 0)) if type(cmd) is int else (None, False, 0)
    if family is None:
        return real_fcntl(fd, cmd, arg)
    number = fd if type(fd) is int else _number(fd)
    part = None if number is None else _part_of(number, arg)
    if number is None or part is None:
        return real_fcntl(fd, cmd, arg)
    if not waits or part.type == _UNLOCKED:
        return change(family, number, lambda: part, real_fcntl, number, cmd, arg)
    sys.audit("fcntl.fcntl", number, cmd, arg)
    request = FLOCK.pack(part.type, 0, part.start, 0 if part.end == END else part.end - part.start, 0)

    def take(waiting: int) -> Any:
        real_fcntl(waiting, cmd, request)
        return bytes(arg)

    return lock(family, number, lambda: part, partial(real_fcntl, number, at_once, arg), take)


def _number(fd: Any) -> int | None:
    """The number of a descriptor; None: it is none, and the real call says why."""
    fileno = getattr(fd, "fileno", None)
    number = None if fileno is None or isinstance(fd, int) else fileno()
    return number if type(number) is int else None


def _type_of(operation: object) -> int | None:
    """The type of lock that an operation of `flock` asks for; None: it asks for none, and the real call says why."""
    try:
        return TYPES.get(index(operation) & _BLOCKING)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        return None


def _part(fd: int, kind: int, start: Any, length: Any, whence: int) -> Part | None:
    try:
        return Part(*absolute(fd, index(start), index(length), whence), kind)
    except (OSError, TypeError):
        return None


def _part_of(fd: int, argument: Any) -> Part | None:
    """What a `struct flock` is about; None: it is none."""
    try:
        data = bytes(memoryview(argument))
    except TypeError:
        return None
    kind, whence, start, length, _ = FLOCK.unpack(data[: FLOCK.size].ljust(FLOCK.size, b"\0"))
    if kind not in TYPES.values():
        return None
    return _part(fd, kind, start, length, whence)


PATCH = Patch(target="fcntl", flag="os", replaces={"flock": flock, "lockf": lockf, "fcntl": fcntl})
