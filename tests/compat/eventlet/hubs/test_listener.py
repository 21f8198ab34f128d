"""Listeners of a hub: they call back when a descriptor is ready, until they are removed or it is closed."""

import errno
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from greening._core.greenthread import getcurrent, spawn
from greening._core.suspend import suspend
from greening._core.waiting import forget_fd, sleep
from greening.compat.eventlet.hubs.listener import READ, WRITE, FdListener, IOClosed, Watch, closed_callback
from greening.sync.event import Event
from greening.timeout import Timeout


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other, Timeout(5):
        yield one, other


def test_it_calls_back_each_time_until_it_is_removed(ends: tuple[socket.socket, socket.socket]) -> None:
    got: list[tuple[int, bytes]] = []
    came = Event()

    def ready(fd: int) -> None:
        got.append((fd, os.read(fd, 10)))
        came.send()

    watch = Watch(set(), READ, ends[0].fileno(), ready, None, None)
    for text in (b"one", b"two"):
        os.write(ends[1].fileno(), text)
        came.wait()
        came.reset()
    watch.remove()
    watch.remove()
    os.write(ends[1].fileno(), b"three")
    sleep(0.01)
    assert got == [(ends[0].fileno(), b"one"), (ends[0].fileno(), b"two")]


def test_it_may_resume_a_green_thread_by_its_switch(ends: tuple[socket.socket, socket.socket]) -> None:
    fd = ends[0].fileno()
    watch = Watch(set(), WRITE, fd, getcurrent().switch, None, None)
    assert suspend() == fd
    watch.remove()


def test_it_may_remove_itself(ends: tuple[socket.socket, socket.socket]) -> None:
    calls: list[int] = []

    def once(fd: int) -> None:
        calls.append(fd)
        watch.remove()

    watch = Watch(set(), WRITE, ends[0].fileno(), once, None, None)
    assert watch.greenlet is not None
    watch.greenlet.wait()  # type: ignore[attr-defined]  # a green thread
    assert calls == [ends[0].fileno()]


def test_a_closed_descriptor_is_told_of(ends: tuple[socket.socket, socket.socket]) -> None:
    told: list[Any] = []
    watch = Watch(set(), READ, ends[0].fileno(), told.append, told.append, lambda: told.append("closed"))
    sleep(0)
    forget_fd(ends[0].fileno())
    watch.greenlet.wait()  # type: ignore[union-attr]  # a green thread
    assert told[0] == "closed"
    assert isinstance(told[1], IOClosed)
    assert told[1].errno == errno.ENOTCONN


def test_an_error_of_the_callback_ends_it(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[Any] = []
    monkeypatch.setattr("threading.excepthook", reported.append)
    watch = Watch(set(), WRITE, ends[0].fileno(), lambda fd: 1 // 0, None, None)
    with pytest.raises(ZeroDivisionError):
        watch.greenlet.wait()  # type: ignore[union-attr]  # a green thread
    assert len(reported) == 1


def test_another_kind_of_event_is_refused() -> None:
    with pytest.raises(ValueError, match="'except'"):
        FdListener("except", 0)


def test_it_shows_who_waits_and_where(ends: tuple[socket.socket, socket.socket]) -> None:
    thread = spawn(suspend)
    sleep(0)
    listener = FdListener(READ, 3, greenlet=thread)
    assert repr(listener).startswith("FdListener('read', 3, <GreenThread")
    assert "suspend" in listener.stack()
    assert FdListener(READ, 3).stack() == ""
    thread.kill()


def test_one_whose_descriptor_is_closed_says_so_once() -> None:
    told: list[str] = []
    listener = FdListener(READ, 3, print, print, lambda: told.append("closed"))
    assert (listener.cb, listener.tb, listener.spent) == (print, print, False)
    listener.defang()
    listener.defang()
    assert (listener.cb, listener.spent, told) == (closed_callback, True, ["closed"])
    closed_callback(3)


def test_it_is_among_the_watches_of_its_hub_as_long_as_it_calls_back(ends: tuple[socket.socket, socket.socket]) -> None:
    watches: set[FdListener] = set()
    removed = Watch(watches, READ, ends[0].fileno(), print, None, None)
    failed = Watch(watches, WRITE, ends[0].fileno(), lambda fd: suspend(), None, None)
    assert watches == {removed, failed}
    removed.remove()
    assert watches == {failed}
    sleep(0)
    failed.greenlet.kill()  # type: ignore[union-attr]  # a green thread
    assert watches == set()
