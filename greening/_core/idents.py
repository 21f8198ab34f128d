"""Idents of green threads: unique for the life of the process, and harmless to the C library.

Facts:
- On Linux the ident of an OS thread is its pthread_t, the address of the C library's record of that thread. Programs
  hand idents to the C library: `time.pthread_getcpuclockid`, `signal.pthread_kill`, or pthread_setname_np by way of
  ctypes. It reads the record without looking whether the address is valid: a small number crashes the process.
- By a record of zeros the thread has no thread ID any more. The C library answers as for a thread that has ended:
  ESRCH, ENOENT or EINVAL, depending on the function.
- pthread_kill takes a lock inside the record, so the memory must be writable.
- Private anonymous memory that is only read stays one shared page of zeros (mmap(2)). It costs address space alone.

Decision: idents are addresses in memory that is reserved for them and never given back. The system can put no thread of
its own there, so no pthread_t ever equals such an ident. A child of fork inherits the memory and goes on counting.

Where the system refuses the memory (RLIMIT_AS), idents are odd numbers: unique, too, since records are aligned, but a
crash if they reach the C library.
"""

import sys
from collections.abc import Iterator

from greening._compiled import accelerator

# Bytes from one ident to the next. Records may overlap, since all of them are zero, but they are aligned.
STEP = 16
# Bytes after the last ident, for its record. glibc's struct pthread has 2.4 KB.
RECORD = 64 * 1024
# Bytes of the first reservation, good for 61,440 idents. Each is twice the one before, up to the largest.
FIRST = 1024 * 1024
LARGEST = 64 * FIRST

_ODD = range(1, sys.maxsize, 2)

if accelerator is not None:
    _reserve = accelerator.reserve_zeros
else:
    from greening._core.zeros import reserve as _reserve


class Idents:
    """A supply of idents. Thread-safe, and safe in a finaliser that interrupts it: a number is taken in one step.

    Attributes:
        runs: every range of idents so far, the latest last.
    """

    __slots__ = ("_left", "_size", "runs")

    def __init__(self) -> None:
        self.runs: tuple[range, ...] = ()
        self._size = FIRST
        self._left: Iterator[int] = iter(())

    def new(self) -> int:
        """An ident that has never been given before."""
        # Two OS threads may both find it empty. Each then makes a reservation, and the rest of one is never used.
        while not (ident := next(self._left, 0)):
            run = self._next_run()
            self.runs += (run,)
            self._left = iter(run)
        return ident

    def _next_run(self) -> range:
        size = self._size
        self._size = min(2 * size, LARGEST)
        try:
            start = _reserve(size)
        except OSError:
            return _ODD
        return range(start, start + size - RECORD, STEP)

    def has_given(self, ident: object) -> bool:
        """Whether `ident` is, or will be, that of a green thread. Never true of an OS thread's."""
        return any(ident in run for run in self.runs)


idents = Idents()
