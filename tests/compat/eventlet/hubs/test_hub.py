"""eventlet's hub, and the functions of `eventlet.hubs`: they move what greening's hub does."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from types import ModuleType

import pytest

from greening._core.current import get_hub as engine
from greening._core.greenthread import getcurrent, spawn
from greening._core.waiting import sleep
from greening._originals import monotonic
from greening.compat.eventlet import hubs
from greening.compat.eventlet.hubs import asyncio, epolls, poll, selects
from greening.compat.eventlet.hubs.hub import BaseHub
from greening.net.socket import GreenSocket
from greening.readiness import select
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
    hub, me = hubs.get_hub(), getcurrent()
    hub.schedule_call_global(0.001, calls.append, 1).cancel()
    hub.schedule_call_global(0.002, me.switch)
    hub.switch()
    assert calls == []


def test_cancelled_timers_are_counted_and_do_not_pile_up() -> None:
    hub = hubs.get_hub()
    count, cancelled = hub.get_timers_count(), hub.timers_canceled
    timer = hub.schedule_call_global(60, print)
    assert (hub.get_timers_count(), hub.timers_canceled) == (count + 1, cancelled)
    timer.cancel()
    assert (hub.get_timers_count(), hub.timers_canceled) == (count + 1, cancelled + 1)
    for _ in range(2000):
        hub.schedule_call_global(60, print).cancel()
        assert hub.timers_canceled <= hub.get_timers_count()
    assert hub.get_timers_count() <= count + 1000


def test_half_of_the_timers_may_be_cancelled_ones() -> None:
    hub = hubs.get_hub()
    kept = [hub.schedule_call_global(60, print) for _ in range(2000)]
    cancelled = hub.timers_canceled
    for _ in range(1000):
        hub.schedule_call_global(60, print).cancel()
    assert hub.timers_canceled == cancelled + 1000
    for timer in kept:
        timer.cancel()
    assert hub.timers_canceled < 1000


def test_a_local_call_ends_with_the_caller_and_a_global_one_does_not() -> None:
    calls: list[str] = []
    hub = hubs.get_hub()

    def caller() -> None:
        hub.schedule_call_local(0.001, calls.append, "local")
        hub.schedule_call_global(0.001, calls.append, "global")

    spawn(caller)
    with Timeout(5):
        while not calls:  # the local one would have come first
            sleep(0.001)
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


def test_abort_ends_a_switch_of_the_main_greenlet_and_of_nobody_else() -> None:
    hub = hubs.get_hub()
    other = spawn(hub.switch)
    sleep(0)
    hub.schedule_call_global(0.001, hub.abort)
    assert hub.switch() is None
    assert (hub.running, other.dead) == (False, False)
    other.switch("value")
    assert other.wait() == "value"
    hub.abort()
    sleep(0)


@pytest.mark.parametrize("tell", ["notify_close", "mark_as_reopened", "remove_descriptor"])
def test_those_who_asked_for_it_are_told_at_once_of_a_closed_descriptor(ends: Ends, tell: str) -> None:
    order: list[str] = []
    thread = spawn(hubs.trampoline, ends[0], read=True, mark_as_closed=lambda: order.append("marked"))
    thread.quiet = True
    thread.link(lambda _: order.append("raised"))
    sleep(0)
    getattr(hubs.get_hub(), tell)(ends[0].fileno())
    order.append("told")
    with pytest.raises(hubs.IOClosed) as caught:
        thread.wait()
    assert caught.value.errno == errno.ENOTCONN
    assert order == ["marked", "told", "raised"]


def test_a_select_ends_when_one_of_its_descriptors_is_another_files_now(ends: Ends) -> None:
    number = os.dup(ends[0].fileno())
    try:
        thread = spawn(select.select, [number, ends[1]], [], [number])
        thread.quiet = True
        sleep(0)
        hubs.notify_opened(number)
        with pytest.raises(hubs.IOClosed):
            thread.wait()
    finally:
        os.close(number)


def test_those_who_wait_for_a_green_socket_get_the_error_of_the_stdlib(ends: Ends) -> None:
    thread = spawn(ends[0].recv, 1)
    thread.quiet = True
    sleep(0)
    hubs.notify_opened(ends[0].fileno())
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        thread.wait()
    assert not isinstance(caught.value, hubs.IOClosed)


@pytest.mark.parametrize("started", [False, True])
def test_a_listener_hears_of_a_closed_descriptor_and_calls_back_no_more(ends: Ends, started: bool) -> None:
    hub, order, other = hubs.get_hub(), list[str](), ends[1].fileno()
    ends[1].sendall(b"x")
    kept = hub.add(hub.WRITE, other, lambda fd: order.append("other") or hub.remove(kept))
    listener = hub.add(
        hub.READ,
        ends[0].fileno(),
        lambda fd: order.append("ready"),
        lambda error: order.append(type(error).__name__),
        lambda: order.append("marked"),
    )
    if started:
        ends[0].recv(1)
        sleep(0)
        order.clear()
    hub.mark_as_reopened(ends[0].fileno())
    assert (order, listener.spent) == (["marked"], True)
    sleep(0)
    assert [one for one in order if one != "other"] == ["marked", "IOClosed"]
    hub.remove(listener)


def test_listeners_of_a_removed_descriptor_are_only_removed(ends: Ends) -> None:
    hub, order = hubs.get_hub(), list[object]()
    hub.add(hub.WRITE, ends[0].fileno(), order.append, order.append, lambda: order.append("marked"))
    hub.remove_descriptor(ends[0].fileno())
    sleep(0.001)
    assert order == []


def test_it_has_switches_for_debugging() -> None:
    hub = hubs.get_hub()
    hub.set_timer_exceptions(False)
    assert not hub.debug_exceptions
    hub.set_timer_exceptions(True)
    assert hub.debug_exceptions
    hub.set_debug_listeners(True)
    assert hub.listener_stacks
    hub.set_debug_listeners(False)
    assert not hub.listener_stacks


def test_abort_only_says_that_the_loop_does_not_run() -> None:
    hub, order = hubs.get_hub(), list[int]()
    spawn(order.append, 1)
    hub.abort(wait=True)
    assert (order, hub.running, hub.stopping) == ([1], False, False)
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
    assert hubs.trampoline(ends[0], write=True) == ends[0].fileno()
    spawn(ends[1].sendall, b"x")
    assert hubs.trampoline(ends[0].fileno(), read=True, timeout=5, mark_as_closed=print) == ends[0].fileno()
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
    assert (caught.value.errno, told) == (errno.ENOTCONN, ["closed"])


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


@pytest.fixture
def chosen() -> Iterator[None]:
    """What a test chooses ends with it."""
    before = hubs.get_hub()
    yield
    hubs.use_hub()
    hubs._threadlocal.hub = before


class Derived(epolls.Hub):
    """Somebody's own."""


@pytest.mark.usefixtures("chosen")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (None, epolls.Hub),
        ("epolls", epolls.Hub),
        ("poll", poll.Hub),
        ("asyncio", asyncio.Hub),
        (selects, selects.Hub),
        (poll.Hub, poll.Hub),
        (Derived, Derived),
        ("greening.compat.eventlet.hubs.selects:Hub", selects.Hub),
        ("greening.compat.eventlet.hubs.selects", selects.Hub),
    ],
)
def test_the_hub_is_of_the_kind_that_was_asked_for(name: object, kind: type) -> None:
    hubs.use_hub(name)
    assert type(hubs.get_hub()) is kind
    assert hubs.get_hub() is hubs.get_hub()
    sleep(0)


@pytest.mark.usefixtures("chosen")
def test_the_environment_names_the_default_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTLET_HUB", "selects")
    hubs.use_hub()
    assert type(hubs.get_hub()) is selects.Hub


@pytest.mark.usefixtures("chosen")
def test_a_strangers_hub_is_given_with_a_warning_and_schedules_nothing() -> None:
    with pytest.warns(RuntimeWarning, match="goes on scheduling with its own hub"):
        hubs.use_hub(dict)
    assert type(hubs.get_hub()) is dict
    order: list[int] = []
    spawn(order.append, 1)
    sleep(0)
    assert order == [1]


def test_hubs_that_are_not_there_are_refused() -> None:
    with pytest.raises(RuntimeError, match="epolls"):
        hubs.use_hub(" ")
    with pytest.raises(ImportError):
        hubs.use_hub("pyevent")
    with pytest.raises(AttributeError):
        hubs.use_hub("os:nothing")
    with pytest.raises(hubs.HubError, match="kqueue"):
        hubs.use_hub("kqueue")
    absent = ModuleType("absent")
    absent.is_available = lambda: False  # type: ignore[attr-defined]  # made here
    with pytest.raises(hubs.HubError, match="not available"):
        hubs.use_hub(absent)


def test_the_modules_of_the_hubs_say_that_they_can_be_used() -> None:
    assert hubs.get_default_hub() is epolls
    assert hubs.builtin_hub_modules == (epolls, poll, selects)
    for module in (epolls, poll, selects, asyncio):
        assert module.is_available()
        assert issubclass(module.Hub, BaseHub)
    assert poll.sleep is epolls.sleep is selects.sleep
