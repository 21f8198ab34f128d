"""Waiting for several descriptors at once, also where epoll has no room for them, and for events of any kind."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from greening._core.current import current, get_hub
from greening._core.greenthread import kill
from greening._core.poller import IN, PRI
from greening.readiness import wait_any as room
from greening.readiness.select import select
from greening.readiness.wait_any import wait_any, wait_any_exactly
from greening.testing import fake_time, settle
from tests.descriptors import Ends, parked

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
    monkeypatch.setattr(room, "_epoll", None)
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
    monkeypatch.setattr(room, "_epoll", Full)
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
