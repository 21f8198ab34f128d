"""Locks on files that are waited for without stopping the hub: flock(2), and record locks by fcntl(2).

Facts (Linux):
- No descriptor becomes ready when a lock is free. Only a call that blocks waits for it. Only a signal ends that call,
  and signal handlers run in the first OS thread alone.
- `flock` locks and OFD locks belong to the open file description, so a duplicate of the descriptor will do in another
  OS thread. Classic record locks belong to the process, and closing any descriptor of the file releases them all:
  there a duplicate must never be made.
- A request of an owner that has the lock already changes the lock: two waits of one owner do not exclude each other.
Decision: the call is tried without waiting. When it would wait, a native thread makes it, and the green thread parks.
A green thread that is killed or times out leaves at once. Its request cannot be taken back, so what it is granted
later is given back in the moment it comes: the owner then has what it had in that range before the wait began,
changed by what it has locked and unlocked there since.
"""

import _signal
import fcntl
import os
import struct
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from greening._core.current import hubless
from greening._core.fairness import fairness_tick
from greening._core.fork import NET, on_child
from greening._originals import RLock, builtin_open, os_close, os_fstat, os_lseek
from greening.threads.native import NativePool

P = ParamSpec("P")
T = TypeVar("T")

# Taken now, because `fcntl` is patched.
real_flock: Callable[..., None] = fcntl.flock
real_lockf: Callable[..., None] = fcntl.lockf
real_fcntl = fcntl.fcntl
_dup = os.dup

# Offset in bytes behind the last byte that a file can have. A lock "to the end" ends here.
END = 1 << 63

_SIGIO = int(_signal.SIGIO)

_OPERATIONS = {fcntl.F_RDLCK: fcntl.LOCK_SH, fcntl.F_WRLCK: fcntl.LOCK_EX, fcntl.F_UNLCK: fcntl.LOCK_UN}
TYPES = {operation: kind for kind, operation in _OPERATIONS.items()}
_TYPE_NAMES = {"READ": fcntl.F_RDLCK, "WRITE": fcntl.F_WRLCK}

# `struct flock` of 64-bit Linux: type, whence, start, length, process.
FLOCK = struct.Struct("@hhqqi4x")

# Native threads that wait for locks. A lock may be held for long: nothing else has to wait for these threads.
_lockers = NativePool(1000, block_signals=True, name="file locks")

# Protects the books of all waits. It is re-entrant, since a finaliser may unlock a file.
_books: Any = RLock()


# Plain classes: a named tuple takes a tenth of a millisecond of every program's start.


class Part:
    """The bytes from `start` up to, and without, `end`, and the type of the lock on them: F_RDLCK, F_WRLCK, F_UNLCK."""

    __slots__ = ("end", "start", "type")

    def __init__(self, start: int, end: int, type: int) -> None:
        self.start = start
        self.end = end
        self.type = type


class Family:
    """Locks that know of one another.

    Attributes:
        label: what /proc/self/fdinfo calls them.
        of_description: they belong to the open file description, and not to the process.
        change: (descriptor, part): lock or unlock without waiting.
    """

    __slots__ = ("change", "label", "of_description")

    def __init__(self, label: str, of_description: bool, change: Callable[[int, Part], object]) -> None:
        self.label = label
        self.of_description = of_description
        self.change = change


def _change_whole(fd: int, part: Part) -> None:
    real_flock(fd, _OPERATIONS[part.type] | fcntl.LOCK_NB)


def _length(part: Part) -> int:
    return 0 if part.end == END else part.end - part.start


def _change_record(fd: int, part: Part) -> None:
    at_once = 0 if part.type == fcntl.F_UNLCK else fcntl.LOCK_NB
    real_lockf(fd, _OPERATIONS[part.type] | at_once, _length(part), part.start)


def _change_ofd(fd: int, part: Part) -> None:
    real_fcntl(fd, fcntl.F_OFD_SETLK, FLOCK.pack(part.type, os.SEEK_SET, part.start, _length(part), 0))


WHOLE = Family("FLOCK", True, _change_whole)
RECORD = Family("POSIX", False, _change_record)
OFD = Family("OFDLCK", True, _change_ofd)


def absolute(fd: int, start: int, length: int, whence: int) -> tuple[int, int]:
    """Return first byte and end of a range of `struct flock`, in bytes. Raises OSError: `fd` has no position."""
    if whence == os.SEEK_CUR:
        start += os_lseek(fd, 0, os.SEEK_CUR)
    elif whence == os.SEEK_END:
        start += os_fstat(fd).st_size
    if length < 0:
        return start + length, start
    return start, start + length if length else END


# States of a wait, in order: nothing is asked for; a native thread is in the system call; it has the lock; over.
_NEW, _ASKED, _TAKEN, _OVER = range(4)


class _Wait:
    """One request, made by a native thread for a green thread.

    Attributes:
        fd: a duplicate of the caller's descriptor; for a record lock the caller's own.
        parts: what the owner is to have in the range if the green thread gives up.
    """

    def __init__(self, family: Family, fd: int, part: Part, take: Callable[[int], Any]) -> None:
        self.family = family
        self.part = part
        self.file = _file_of(fd)
        self.fd = _dup(fd) if family.of_description else fd
        self.parts = _held(family, self.fd, part)
        self._take = take
        self.state = _NEW
        self.given_up = False

    def wait(self) -> Any:
        """Wait, in the green thread. Raises what the call raises, and what interrupts the wait."""
        with _books:
            _waits.append(self)
        try:
            result = _lockers.execute(self._run)
        except BaseException:
            with _books:
                self.given_up = True
                if self.state == _TAKEN:
                    self._give_back()
                if self.state != _ASKED:
                    self._end()
            raise
        with _books:
            self._end()
        return result

    def _run(self) -> Any:
        """Make the call, in the native thread."""
        with _books:
            if self.given_up:
                return None
            self.state = _ASKED
        try:
            # If the descriptor was closed since, its number may be that of another file.
            result = self._take(self.fd if self.is_open() else -1)
        except BaseException:
            with _books:
                self.state = _OVER
                if self.given_up:
                    self._end()
            raise
        with _books:
            self.state = _TAKEN
            if self.given_up:
                self._give_back()
                self._end()
            else:
                _note(self.family, self.fd, self.part, self)
        return result

    def is_open(self) -> bool:
        return self.family.of_description or _file_of(self.fd) == self.file

    def is_owner(self, family: Family, fd: int) -> bool:
        """True if locks of `family` that are taken through `fd` and ours have one owner."""
        if family is not self.family or self.file != _file_of(fd):
            return False
        return not family.of_description or _same_description(self.fd, fd)

    def _give_back(self) -> None:
        """Give back the lock that has come too late. Called under `_books`."""
        parts = [Part(max(p.start, self.part.start), min(p.end, self.part.end), p.type) for p in self.parts]
        for other in _waits:
            # Another wait of the same owner: the lock that came by this wait may be what it waits for.
            live = other is not self and other.state in (_ASKED, _TAKEN) and not other.given_up
            if live and other.is_owner(self.family, self.fd):
                parts = _without(parts, other.part)
        for part in parts:
            if part.start < part.end and self.is_open():
                try:
                    self.family.change(self.fd, part)
                except OSError:  # the file system has lost it
                    pass

    def _end(self) -> None:
        _waits.remove(self)
        if self.family.of_description:
            os_close(self.fd)


_waits: list[_Wait] = []


def lock(family: Family, fd: int, part: Callable[[], Part], now: Callable[[], T], take: Callable[[int], T]) -> T:
    """Lock a part of a file; park until that can be done.

    Args:
        family: the kind of lock.
        fd: the descriptor of the file.
        part: returns the bytes to lock, and the type of the lock. Called only if some task waits for a lock.
        now: the call that does not wait, and raises BlockingIOError instead (or PermissionError, as POSIX allows).
        take: the call that waits, made with a descriptor in a native thread.
    Raises:
        OSError: what the calls raise; EMFILE, no descriptor is left for the wait.
    """
    fairness_tick()
    with _books:
        try:
            result = now()
        except (BlockingIOError, PermissionError):
            pass
        else:
            if _waits:
                _note(family, fd, part())
            return result
    if not hubless():
        return _Wait(family, fd, part(), take).wait()  # type: ignore[no-any-return]  # what take returns
    result = take(fd)
    with _books:
        _note(family, fd, part())
    return result


def change(
    family: Family, fd: int, part: Callable[[], Part | None], now: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Lock or unlock by a call that does not wait, and tell the waits of the same owner. Raises its errors.

    Args:
        family, fd: as for `lock`.
        part: returns the bytes, and the type of the lock; None: it is a request of no known form, and none of the waits
            is told. Called only if some task waits for a lock.
        now: the call, made with the arguments that follow.
    """
    fairness_tick()
    with _books:
        # Before the call: it may move what the part is counted from.
        changed = part() if _waits else None
        result = now(*args, **kwargs)
        if changed is not None:
            _note(family, fd, changed)
    return result


def _note(family: Family, fd: int, part: Part, but: _Wait | None = None) -> None:
    """Write down what was locked or unlocked: it stays so when a wait of the same owner is given up."""
    for wait in _waits:
        if wait is not but and wait.is_owner(family, fd):
            wait.parts = [*_without(wait.parts, part), part]


def _without(parts: list[Part], hole: Part) -> list[Part]:
    left = [Part(part.start, min(part.end, hole.start), part.type) for part in parts if part.start < hole.start]
    return left + [Part(max(part.start, hole.end), part.end, part.type) for part in parts if part.end > hole.end]


def _held(family: Family, fd: int, part: Part) -> list[Part]:
    """Return what the owner has locked, by proc_pid_fdinfo(5), and the rest of the range as unlocked."""
    parts = [Part(part.start, part.end, fcntl.F_UNLCK)]
    try:
        with builtin_open(f"/proc/self/fdinfo/{fd}", encoding="utf-8") as file:
            lines = [line.split() for line in file if line.startswith("lock:")]
    except OSError:
        return parts
    # lock:	1: POSIX  ADVISORY  WRITE 16527 fe:00:2146401 5 14
    for words in lines:
        if words[2] == family.label and words[4] in _TYPE_NAMES:
            end = END if words[-1] == "EOF" else int(words[-1]) + 1
            held = Part(int(words[-2]), end, _TYPE_NAMES[words[4]])
            parts = [*_without(parts, held), held]
    return parts


def _file_of(fd: int) -> tuple[int, int]:
    try:
        found = os_fstat(fd)
    except OSError:
        return -1, -1
    return found.st_dev, found.st_ino


def _same_description(a: int, b: int) -> bool:
    """Return True for two descriptors of one open file description.

    kcmp(2) would tell, but containers forbid it. The number of the signal that announces input belongs to the
    description as well: what is set through one descriptor is seen through the other. 0 means SIGIO, so that a change
    from one to the other and back has no effect.
    """
    before = real_fcntl(a, fcntl.F_GETSIG)
    if real_fcntl(b, fcntl.F_GETSIG) != before:
        return False
    mark = 0 if before else _SIGIO
    real_fcntl(a, fcntl.F_SETSIG, mark)
    try:
        return real_fcntl(b, fcntl.F_GETSIG) == mark
    finally:
        real_fcntl(a, fcntl.F_SETSIG, before)


def _after_fork_in_child() -> None:
    """Forget the waits. A child has no native threads, and duplicates would keep descriptions open that it closes."""
    _books._at_fork_reinit()
    waits = _waits[:]
    _waits.clear()
    for wait in waits:
        if wait.family.of_description:
            os_close(wait.fd)


on_child(NET, _after_fork_in_child)
