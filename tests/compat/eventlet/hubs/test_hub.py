"""eventlet's hub, and the functions of `eventlet.hubs`: they move what greening's hub does."""

import errno
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from greening._core.current import get_hub as engine
from greening._core.greenthread import getcurrent, spawn
from greening._core.waiting import sleep
from greening._originals import monotonic
from greening.compat.eventlet import hubs
from greening.compat.eventlet.hubs import asyncio, epolls, poll, selects
from greening.compat.eventlet.hubs.hub import BaseHub
from greening.net.socket import GreenSocket
from greening.timeout import Timeout

Ends = tuple[GreenSocket, GreenSocket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    one, other = (GreenSocket(fileno=sock.detach()) for sock in socket.socketpair())
    with one, other, Timeout(5):
        yield one, other


def test_there_is_one_for_each_os_thread() -> None:
    others: list[BaseHub] = []
    thread = threading.Thread(target=lambda: others.append(hubs.get_hub()))
    thread.start()
    thread.join()
    assert hubs.get_hub() is hubs.get_hub()
    assert others[0] is not hubs.get_hub()
    assert hubs.get_hub().engine is engine()


def test_a_call_is_made_later_and_may_be_a_switch() -> None:
    hub, me = hubs.get_hub(), getcurrent()
    hub.schedule_call_global(0, me.switch, "value")
    assert hub.switch() == "value"


def test_a_call_may_be_a_throw() -> None:
    hub, me = hubs.get_hub(), getcurrent()
    hub.schedule_call_global(0.001, me.throw, KeyError("thrown"))
    with pytest.raises(KeyError, match="thrown"):
        sleep(5)


def test_a_cancelled_call_is_not_made() -> None:
    calls: list[int] = []
    hub = hubs.get_hub()
    before = hub.get_timers_count()
    timer = hub.schedule_call_global(5, calls.append, 1)
    assert hub.get_timers_count() == before + 1
    timer.cancel()
    assert hub.get_timers_count() == before


def test_a_local_call_ends_with_the_caller_and_a_global_one_does_not() -> None:
    calls: list[str] = []
    hub = hubs.get_hub()

    def caller() -> None:
        hub.schedule_call_local(0.001, calls.append, "local")
        hub.schedule_call_global(0.001, calls.append, "global")

    spawn(caller)
    sleep(0.01)
    assert calls == ["global"]


def test_a_timer_can_be_given_to_it() -> None:
    calls: list[int] = []
    due = hubs.get_hub().add_timer(hubs.hub.Timer(0, calls.append, 1))
    sleep(0)
    assert calls == [1]
    assert due <= hubs.get_hub().clock()


def test_those_who_wait_for_descriptors_are_listed(ends: Ends) -> None:
    hub = hubs.get_hub()
    thread = spawn(ends[0].recv, 1)
    assert ends[0].fileno() not in [one.fileno for one in hub.get_readers()]
    sleep(0)
    (reader,) = [one for one in hub.get_readers() if one.fileno == ends[0].fileno()]
    assert (reader.evtype, reader.greenlet) == (hub.READ, thread)
    assert ends[0].fileno() not in [one.fileno for one in hub.get_writers()]
    ends[1].sendall(b"x")
    assert thread.wait() == b"x"


def test_a_listener_is_added_and_removed(ends: Ends) -> None:
    hub = hubs.get_hub()
    listener = hub.add(hub.WRITE, ends[0].fileno(), getcurrent().switch, getcurrent().throw)
    try:
        assert hub.switch() == ends[0].fileno()
    finally:
        hub.remove(listener)
    hub.remove(listener)


@pytest.mark.parametrize("tell", ["notify_close", "mark_as_reopened", "remove_descriptor"])
def test_those_who_wait_for_a_closed_descriptor_get_an_error(ends: Ends, tell: str) -> None:
    thread = spawn(hubs.trampoline, ends[0], read=True)
    thread.quiet = True
    sleep(0)
    getattr(hubs.get_hub(), tell)(ends[0].fileno())
    with pytest.raises(hubs.IOClosed):
        thread.wait()


def test_abort_only_says_that_the_loop_does_not_run() -> None:
    hub, order = hubs.get_hub(), list[int]()
    spawn(order.append, 1)
    hub.abort(wait=True)
    assert (order, hub.running) == ([1], False)
    hub.schedule_call_global(0, getcurrent().switch)
    hub.switch()
    assert hub.running
    hub.ensure_greenlet()
    assert hub.greenlet is not getcurrent()


def test_it_runs_on_the_monotonic_clock_alone() -> None:
    assert BaseHub(monotonic).clock is BaseHub().clock
    with pytest.raises(ValueError, match="clock"):
        BaseHub(lambda: 0.0)


# -- The functions -----------------------------------------------------------------------------------------------------


def test_trampoline_waits_until_a_descriptor_is_ready(ends: Ends) -> None:
    hubs.trampoline(ends[0], write=True)
    spawn(ends[1].sendall, b"x")
    hubs.trampoline(ends[0].fileno(), read=True, timeout=5)
    assert ends[0].recv(1) == b"x"


def test_trampoline_raises_what_it_is_told_when_the_time_is_up(ends: Ends) -> None:
    with pytest.raises(Timeout):
        hubs.trampoline(ends[0], read=True, timeout=0.001)
    with pytest.raises(KeyError):
        hubs.trampoline(ends[0], read=True, timeout=0.001, timeout_exc=KeyError("late"))


def test_a_switch_ends_a_trampoline(ends: Ends) -> None:
    thread = spawn(hubs.trampoline, ends[0], read=True)
    sleep(0)
    hubs.get_hub().schedule_call_global(0, thread.switch)
    thread.wait()
    reader = spawn(ends[0].recv, 1)  # which only data end
    sleep(0)
    reader.switch()
    sleep(0)
    assert not reader.dead
    ends[1].send(b"x")
    assert reader.wait() == b"x"


def test_trampoline_tells_of_a_closed_descriptor(ends: Ends) -> None:
    told: list[str] = []
    closed = os.dup(ends[0].fileno())
    os.close(closed)
    with pytest.raises(hubs.IOClosed) as caught:
        hubs.trampoline(closed, read=True, mark_as_closed=lambda: told.append("closed"))
    assert (caught.value.errno, told) == (errno.EBADF, ["closed"])


@pytest.mark.parametrize("how", [{}, {"read": True, "write": True}])
def test_trampoline_waits_for_one_direction(ends: Ends, how: dict[str, bool]) -> None:
    with pytest.raises(RuntimeError, match="read=True or write=True"):
        hubs.trampoline(ends[0], **how)


@pytest.mark.parametrize("notify", [hubs.notify_close, hubs.notify_opened])
def test_notified_of_a_close_or_an_open_the_former_waiters_get_an_error(ends: Ends, notify) -> None:
    thread = spawn(hubs.trampoline, ends[0], read=True)
    thread.quiet = True
    sleep(0)
    notify(ends[0].fileno())
    with pytest.raises(hubs.IOClosed):
        thread.wait()


@pytest.mark.parametrize("name", [None, "epolls", "poll", "selects", "asyncio", epolls, poll.Hub, BaseHub])
def test_every_hub_of_eventlets_is_accepted(name: object) -> None:
    hubs.use_hub(name)
    assert isinstance(hubs.get_hub(), BaseHub)


def test_a_hub_may_be_named_with_its_module() -> None:
    hubs.use_hub("greening.compat.eventlet.hubs.selects:Hub")


def test_other_hubs_are_refused() -> None:
    with pytest.raises(RuntimeError, match="epolls"):
        hubs.use_hub(" ")
    with pytest.raises(ImportError):
        hubs.use_hub("pyevent")
    with pytest.raises(hubs.HubError, match="has its own"):
        hubs.use_hub(object)
    with pytest.raises(hubs.HubError, match="has its own"):
        hubs.use_hub("os:getcwd")


def test_the_modules_of_the_hubs_say_that_they_can_be_used() -> None:
    assert hubs.get_default_hub() is epolls
    for module in (epolls, poll, selects, asyncio):
        assert module.is_available()
        assert issubclass(module.Hub, BaseHub)
    assert poll.sleep is epolls.sleep is selects.sleep
