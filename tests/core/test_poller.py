"""Pollers, against real descriptors: both kinds keep the same promises."""

import errno
import os
import tempfile
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest

from greening._compiled import accelerator
from greening._core import poller as module
from greening._core.poller import FLOOR, HUP, IN, OUT, EpollPoller, PortablePoller, default_poller, high_duplicate

needs_epoll = pytest.mark.skipif(module._epoll is None, reason="there is no epoll here")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reads, writes = os.pipe()
    yield reads, writes
    for fd in (reads, writes):
        try:
            os.close(fd)
        except OSError:
            pass


@pytest.fixture(params=[pytest.param(EpollPoller, marks=needs_epoll), PortablePoller])
def poller(request: pytest.FixtureRequest) -> Iterator[Any]:
    poller = request.param()
    yield poller
    poller.close()


@pytest.fixture
def epoll() -> Iterator[EpollPoller]:
    if module._epoll is None:
        pytest.skip("there is no epoll here")
    poller = EpollPoller()
    yield poller
    poller.close()


def test_one_event_is_reported_until_it_is_armed_again(poller: Any, pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    poller.arm_once(reads, IN)
    assert poller.wait(0) == []
    os.write(writes, b"x")
    assert poller.wait(1) == [(reads, IN)]
    assert poller.wait(0) == []
    poller.arm_once(reads, IN)
    assert poller.wait(None) == [(reads, IN)]


def test_only_what_was_asked_for_is_reported(poller: Any, pipe: tuple[int, int]) -> None:
    _, writes = pipe
    poller.arm_once(writes, IN)
    assert poller.wait(0) == []
    poller.arm_once(writes, IN | OUT)
    assert poller.wait(0) == [(writes, OUT)]


def test_a_hang_up_is_reported_without_being_asked_for(poller: Any, pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    poller.arm_once(reads, IN)
    os.close(writes)
    assert poller.wait(1) == [(reads, HUP)]


def test_what_was_disarmed_is_not_reported(poller: Any, pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    os.write(writes, b"x")
    poller.arm_once(reads, IN)
    poller.disarm(reads)
    assert poller.wait(0) == []
    poller.disarm(reads)
    poller.disarm(1_000_000)
    os.close(reads)
    poller.disarm(reads)


@pytest.mark.parametrize("seconds", [0, 0.001, 0.03])
def test_a_wait_without_events_ends_in_time(poller: Any, pipe: tuple[int, int], seconds: float) -> None:
    poller.arm_once(pipe[0], IN)
    began = monotonic()
    assert poller.wait(seconds) == []
    assert monotonic() - began >= seconds * 0.9


@pytest.mark.parametrize("seconds", [1e9, float("inf")])
def test_a_wait_may_be_longer_than_the_kernel_can_count(poller: Any, pipe: tuple[int, int], seconds: float) -> None:
    reads, writes = pipe
    poller.arm_once(reads, IN)
    os.write(writes, b"x")
    assert poller.wait(seconds) == [(reads, IN)]


def test_a_poller_that_is_closed_can_be_closed_again(poller: Any, pipe: tuple[int, int]) -> None:
    poller.arm_once(pipe[0], IN)
    poller.close()
    poller.close()
    assert poller.fileno() == -1


# Edges


def test_an_edge_is_reported_once_for_each_change(epoll: EpollPoller, pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    epoll.arm_edge(reads)
    for _ in range(2):
        os.write(writes, b"x")
        assert epoll.wait(1) == [(reads, IN)]
        assert epoll.wait(0) == []
    epoll.arm_edge(reads)
    assert epoll.wait(0) == [(reads, IN)], "what is ready already is reported afresh"


def test_a_file_that_is_always_ready_cannot_be_armed(epoll: EpollPoller) -> None:
    with tempfile.TemporaryFile() as file:
        for arm in (epoll.arm_edge, lambda fd: epoll.arm_once(fd, IN)):
            with pytest.raises(PermissionError):
                arm(file.fileno())


def test_a_closed_descriptor_cannot_be_armed(epoll: EpollPoller, pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    for arm in (epoll.arm_edge, lambda fd: epoll.arm_once(fd, IN)):
        with pytest.raises(OSError) as caught:
            arm(pipe[0])
        assert caught.value.errno == errno.EBADF


def test_poll_has_no_edges() -> None:
    poller = PortablePoller()
    assert not poller.edge
    with pytest.raises(NotImplementedError):
        poller.arm_edge(0)


# Python's own calls, which a poller makes where there is no accelerator


@pytest.mark.skipif(accelerator is not None, reason="the accelerator makes the calls")
@pytest.mark.parametrize(
    ("timeout", "selected", "polled"),
    [(None, [], None), (0, [], 0), (0.001, [0.001], 0), (0.5, [], 0.5), (1e7, [], 1_000_000.0)],
)
def test_short_waits_count_microseconds_and_long_ones_are_cut(
    epoll: EpollPoller,
    monkeypatch: pytest.MonkeyPatch,
    timeout: float | None,
    selected: list[float],
    polled: float | None,
) -> None:
    waits: list[float] = []
    polls: list[object] = []
    monkeypatch.setattr(module, "_real_select", lambda reads, writes, odd, seconds: waits.append(seconds))
    epoll._poll = lambda seconds, events: polls.append(seconds) or []  # type: ignore[assignment, func-returns-value]
    assert epoll.wait(timeout) == []
    assert (waits, polls) == (selected, [polled])


@pytest.mark.skipif(accelerator is not None, reason="the accelerator makes the calls")
def test_a_number_that_select_cannot_look_at_is_waited_for_in_milliseconds(
    epoll: EpollPoller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise ValueError("filedescriptor out of range in select()")

    monkeypatch.setattr(module, "_real_select", refuse)
    monkeypatch.setattr(module, "_FD_SETSIZE", epoll.fileno())
    assert epoll.wait(0.001) == []


# Which numbers, and which poller


def test_the_engines_descriptors_have_numbers_that_programs_do_not_count_on(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]
) -> None:
    fd = high_duplicate(pipe[0])
    assert fd is not None and fd >= FLOOR
    assert not os.get_inheritable(fd)
    os.close(fd)
    monkeypatch.setattr(module, "FLOOR", 1 << 30)
    assert high_duplicate(pipe[0]) is None


@needs_epoll
def test_only_the_changes_that_were_asked_for_are_reported() -> None:
    poller, fd = EpollPoller(), os.eventfd(0)
    poller.arm_edge(fd, IN)
    assert poller.wait(0) == []
    for _ in range(2):
        os.eventfd_write(fd, 1)
        assert poller.wait(1) == [(fd, IN)]
        os.eventfd_read(fd)
        assert poller.wait(0) == []  # to take the counter makes it writable
    poller.arm_edge(fd)
    assert poller.wait(0) == [(fd, OUT)]
    poller.close()
    os.close(fd)


@needs_epoll
def test_where_the_limit_is_low_an_epoll_set_keeps_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "high_duplicate", lambda fd: None)
    poller = EpollPoller()
    assert 0 <= poller.fileno() < FLOOR
    poller.close()


def test_the_portable_poller_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GREENING_POLLER", raising=False)
    usual = default_poller()
    usual.close()
    assert isinstance(usual, EpollPoller if module._epoll is not None else PortablePoller)
    monkeypatch.setenv("GREENING_POLLER", "poll")
    assert isinstance(default_poller(), PortablePoller)
    monkeypatch.delenv("GREENING_POLLER")
    monkeypatch.setattr(module, "_epoll", None)
    assert isinstance(default_poller(), PortablePoller)
