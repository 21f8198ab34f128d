"""Numbers about a server: counted in memory that its worker processes share, and shown by any of them.

Facts: several processes that count in one place need a lock, or lose counts. A worker may be killed at any moment. A
POSIX lock is given back by the kernel when its process ends, however it ends (fcntl(2)).
Decision: each worker has a row of its own in a file without a name (memfd_create(2)), and a lock on one byte that says
so. It alone writes there. Any of them adds the rows up, so that one question gives the sum. The row of a worker that
has ended keeps its counts, and the next worker counts on in it: nothing is lost. How many connections there are is
written once a second, and counts only while the row has an owner.

One addition counts a request: a cell stands for a method, a class of statuses and a range of durations at once.
"""

import fcntl
import mmap
import os
import time
import weakref
from bisect import bisect_left
from collections.abc import Callable
from operator import add
from typing import Final, NamedTuple

from greening._originals import allocate_lock

INTERVAL = 1.0  # seconds between two looks at how many connections there are, and between two reports to a statsd

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other")
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds

_RANGES: Final = len(BOUNDS) + 1
_CLASSES: Final = 10  # of statuses, by their first digit; 0: there was no answer
_STRIDE: Final = _RANGES * _CLASSES
_ROWS: Final = 2048  # one for each worker and address; memory that no worker has used costs nothing

# The cells of a row. All are floats: they count in less time than integers, and exactly up to 2 ** 53.
PID: Final = 0
STARTED: Final = 1  # seconds since the epoch
STARTS: Final = 2  # workers whose first row it was
IDLE: Final = 3  # connections that wait for a request
ACTIVE: Final = 4  # connections with a request
ACCEPTED: Final = 5  # connections
EVICTED: Final = 6  # idle connections that were closed to make room
REFUSED: Final = 7  # requests that no application has seen
SENT: Final = 8  # bytes of bodies
SECONDS: Final = 9  # of all requests
TAKEN: Final = 10  # 1: it is in use, or was
ROUNDS: Final = 11  # turns of the hub's loop
SWITCHES: Final = 12  # how often a green thread was resumed
GREEN_THREADS: Final = 13  # that have begun and have not ended
READY: Final = 14  # the length of the run queue
LATE: Final = 15  # seconds that the last look came too late
_FIRST: Final = 16  # of the requests

_BASE = {method: _FIRST + number * _STRIDE for number, method in enumerate(METHODS)}
_OTHER: Final = _BASE["other"]
_CLASS = tuple(status // 100 * _RANGES for status in range(1000))  # where the class of a status begins
_NO_HUB: Final = memoryview(bytes(8 * (LATE + 1 - ROUNDS))).cast("d")
_CELLS: Final = _FIRST + len(METHODS) * _STRIDE
_SIZE: Final = -(-_CELLS * 8 // mmap.PAGESIZE) * mmap.PAGESIZE  # bytes of a row: whole pages


class Worker(NamedTuple):
    """A process that serves.

    Attributes:
        started: seconds since the epoch. idle, active: connections.
        rounds, switches, green_threads, ready: of its hub; see `greening.debug.stats`.
        late: seconds by which its hub made the last call too late that was due: what a request waits for in vain.
    """

    pid: int
    started: float
    idle: int
    active: int
    rounds: int = 0
    switches: int = 0
    green_threads: int = 0
    ready: int = 0
    late: float = 0.0


class Totals(NamedTuple):
    """The sum over all rows at one moment.

    Attributes:
        requests: by method, first digit of the status, and range of `BOUNDS`; without those that are 0.
        seconds: of all requests together. sent: bytes of bodies. starts: of workers.
    """

    requests: dict[tuple[str, int, int], int]
    seconds: float
    sent: int
    accepted: int
    evicted: int
    refused: int
    starts: int
    workers: list[Worker]


class Snapshot(NamedTuple):
    """One row at one moment: the cells before `_FIRST`, and `requests` as in `Totals`."""

    cells: list[float]
    requests: dict[tuple[str, int, int], int]


class Counters:
    """The row of one server in one process. Its methods neither wait nor fail.

    Attributes:
        request: called with the method, the status, the seconds and the bytes of body of a request that has ended.
    Thread-safety: use it in one OS thread.
    """

    __slots__ = ("_cells", "number", "request")

    def __init__(self, cells: "memoryview[float]", number: int) -> None:
        self._cells = cells
        self.number = number
        self.request = _recorder(cells)

    def count(self, cell: int, more: int = 1) -> None:
        """So many more of `ACCEPTED`, `EVICTED` or `REFUSED`."""
        self._cells[cell] += more

    def connections(self, idle: int, active: int) -> None:
        """How many there are now."""
        self._cells[IDLE] = idle
        self._cells[ACTIVE] = active

    def hub(self, rounds: int, switches: int, green_threads: int, ready: int, late: float) -> None:
        """What the hub does now; see `Worker`."""
        self._cells[ROUNDS] = rounds
        self._cells[SWITCHES] = switches
        self._cells[GREEN_THREADS] = green_threads
        self._cells[READY] = ready
        self._cells[LATE] = late

    def snapshot(self) -> Snapshot:
        """What has been counted, by this process and those that had the row before."""
        cells = list(self._cells)
        return Snapshot(cells[:_FIRST], _requests(cells))


def _recorder(cells: "memoryview[float]") -> Callable[[str, int, float, int], None]:
    """A function that has all it needs at hand: this runs for every request."""
    base, classes, least = _BASE.get, _CLASS, BOUNDS[0]

    def record(method: str, status: int, seconds: float, length: int) -> None:
        place = 0 if seconds <= least else bisect_left(BOUNDS, seconds)
        cells[base(method, _OTHER) + classes[status] + place] += 1.0
        cells[SECONDS] += seconds
        cells[SENT] += length

    return record


def _requests(cells: list[float]) -> dict[tuple[str, int, int], int]:
    """Those that are not 0, by method, first digit of the status and range."""
    found = {}
    for method, base in _BASE.items():
        for place, count in enumerate(cells[base : base + _STRIDE]):
            if count:
                found[method, place // _RANGES, place % _RANGES] = int(count)
    return found


class Metrics:
    """The rows of a server and of all its worker processes. Make it before they are forked.

    Raises:
        OSError: there is no memory for it.
    Thread-safety: complete. What `claim` returns is for one OS thread.
    """

    def __init__(self) -> None:
        self._file = os.memfd_create("greening-metrics", os.MFD_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        os.ftruncate(self._file, _ROWS * _SIZE)
        self._cells: memoryview[float] = memoryview(mmap.mmap(self._file, _ROWS * _SIZE)).cast("d")
        self._guard = allocate_lock()  # the kernel's locks tell processes apart, and not OS threads
        self._mine: set[tuple[int, int]] = set()  # (process, row): a child of fork has none of its parent's

    def claim(self) -> Counters:
        """A row for this process: the first that has no owner. It is given back by `release`, or when the process ends.

        Raises:
            OSError: all rows have owners.
        """
        with self._guard:
            return self._claim(os.getpid())

    def _claim(self, pid: int) -> Counters:
        for number in range(_ROWS):
            if (pid, number) not in self._mine and self._lock(number):
                row = self._row(number)
                row[PID], row[STARTED] = pid, time.time()
                row[TAKEN] = 1.0
                if not any(process == pid for process, _ in self._mine):  # a worker has a server for each address
                    row[STARTS] += 1
                self._mine.add((pid, number))
                row[IDLE] = row[ACTIVE] = 0
                row[ROUNDS : LATE + 1] = _NO_HUB
                return Counters(row, number)
        raise OSError(f"no row of metrics is free: all {_ROWS} are taken")

    def release(self, counters: Counters) -> None:
        """Give a row back. What was counted in it stays."""
        with self._guard:
            self._mine.discard((os.getpid(), counters.number))
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, counters.number)

    def _row(self, number: int) -> "memoryview[float]":
        start = number * _SIZE // 8
        return self._cells[start : start + _CELLS]

    def _lock(self, number: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except OSError:
            return False
        return True

    def _has_owner(self, number: int) -> bool:
        with self._guard:
            if (os.getpid(), number) in self._mine:
                return True
            if self._lock(number):
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)
                return False
            return True

    def connections(self) -> tuple[int, int]:
        """How many are idle, and how many are active, in all rows that have owners."""
        idle = active = 0
        for number in range(_ROWS):
            row = self._row(number)
            if not row[TAKEN]:
                break  # rows are taken in order
            if self._has_owner(number):
                idle, active = idle + int(row[IDLE]), active + int(row[ACTIVE])
        return idle, active

    def totals(self) -> Totals:
        """Add all rows up. It takes less than a millisecond for each ten workers."""
        total = [0.0] * _CELLS
        workers: dict[int, Worker] = {}
        for number in range(_ROWS):
            row = self._row(number).tolist()
            if not row[TAKEN]:
                break  # rows are taken in order
            total = list(map(add, total, row))
            if self._has_owner(number):
                pid, idle, active = int(row[PID]), int(row[IDLE]), int(row[ACTIVE])
                other = workers.get(pid, Worker(pid, row[STARTED], 0, 0))
                connections = other.idle + idle, other.active + active
                # The same in all rows of a worker, since it has one hub.
                rounds, switches, threads, ready = map(int, row[ROUNDS:LATE])
                hub = rounds, switches, threads, ready, row[LATE]
                workers[pid] = Worker(pid, other.started, *connections, *hub)
        sent, accepted, evicted, refused, starts = (
            int(total[cell]) for cell in (SENT, ACCEPTED, EVICTED, REFUSED, STARTS)
        )
        requests, seconds = _requests(total), total[SECONDS]
        return Totals(requests, seconds, sent, accepted, evicted, refused, starts, list(workers.values()))
