"""Locks on files: waits that others do not notice, and locks that come too late and are given back."""

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from greening._core.greenthread import GreenThread, kill, spawn
from greening._core.waiting import sleep, wait_readable
from greening._originals import allocate_lock
from greening.fdio import filelock
from greening.fdio.filelock import END, OFD, RECORD, WHOLE, Family, Part, absolute, change, lock
from greening.timeout import Timeout

READ, WRITE, UNLOCKED = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(bytes(100))
    return made


@pytest.fixture(autouse=True)
def _no_wait_is_left() -> Iterator[None]:
    yield
    for gate in Gate.made:  # a test that fails must not leave a native thread behind
        gate.open()
    Gate.made.clear()
    until_no_wait_is_left()


def until_no_wait_is_left() -> None:
    """A native thread that has got its lock gives it back a moment later."""
    with Timeout(5):
        while filelock._waits:
            sleep(0.001)


class Gate:
    """A system call that waits, played: a native thread is in it until the test opens the gate."""

    made: ClassVar[list["Gate"]] = []

    def __init__(self, then: Callable[[int], Any] = lambda fd: fd) -> None:
        self.made.append(self)
        self._then = then
        self._asked = os.eventfd(0)
        self._gate = allocate_lock()
        self._gate.acquire()
        self.fds: list[int] = []

    def __call__(self, fd: int) -> Any:
        self.fds.append(fd)
        os.eventfd_write(self._asked, 1)
        with self._gate:
            return self._then(fd)

    def wait_until_asked(self) -> None:
        assert wait_readable(self._asked, 5)
        os.eventfd_read(self._asked)

    def open(self) -> None:
        if self._gate.locked():
            self._gate.release()


def busy() -> None:
    raise BlockingIOError(errno.EAGAIN, "held by another")


def asking(family: Family, fd: int, part: Part, gate: Gate) -> GreenThread[Any]:
    """A green thread that waits for a lock; the native thread is in the system call."""
    thread = spawn(lock, family, fd, lambda: part, busy, gate)
    gate.wait_until_asked()
    assert not thread.dead
    return thread


def locks_of(path: Path) -> list[tuple[int, int, int]]:
    """Type, start and end of the record locks of this process."""
    types = {"READ": READ, "WRITE": WRITE}
    inode = str(path.stat().st_ino)
    with open("/proc/locks", encoding="ascii") as file:
        found = [line.split() for line in file if "->" not in line]
    mine = [f for f in found if f[1] == "POSIX" and f[4] == str(os.getpid()) and f[5].endswith(":" + inode)]
    return sorted((types[f[3]], int(f[6]), END if f[7] == "EOF" else int(f[7]) + 1) for f in mine)


def record(fd: int, operation: int, start: int, end: int) -> None:
    fcntl.lockf(fd, operation, end - start, start)


# Ranges


@pytest.mark.parametrize(
    ("start", "length", "whence", "expected"),
    [
        (3, 5, os.SEEK_SET, (3, 8)),
        (3, 0, os.SEEK_SET, (3, END)),
        (8, -5, os.SEEK_SET, (3, 8)),
        (3, 5, os.SEEK_CUR, (13, 18)),
        (-10, 3, os.SEEK_END, (90, 93)),
    ],
)
def test_a_range_is_counted_from_where_its_description_says(
    start: int, length: int, whence: int, expected: tuple[int, int], path: Path
) -> None:
    with path.open("rb", buffering=0) as file:
        file.seek(10)
        assert absolute(file.fileno(), start, length, whence) == expected


def test_a_range_from_the_position_of_a_pipe_is_an_error(ends: tuple[int, int]) -> None:
    with pytest.raises(OSError) as caught:
        absolute(ends[0], 0, 1, os.SEEK_CUR)
    assert caught.value.errno == errno.ESPIPE


# Without waiting


def test_a_lock_that_is_free_is_taken_at_once(path: Path) -> None:
    def never(fd: int) -> int:
        raise AssertionError("it need not wait")

    with path.open("r+b") as file:
        assert lock(RECORD, file.fileno(), lambda: Part(0, 5, WRITE), lambda: 7, never) == 7
        assert change(RECORD, file.fileno(), lambda: Part(0, 5, UNLOCKED), lambda: 8) == 8


def test_the_part_is_looked_up_only_while_some_task_waits(path: Path) -> None:
    def unneeded() -> Part:
        raise AssertionError("no task waits for a lock")

    with path.open("r+b") as file:
        fd = file.fileno()
        assert lock(RECORD, fd, unneeded, lambda: 7, Gate()) == 7
        assert change(RECORD, fd, unneeded, lambda: 8) == 8
        gate = Gate()
        thread = asking(RECORD, fd, Part(0, 5, WRITE), gate)
        with pytest.raises(AssertionError, match="no task waits"):
            change(RECORD, fd, unneeded, lambda: 9)
        assert change(RECORD, fd, lambda: None, lambda: 10) == 10
        gate.open()
        thread.wait(5)


def test_errors_that_do_not_mean_busy_are_raised(path: Path) -> None:
    def fail() -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    with path.open("r+b") as file:
        for call in (
            lambda: lock(RECORD, file.fileno(), lambda: Part(0, 5, WRITE), fail, Gate()),
            lambda: change(RECORD, file.fileno(), lambda: Part(0, 5, WRITE), fail),
        ):
            with pytest.raises(OSError, match="no locks here"):
                call()


# Waiting


@pytest.mark.parametrize("error", [BlockingIOError, PermissionError])
def test_a_wait_returns_what_the_call_returns_and_lets_others_run(error: type[OSError], path: Path) -> None:
    def refused() -> str:
        raise error(errno.EACCES, "held by another")

    gate = Gate(lambda fd: "taken")
    with path.open("r+b") as file:
        thread = spawn(lock, RECORD, file.fileno(), lambda: Part(0, 5, WRITE), refused, gate)
        gate.wait_until_asked()
        assert spawn(lambda: "ran").wait(5) == "ran"
        assert not thread.dead
        gate.open()
        assert thread.wait(5) == "taken"
        assert gate.fds == [file.fileno()]


def test_a_wait_for_a_lock_of_a_description_is_made_with_a_duplicate(path: Path) -> None:
    gate = Gate()
    with path.open("r+b") as file:
        thread = asking(WHOLE, file.fileno(), Part(0, END, WRITE), gate)
        assert gate.fds != [file.fileno()]
        gate.open()
        duplicate = thread.wait(5)
        with pytest.raises(OSError):
            os.fstat(duplicate)


def test_an_error_of_the_wait_is_raised(path: Path) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.EDEADLK, "deadlock")

    gate = Gate(fail)
    with path.open("r+b") as file:
        thread = asking(RECORD, file.fileno(), Part(0, 5, WRITE), gate)
        thread.quiet = True
        gate.open()
        with pytest.raises(OSError, match="deadlock"):
            thread.wait(5)


def test_flock_waits_for_another_description(path: Path) -> None:
    def flock(fd: int) -> None:
        lock(
            WHOLE,
            fd,
            lambda: Part(0, END, WRITE),
            lambda: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB),
            lambda fd: (asked.release(), fcntl.flock(fd, fcntl.LOCK_EX))[1],
        )

    asked = threading.Semaphore(0)
    with path.open("rb") as first, path.open("rb") as second:
        flock(first.fileno())
        thread = spawn(flock, second.fileno())
        sleep(0)
        asked.acquire()
        assert not thread.dead
        fcntl.flock(first, fcntl.LOCK_UN)
        thread.wait(5)
        with pytest.raises(BlockingIOError):
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_an_os_thread_without_a_hub_waits_itself(path: Path) -> None:
    got: list[Any] = []

    def work() -> None:
        here = threading.get_ident()
        got.append(
            lock(RECORD, file.fileno(), lambda: Part(0, 5, WRITE), busy, lambda fd: threading.get_ident() == here)
        )

    with path.open("r+b") as file:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(5)
    assert got == [True]


# Waits that are given up


def test_a_lock_that_comes_too_late_is_given_back(path: Path) -> None:
    gate = Gate(lambda fd: record(fd, fcntl.LOCK_EX, 10, 20))
    with path.open("r+b") as file:
        kill(asking(RECORD, file.fileno(), Part(10, 20, WRITE), gate))
        assert filelock._waits
        gate.open()
        until_no_wait_is_left()
        assert locks_of(path) == []


def test_what_the_process_had_before_the_wait_and_what_it_has_locked_since_stays(path: Path) -> None:
    with path.open("r+b") as file:
        fd = file.fileno()
        record(fd, fcntl.LOCK_EX, 10, 15)
        record(fd, fcntl.LOCK_SH, 30, 35)
        gate = Gate(lambda fd: record(fd, fcntl.LOCK_EX, 0, 40))
        thread = asking(RECORD, fd, Part(0, 40, WRITE), gate)
        change(RECORD, fd, lambda: Part(20, 25, WRITE), lambda: record(fd, fcntl.LOCK_EX, 20, 25))
        change(RECORD, fd, lambda: Part(33, 35, UNLOCKED), lambda: record(fd, fcntl.LOCK_UN, 33, 35))
        kill(thread)
        gate.open()
        until_no_wait_is_left()
        assert locks_of(path) == [(READ, 30, 33), (WRITE, 10, 15), (WRITE, 20, 25)]


def test_another_wait_of_the_same_owner_keeps_what_the_late_lock_has_brought_it(path: Path) -> None:
    with path.open("r+b") as file:
        fd = file.fileno()
        late = Gate(lambda fd: record(fd, fcntl.LOCK_EX, 0, 40))
        given_up = asking(RECORD, fd, Part(0, 40, WRITE), late)
        other = Gate()
        living = asking(RECORD, fd, Part(10, 20, WRITE), other)
        kill(given_up)
        late.open()
        with Timeout(5):
            while len(filelock._waits) > 1:
                sleep(0.001)
        assert locks_of(path) == [(WRITE, 10, 20)]
        other.open()
        living.wait(5)


def test_a_wait_that_is_given_up_and_fails_leaves_nothing(path: Path) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.EINTR, "interrupted")

    gate = Gate(fail)
    with path.open("r+b") as file:
        kill(asking(WHOLE, file.fileno(), Part(0, END, WRITE), gate))
        gate.open()
        until_no_wait_is_left()
        with pytest.raises(OSError):
            os.fstat(gate.fds[0])


def test_a_wait_that_is_given_up_before_it_begins_asks_for_nothing(path: Path) -> None:
    gate = Gate()
    with path.open("r+b") as file:
        wait = filelock._Wait(RECORD, file.fileno(), Part(0, 5, WRITE), gate)
        wait.given_up = True
        assert wait._run() is None
    assert not gate.fds


def test_a_lock_that_comes_as_the_wait_is_given_up_is_given_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The native thread has it already when the green thread is killed."""
    with path.open("r+b") as file:
        fd = file.fileno()

        def killed(run: Callable[[], Any]) -> None:
            run()
            assert locks_of(path) == [(WRITE, 0, 5)]
            raise KeyboardInterrupt

        monkeypatch.setattr(filelock._lockers, "execute", killed, raising=False)
        wait = filelock._Wait(RECORD, fd, Part(0, 5, WRITE), lambda fd: record(fd, fcntl.LOCK_EX, 0, 5))
        with pytest.raises(KeyboardInterrupt):
            wait.wait()
        assert locks_of(path) == []


def test_a_record_lock_is_not_taken_through_a_number_that_is_another_files(path: Path, tmp_path: Path) -> None:
    gate = Gate()
    file = path.open("r+b")
    wait = filelock._Wait(RECORD, file.fileno(), Part(0, 5, WRITE), gate)
    file.close()
    with (tmp_path / "other").open("wb") as other:
        assert other.fileno() == wait.fd
        gate.open()
        wait._run()
        assert gate.fds == [-1]


@pytest.mark.parametrize("family", [WHOLE, OFD], ids=["flock", "OFD"])
def test_a_lock_of_a_description_is_given_back_as_well(family: Family, path: Path) -> None:
    with path.open("r+b") as file, path.open("r+b") as other:
        part = Part(0, END if family is WHOLE else 10, WRITE)
        gate = Gate(lambda fd: family.change(fd, part))
        kill(asking(family, file.fileno(), part, gate))
        gate.open()
        until_no_wait_is_left()
        family.change(other.fileno(), part)  # raises if it is not free


def test_a_lock_that_the_file_system_has_lost_is_no_error(path: Path) -> None:
    def lost(fd: int, part: Part) -> None:
        raise OSError(errno.EIO, "lost")

    gate = Gate()
    with path.open("r+b") as file:
        kill(asking(Family("POSIX", False, lost), file.fileno(), Part(0, 5, WRITE), gate))
        gate.open()
        until_no_wait_is_left()


# What the kernel knows


def test_what_an_owner_has_is_read_from_the_kernel(path: Path) -> None:
    with path.open("r+b") as file:
        fd = file.fileno()
        record(fd, fcntl.LOCK_EX, 10, 20)
        fcntl.lockf(fd, fcntl.LOCK_SH, 0, 50)
        parts = filelock._held(RECORD, fd, Part(0, 100, WRITE))
        found = sorted((part.start, part.end, part.type) for part in parts)
        assert found == [(0, 10, UNLOCKED), (10, 20, WRITE), (20, 50, UNLOCKED), (50, END, READ)]


def test_where_the_kernel_tells_nothing_nothing_is_held() -> None:
    parts = filelock._held(RECORD, 987, Part(0, 5, WRITE))
    assert [(part.start, part.end, part.type) for part in parts] == [(0, 5, UNLOCKED)]
    assert filelock._file_of(987) == (-1, -1)


@pytest.mark.parametrize("signal", [0, 10])
def test_two_descriptors_of_one_description_are_told_from_two_of_one_file(signal: int, path: Path) -> None:
    with path.open("r+b") as file, path.open("r+b") as other:
        fd = file.fileno()
        for sock in (file, other):
            fcntl.fcntl(sock, fcntl.F_SETSIG, signal)
        twin = os.dup(fd)
        try:
            assert filelock._same_description(fd, twin)
            assert not filelock._same_description(fd, other.fileno())
            assert fcntl.fcntl(fd, fcntl.F_GETSIG) == signal  # as it was
            fcntl.fcntl(other, fcntl.F_SETSIG, 12)
            assert not filelock._same_description(fd, other.fileno())
        finally:
            os.close(twin)


def test_owners_of_locks(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    with path.open("r+b") as file, path.open("r+b") as other, (tmp_path / "elsewhere").open("rb") as elsewhere:
        of_process = filelock._Wait(RECORD, file.fileno(), Part(0, 5, WRITE), Gate())
        assert of_process.is_owner(RECORD, other.fileno())
        assert not of_process.is_owner(RECORD, elsewhere.fileno())
        assert not of_process.is_owner(OFD, file.fileno())
        of_description = filelock._Wait(OFD, file.fileno(), Part(0, 5, WRITE), Gate())
        assert of_description.is_owner(OFD, file.fileno())
        assert not of_description.is_owner(OFD, other.fileno())
        os.close(of_description.fd)


def test_a_forked_child_closes_the_duplicates_and_forgets_the_waits(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with path.open("r+b") as file:
        waits = [filelock._Wait(family, file.fileno(), Part(0, 5, WRITE), Gate()) for family in (OFD, RECORD)]
        monkeypatch.setattr(filelock, "_waits", list(waits))
        filelock._after_fork_in_child()
        assert not filelock._waits
        with pytest.raises(OSError):
            os.fstat(waits[0].fd)
        os.fstat(file.fileno())
