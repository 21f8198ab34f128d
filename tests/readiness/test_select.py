"""select: the real one's answers, while others run."""

import errno
import os
import resource
import select as stdlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greening._core.current import current, get_hub
from greening._core.greenthread import kill, spawn
from greening._core.slices import TRIES
from greening._core.waiting import forget_fd
from greening.readiness import select as net
from greening.readiness import select as select_room
from greening.readiness.select import select, wait_any, wait_any_exactly
from greening.testing import fake_time, settle
from tests.descriptors import Ends, parked

IN, PRI, OUT = stdlib.POLLIN, stdlib.POLLPRI, stdlib.POLLOUT

Pair = tuple[socket.socket, socket.socket]


def outcome(call: Callable[..., object], *args: object) -> object:
    try:
        return call(*args)
    except (ArithmeticError, BufferError, LookupError, OSError, TypeError, ValueError) as error:
        return type(error), str(error)


def test_select_parks_until_something_is_ready(pair: Pair) -> None:
    a, b = pair
    thread = parked(net.select, [a], [], [])
    b.send(b"x")
    assert thread.wait(5) == ([a], [], [])


def test_select_reports_every_descriptor_that_is_ready(pair: Pair) -> None:
    a, b = pair
    c, d = socket.socketpair()
    with c, d:
        thread = parked(net.select, [a, c.fileno(), a], [], [])
        b.send(b"x")
        d.send(b"x")
        assert thread.wait(5) == ([a, c.fileno(), a], [], [])
        assert net.select([a, c], [b, d], [a], 5) == ([a, c], [b, d], [])


def test_select_times_out(pair: Pair) -> None:
    before = time.monotonic()
    assert net.select([pair[0]], [], [pair[1]], 0.02) == ([], [], [])
    assert 0.0199 <= time.monotonic() - before < 1


def test_select_of_nothing_is_a_sleep() -> None:
    before = time.monotonic()
    assert net.select([], [], [], 0.01) == ([], [], [])
    assert time.monotonic() - before >= 0.0099


def test_urgent_data_is_no_false_alarm_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for data while urgent data is there must neither end nor spin."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        a = socket.create_connection(server.getsockname())
        b, _ = server.accept()
        with a, b:
            a.send(b"!", socket.MSG_OOB)
            assert net.select([], [], [b], 5) == ([], [], [b])
            looks = []

            def look(*args: Any) -> net.Found:
                looks.append(args)
                return stdlib.select(*args)

            monkeypatch.setattr(net, "_real_select", look)
            thread = parked(net.select, [b], [], [])
            settle()
            assert thread
            a.send(b"x")
            assert thread.wait(5) == ([b], [], [])
            assert len(looks) < 5


def test_only_exceptional_conditions(pair: Pair) -> None:
    a, b = pair
    b.send(b"ordinary")
    assert net.select([], [], [a], 0.01) == ([], [], [])


def test_select_takes_any_iterable(pair: Pair) -> None:
    a, b = pair
    thread = parked(net.select, iter([a]), (), {b: 1}.keys())
    b.send(b"x")
    assert thread.wait(5) == ([a], [], [])


def test_closing_ends_a_select(pair: Pair) -> None:
    a, b = pair
    thread = parked(outcome, net.select, [a, b], [], [])
    forget_fd(a.fileno())
    a.close()
    kind, text = thread.wait(5)
    assert (kind, text.partition(": ")[0]) == (OSError, f"[Errno {errno.EBADF}] Bad file descriptor")


def test_a_killed_select_leaves_nothing_behind(ends: tuple[int, int]) -> None:
    reader, writer = ends
    kill(parked(net.select, [reader], [], [writer]))
    assert not get_hub().regs.keys() & {reader, writer}


def test_two_selects_share_a_descriptor(ends: tuple[int, int]) -> None:
    reader, writer = ends
    first, second = parked(net.select, [reader], [], []), parked(net.select, [reader], [], [], 5)
    os.write(writer, b"x")
    assert first.wait(5) == second.wait(5) == ([reader], [], [])


class NoNumber:
    def fileno(self) -> str:
        return "number"


ODD = [
    ([], [], [], -1),
    ([], [], [], "soon"),
    ([], [], [], float("nan")),
    ([], [], [], 1e12),
    (1, [], [], 1),
    ([object()], [], [], 1),
    ([NoNumber()], [], [], 1),
    ([-1], [], [], 1),
    ([999], [], [], 1),
    ([socket.socket], [], [], 0),
]


@pytest.mark.parametrize("args", ODD)
def test_odd_arguments_fail_as_the_stdlibs(args: Any) -> None:
    assert outcome(net.select, *args) == outcome(stdlib.select, *args)


def test_numbers_beyond_the_limit_of_select(pair: Pair) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1600), hard))
    a, b = pair
    high = 1500
    os.dup2(a.fileno(), high)
    try:
        with pytest.raises(ValueError):
            stdlib.select([high], [], [], 0)
        assert net.select([high], [high], [b], 5) == ([], [high], [])
        assert net.select([high], [], [], 0.01) == ([], [], [])
        thread = parked(net.select, [high, b], [], [])
        b.send(b"x")
        assert thread.wait(5) == ([high], [], [])
        os.close(high)
        assert outcome(net.select, [high], [], [], 5) == (OSError, f"[Errno {errno.EBADF}] Bad file descriptor")
        with pytest.raises(ValueError):
            net.select([high, -1], [], [], 5)
    finally:
        try:
            os.close(high)
        except OSError:
            pass
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slices_end
def test_no_other_thread_is_starved_by_what_is_always_ready(pair: Pair) -> None:
    a, _ = pair
    other = spawn(lambda: None)
    for _ in range(TRIES):
        net.select([], [a], [], 1)
        if other.dead:
            return
    pytest.fail(f"{TRIES} successes in a row, and no other thread ran")


@pytest.mark.slices_end
def test_looks_with_timeout_zero_let_others_run_in_the_end(pair: Pair) -> None:
    a, b = pair
    looks: list[Callable[[], object]] = [lambda: net.select([a], [], [], 0), lambda: net.select([a], [b], [], 0.0)]
    for look in looks:
        other = spawn(lambda: None)
        for _ in range(TRIES):
            look()
            if other.dead:
                break
        assert other.dead


def test_in_a_native_thread_without_a_hub_it_blocks(pair: Pair) -> None:
    a, b = pair
    got: list[object] = []
    timed_out = threading.Event()

    def work() -> None:
        got.append(net.select([a], [], [], 0.001))
        timed_out.set()
        got.append(net.select([a], [], []))

    thread = threading.Thread(target=work)
    thread.start()
    timed_out.wait(5)
    b.send(b"x")
    thread.join(5)
    assert got == [([], [], []), ([a], [], [])]


def test_a_closed_file_is_the_stdlibs_error(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        pass
    assert outcome(net.select, [file], [], [], 1) == outcome(stdlib.select, [file], [], [], 1)
    assert outcome(net.select, [file], [], [])[0] is ValueError  # type: ignore[index]  # an error


# Several descriptors at once

NoRoom = Callable[[str, int], list[int]]


def waiting(exactly: bool, *wants: tuple[int, int], seconds: float | None = None) -> bool:
    task = current()
    deadline = None if seconds is None else task.hub.now() + seconds
    return (wait_any_exactly if exactly else wait_any)(task, wants, deadline)


@pytest.mark.parametrize("exactly", [False, True])
def test_the_first_of_several_descriptors_wakes_the_caller(ends: Ends, exactly: bool) -> None:
    reader, writer = ends
    other, silent = os.pipe()
    try:
        thread = parked(waiting, exactly, (other, IN), (reader, IN))
        os.write(writer, b"x")
        assert thread.wait(5) is True
    finally:
        os.close(other)
        os.close(silent)


@pytest.mark.parametrize("exactly", [False, True])
def test_it_is_false_when_the_deadline_has_passed(ends: Ends, exactly: bool) -> None:
    with fake_time() as fake:
        before = fake.clock.now()
        assert waiting(exactly, (ends[0], IN), seconds=3) is False
        assert fake.clock.now() - before == 3


@pytest.mark.parametrize("mask", [0, PRI])
def test_data_is_no_event_when_it_was_not_asked_for(ends: Ends, mask: int) -> None:
    reader, writer = ends
    thread = parked(waiting, True, (reader, mask))
    os.write(writer, b"not asked for")
    settle()
    assert not thread.dead
    os.close(writer)  # a hang-up is always reported
    assert thread.wait(5) is True


def test_a_wait_without_epoll_takes_a_look_for_data(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select_room, "_epoll", None)
    reader, writer = ends
    thread = parked(waiting, True, (reader, 0))
    os.write(writer, b"x")
    assert thread.wait(5) is True


def test_a_file_that_epoll_does_not_take_is_passed_over(ends: Ends, tmp_path: Path) -> None:
    reader, writer = ends
    with (tmp_path / "file").open("wb") as file:
        thread = parked(waiting, True, (file.fileno(), PRI), (reader, IN))
        os.write(writer, b"x")
        assert thread.wait(5) is True


@pytest.mark.parametrize("exactly", [False, True])
def test_a_bad_descriptor_is_an_error(exactly: bool) -> None:
    with pytest.raises(OSError) as caught:
        waiting(exactly, (999, IN))
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("exactly", [False, True])
def test_without_room_in_epoll_it_says_after_a_moment_that_the_caller_should_look(
    ends: Ends, no_room: NoRoom, exactly: bool
) -> None:
    failed = no_room("arm_once", 1)
    with fake_time():
        assert waiting(exactly, (ends[0], IN)) is True
    assert failed


def test_without_room_in_its_own_epoll_set_it_says_after_a_moment_that_the_caller_should_look(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def register(self, fd: int, mask: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def close(self) -> None:
            closed.append(self)

    closed: list[Full] = []
    monkeypatch.setattr(select_room, "_epoll", Full)
    with fake_time() as fake:
        before = fake.clock.now()
        assert waiting(True, (ends[0], IN), seconds=5) is True
        assert before < fake.clock.now() < before + 5
    assert closed


def test_a_wait_that_is_killed_leaves_nothing_behind(ends: Ends) -> None:
    before = os.listdir("/proc/self/fd")
    kill(parked(waiting, True, (ends[0], PRI), (ends[1], PRI)))
    assert os.listdir("/proc/self/fd") == before
    assert not get_hub().regs.keys() & set(ends)


def test_a_descriptor_that_needs_no_room_without_us_needs_none_with_us(ends: Ends, no_room: NoRoom) -> None:
    failed = no_room("arm_once", 2)
    thread = parked(lambda: select([ends[0]], [], [], 5)[0])
    os.write(ends[1], b"x")
    assert thread.wait(5) == [ends[0]]
    assert failed
