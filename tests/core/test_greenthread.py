"""Green threads as other OS threads, signal handlers and the engine itself see them."""

import errno
import select
from collections.abc import Callable
from typing import Any

import pytest

from greening._core import greenthread
from greening._core.current import current
from greening._core.greenthread import GreenThread, kill, spawn, spawn_after, throw_into
from greening._core.task import DEAD, Task
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.testing import Fake, FakePoller, fake_time, settle


def error_of(func: Callable[..., object], *args: object) -> BaseException | None:
    """What `func(*args)` raises."""
    try:
        func(*args)
    except BaseException as error:  # whatever it is: it is the result
        return error
    return None


def test_one_that_has_ended_can_be_made(fake: Fake[FakePoller]) -> None:
    thread = GreenThread.ended(fake.hub, 5)
    assert (thread.wait(), thread.dead, bool(thread), thread.state) == (5, True, False, DEAD)
    linked: list[object] = []
    thread.link(linked.append)
    assert linked == [thread]
    assert not fake.hub.ready


def test_one_that_has_ended_cannot_be_lost(fake: Fake[FakePoller]) -> None:
    thread = spawn(int, 5)
    thread.wait()
    thread.orphan("its OS thread has ended")
    assert thread.wait() == 5


@pytest.mark.parametrize("how", [kill, throw_into, lambda thread, error: thread.kill(error)])
def test_another_os_thread_may_kill(in_os_thread: Callable[..., Any], how: Callable[..., Any]) -> None:
    with fake_time(patience=0.001):
        thread = spawn(error_of, sleep, 1000)
        settle()
        error = LookupError("from afar")
        in_os_thread(how, thread, error)
        assert not thread.dead, "the caller does not wait for it"
        assert thread.wait() is error


def test_another_os_thread_may_cancel_what_has_not_begun(in_os_thread: Callable[..., Any]) -> None:
    with fake_time(patience=0.001):
        ran: list[int] = []
        later, begun = spawn_after(1000, ran.append, 1), spawn(sleep, 1)
        settle()
        in_os_thread(later.cancel)
        in_os_thread(begun.cancel)
        with pytest.raises(GreenletExit):
            later.wait()
        assert begun.wait() is None
        assert ran == []


def test_an_error_is_thrown_without_a_switch(fake: Fake[FakePoller]) -> None:
    thread = spawn(error_of, sleep, 1000)
    settle()
    error = LookupError()
    throw_into(thread, error)
    assert not thread.dead
    assert thread.wait() is error


def test_a_dead_task_is_not_killed(fake: Fake[FakePoller]) -> None:
    task = Task(fake.hub)
    task.state = DEAD
    kill(task)
    assert task.error is None
    assert not fake.hub.ready


@pytest.mark.parametrize("start", [spawn, greenthread.spawn_n])
def test_a_thread_that_a_signal_handler_starts_ends_the_sleep_of_the_hub(
    fake: Fake[FakePoller], start: Callable[..., GreenThread[Any]]
) -> None:
    """The handler runs in the OS thread of the hub, which sleeps."""
    fake.hub.awake_ident, awake = 0, fake.hub.awake_ident
    thread = start(int)
    fake.hub.awake_ident = awake
    assert select.select([fake.hub.wakeup.fileno()], (), (), 0)[0], "the hub is notified"
    fake.hub.wakeup.drain()
    thread.wait()


def test_an_unhandled_error_whose_hook_ends_the_program_reaches_main(
    fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(args: object) -> None:
        raise SystemExit(3)

    def fail() -> None:
        raise OSError(errno.EIO, "odd")

    monkeypatch.setattr("threading.excepthook", leave)
    thread = spawn(fail)
    with pytest.raises(SystemExit):
        Event().wait()
    with pytest.raises(OSError, match="odd"):
        thread.wait()


def test_a_link_is_taken_back_only_where_there_is_one(fake: Fake[FakePoller]) -> None:
    thread = spawn(int)
    assert not thread.unlink(print)
    thread.link(print, 1)
    assert not thread.unlink(print, 2)
    assert thread.unlink(print, 1)
    thread.wait()
    assert not thread.unlink(print, 1)
    assert current() is fake.hub.main
