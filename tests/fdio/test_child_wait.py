"""Waiting for children: one, any, in groups, stopped ones; killed waiters; no pidfd."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from greening._core.greenthread import kill, spawn
from greening.fdio import child_wait as child
from greening.testing import wait_until_parked

# The native threads that wait for children may be there while another one is made.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

Start = Callable[..., "Child"]


class Child:
    """A process that ends with `code` when it is told to."""

    def __init__(self, code: int = 0) -> None:
        reader, self.writer = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self.writer)
            os.read(reader, 1)
            os._exit(code)
        os.close(reader)

    def end(self) -> None:
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def kill(self) -> None:
        self.end()
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except OSError:
            pass


@pytest.fixture
def start() -> Iterator[Start]:
    children: list[Child] = []

    def start_one(code: int = 0) -> Child:
        children.append(Child(code))
        return children[-1]

    yield start_one
    for one in children:
        one.kill()


def test_waitpid_parks_until_the_child_has_ended(start: Start) -> None:
    one = start(3)
    thread = spawn(child.waitpid, one.pid, 0)
    wait_until_parked(thread)
    one.end()
    assert thread.wait(5) == (one.pid, 3 << 8)


def test_ended_already(start: Start) -> None:
    one = start(4)
    one.end()
    os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
    assert child.wait_exit(one.pid)
    assert child.waitpid(one.pid, os.WNOHANG) == (one.pid, 4 << 8)
    assert child.wait_exit(one.pid)


def test_wait_exit_times_out(start: Start) -> None:
    one = start()
    before = time.monotonic()
    assert not child.wait_exit(one.pid, 0.02)
    assert 0.019 < time.monotonic() - before < 2
    one.end()
    assert child.wait_exit(one.pid, 5)


def test_without_pidfd(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_pidfd_open", None)
    one = start(2)
    assert not child.wait_exit(one.pid, 0.01)
    thread = spawn(child.waitpid, one.pid, 0)
    wait_until_parked(thread)
    one.end()
    assert thread.wait(5) == (one.pid, 2 << 8)


def test_a_sandbox_that_forbids_pidfd(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(pid: int) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(child, "_pidfd_open", forbidden)
    one = start(2)
    one.end()
    assert child.waitpid(one.pid, 0) == (one.pid, 2 << 8)


def test_any_child(start: Start) -> None:
    one, two = start(1), start(2)
    thread = spawn(child.waitpid, -1, 0)
    wait_until_parked(thread)
    two.end()
    assert thread.wait(5) == (two.pid, 2 << 8)
    one.end()
    assert child.wait3(0)[:2] == (one.pid, 1 << 8)


def test_two_threads_that_wait_for_any_child_get_one_each(start: Start) -> None:
    one, two = start(1), start(2)
    threads = [spawn(child.waitpid, -1, 0), spawn(child.wait4, -1, 0)]
    for thread in threads:
        wait_until_parked(thread)
    one.end()
    two.end()
    assert {thread.wait(5)[:2] for thread in threads} == {(one.pid, 1 << 8), (two.pid, 2 << 8)}


def test_a_waiter_that_is_killed_takes_no_child_with_it(start: Start) -> None:
    one = start(5)
    thread = spawn(child.waitpid, -1, 0)
    wait_until_parked(thread)
    kill(thread)
    one.end()
    assert child.waitpid(-1, 0) == (one.pid, 5 << 8)


def test_the_process_group(start: Start) -> None:
    one = start(6)
    thread = spawn(child.waitpid, 0, 0)
    wait_until_parked(thread)
    one.end()
    assert thread.wait(5) == (one.pid, 6 << 8)
    two = start(7)
    two.end()
    assert child.waitpid(-os.getpgrp(), 0) == (two.pid, 7 << 8)


def test_a_child_that_stops(start: Start) -> None:
    one = start()
    thread = spawn(child.waitpid, one.pid, os.WUNTRACED)
    wait_until_parked(thread)
    os.kill(one.pid, signal.SIGSTOP)
    assert os.WIFSTOPPED(thread.wait(5)[1])
    os.kill(one.pid, signal.SIGCONT)
    assert child.waitid(os.P_PID, one.pid, os.WCONTINUED).si_pid == one.pid


def test_waitid(start: Start) -> None:
    one = start(8)
    assert child.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOHANG) is None
    thread = spawn(child.waitid, os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
    wait_until_parked(thread)
    one.end()
    assert thread.wait(5).si_status == 8
    assert child.waitid(os.P_ALL, 0, os.WEXITED).si_status == 8


def test_waitid_of_a_pidfd(start: Start) -> None:
    one = start(9)
    fd = os.pidfd_open(one.pid)
    try:
        thread = spawn(child.waitid, os.P_PIDFD, fd, os.WEXITED)
        wait_until_parked(thread)
        one.end()
        assert thread.wait(5).si_status == 9
    finally:
        os.close(fd)


def test_wait4_has_the_usage_of_resources(start: Start) -> None:
    one = start(1)
    one.end()
    pid, status, usage = child.wait4(one.pid, 0)
    assert (pid, status) == (one.pid, 1 << 8)
    assert usage.ru_maxrss > 0


def test_errors() -> None:
    for call in (
        lambda: child.waitpid(-1, 0),
        lambda: child.wait3(0),
        lambda: child.wait4(-1, 0),
        lambda: child.waitid(os.P_ALL, 0, os.WEXITED),
        lambda: child.waitpid(os.getppid(), 0),
    ):
        with pytest.raises(ChildProcessError):
            call()
    with pytest.raises(TypeError):
        child.waitpid("1", 0)  # type: ignore[arg-type]  # that is the test
    with pytest.raises(TypeError):
        child.waitpid(1, "0")  # type: ignore[arg-type]  # likewise
    with pytest.raises(OSError):
        child.waitpid(-1, 1 << 20)


def test_from_a_native_thread(start: Start) -> None:
    one, two = start(1), start(2)
    got: list[object] = []
    timed_out = threading.Event()

    def wait() -> None:
        got.append(child.wait_exit(one.pid, 0.01))
        timed_out.set()
        got.append(child.waitpid(one.pid, 0)[1])
        got.append(child.waitpid(-1, 0)[1])

    thread = threading.Thread(target=wait)
    thread.start()
    timed_out.wait(5)
    one.end()
    two.end()
    thread.join(5)
    assert got == [False, 1 << 8, 2 << 8]


def test_no_descriptor_is_left_behind(start: Start) -> None:
    one = start()
    before = os.listdir("/proc/self/fd")
    thread = spawn(child.waitpid, one.pid, 0)
    wait_until_parked(thread)
    kill(thread)
    child.wait_exit(one.pid, 0.001)
    assert os.listdir("/proc/self/fd") == before
