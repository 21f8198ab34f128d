"""select, poll and epoll: the real ones' answers, while others run."""

import copy
import errno
import os
import pickle
import resource
import select as stdlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._builtin_method import ModuleSelf
from greening._core.current import get_hub
from greening._core.greenthread import kill, spawn
from greening._core.slices import TRIES
from greening._core.waiting import forget_fd
from greening.readiness import polls
from greening.readiness import select as net
from greening.testing import settle
from tests.descriptors import parked

IN, PRI, OUT = stdlib.POLLIN, stdlib.POLLPRI, stdlib.POLLOUT

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    a, b = socket.socketpair()
    with a, b:
        yield a, b


def outcome(call: Callable[..., object], *args: object) -> object:
    try:
        return call(*args)
    except (ArithmeticError, BufferError, LookupError, OSError, TypeError, ValueError) as error:
        return type(error), str(error)


# select


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


@pytest.mark.slices_end
def test_looks_with_timeout_zero_let_others_run_in_the_end(pair: Pair) -> None:
    a, b = pair
    poll, epoll = polls.poll(), polls.Epoll()
    looks: list[Callable[[], object]] = [
        lambda: net.select([a], [], [], 0),
        lambda: net.select([a], [b], [], 0.0),
        lambda: poll.poll(0),
        lambda: epoll.poll(0),
    ]
    with epoll:
        for each in (poll, epoll):
            each.register(a, IN)
        for look in looks:
            other = spawn(lambda: None)
            for _ in range(TRIES):
                look()
                if other.dead:
                    break
            assert other.dead


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
    assert thread.wait(5) == (OSError, f"[Errno {errno.EBADF}] Bad file descriptor")


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


# poll


def test_poll_parks(pair: Pair) -> None:
    a, b = pair
    poll = polls.poll()
    poll.register(a, IN)
    poll.register(b, IN)
    thread = parked(poll.poll)
    b.send(b"x")
    assert thread.wait(5) == [(a.fileno(), IN)]
    assert poll.poll(5000) == [(a.fileno(), IN)]


def test_poll_times_out_in_milliseconds(pair: Pair) -> None:
    poll = polls.poll()
    poll.register(pair[0], IN)
    before = time.monotonic()
    assert poll.poll(20) == []
    assert 0.0199 <= time.monotonic() - before < 1


def test_poll_of_hang_ups_only(ends: tuple[int, int]) -> None:
    reader, writer = ends
    poll = polls.poll()
    poll.register(reader, 0)
    thread = parked(poll.poll)
    os.write(writer, b"not asked for")
    settle()
    assert thread
    os.close(writer)
    assert thread.wait(5) == [(reader, stdlib.POLLHUP)]


def test_one_poll_at_a_time(pair: Pair) -> None:
    a, b = pair
    poll = polls.poll()
    poll.register(a, IN)
    thread = parked(poll.poll)
    with pytest.raises(RuntimeError, match=r"concurrent poll\(\) invocation"):
        poll.poll(0)
    b.send(b"x")
    assert thread.wait(5) == [(a.fileno(), IN)]


def test_a_closed_descriptor_is_an_event_of_poll(ends: tuple[int, int]) -> None:
    reader, _ = ends
    poll = polls.poll()
    poll.register(reader, IN)
    thread = parked(poll.poll)
    forget_fd(reader)
    os.close(reader)
    assert thread.wait(5) == [(reader, stdlib.POLLNVAL)]


def test_poll_modify_and_unregister(pair: Pair) -> None:
    a, _ = pair
    poll = polls.poll()
    poll.register(a)
    assert poll.poll(5000) == [(a.fileno(), OUT)]
    poll.modify(a, IN)
    assert poll.poll(1) == []
    poll.unregister(a)
    assert poll.poll(1) == []
    for name, args in (("modify", (a, IN)), ("unregister", (a,)), ("register", (-1,)), ("register", (a, "x"))):
        real = getattr(stdlib.poll(), name)
        assert outcome(getattr(poll, name), *args) == outcome(real, *args)


@pytest.mark.parametrize("timeout", ["soon", 2**80, float("nan"), [], -(2**80)])
def test_odd_timeouts_of_poll_fail_as_the_stdlibs(timeout: Any) -> None:
    assert outcome(polls.poll().poll, timeout) == outcome(stdlib.poll().poll, timeout)


def test_poll_objects_are_made_by_poll_only() -> None:
    with pytest.raises(TypeError, match=r"cannot create 'select.poll' instances"):
        type(polls.poll())()
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Mine", (type(polls.poll()),), {})


# epoll


def test_epoll_parks(pair: Pair) -> None:
    a, b = pair
    with polls.Epoll() as epoll:
        epoll.register(a.fileno(), IN)
        thread = parked(epoll.poll)
        b.send(b"x")
        assert thread.wait(5) == [(a.fileno(), IN)]
        assert epoll.poll(5) == [(a.fileno(), IN)]
        a.recv(1)
        thread = parked(epoll.poll)
        b.send(b"y")
        assert thread.wait(5) == [(a.fileno(), IN)]


def test_what_is_registered_during_a_poll_counts(pair: Pair) -> None:
    a, b = pair
    with polls.Epoll() as epoll:
        thread = parked(epoll.poll)
        b.send(b"x")
        epoll.register(a.fileno(), IN)
        assert thread.wait(5) == [(a.fileno(), IN)]
        a.recv(1)
        thread = parked(epoll.poll)
        epoll.modify(a.fileno(), OUT)
        assert thread.wait(5) == [(a.fileno(), OUT)]


def test_two_polls_of_one_epoll(pair: Pair) -> None:
    a, b = pair
    with polls.Epoll() as epoll:
        epoll.register(a.fileno(), IN)
        first, second = parked(epoll.poll), parked(epoll.poll)
        b.send(b"x")
        assert first.wait(5) == second.wait(5) == [(a.fileno(), IN)]


def test_epoll_times_out(pair: Pair) -> None:
    with polls.Epoll() as epoll:
        epoll.register(pair[0].fileno(), IN)
        before = time.monotonic()
        assert epoll.poll(0.02, 5) == []
        assert 0.0199 <= time.monotonic() - before < 1


def test_closing_ends_an_epoll(pair: Pair) -> None:
    epoll = polls.Epoll()
    thread = parked(outcome, epoll.poll)
    epoll.close()
    assert thread.wait(5) == (ValueError, "I/O operation on closed epoll object")
    assert epoll.closed
    for call in (epoll.fileno, epoll.poll, epoll.__enter__):
        assert outcome(call) == (ValueError, "I/O operation on closed epoll object")
    epoll.close()


def test_epoll_has_what_the_real_one_has() -> None:
    real = stdlib.epoll()
    with polls.Epoll(sizehint=4, flags=stdlib.EPOLL_CLOEXEC) as green, real:
        assert {name for name in dir(real) if name[0] != "_"} == {name for name in dir(green) if name[0] != "_"}
        other = polls.Epoll.fromfd(os.dup(green.fileno()))
        assert type(other) is polls.Epoll
        other.close()


@pytest.mark.parametrize("args", [("soon",), (2**40,), (float("nan"),), (1, 0), (1, -2), (1, "x")])
def test_odd_arguments_of_epoll_fail_as_the_stdlibs(args: Any) -> None:
    with polls.Epoll() as green, stdlib.epoll() as real:
        assert outcome(green.poll, *args) == outcome(real.poll, *args)


@pytest.mark.parametrize("args", [(0,), (1, 2, 3), ("x",), (-1, 77)])
def test_odd_makings_of_epoll_fail_as_the_stdlibs(args: Any) -> None:
    assert outcome(polls.Epoll, *args)[0] is outcome(stdlib.epoll, *args)[0]  # type: ignore[index]  # an error


@pytest.mark.slices_end
def test_nobody_is_starved_by_what_is_always_ready(pair: Pair) -> None:
    a, _ = pair
    other = spawn(lambda: None)
    for _ in range(50):
        net.select([], [a], [], 1)
        if other.dead:
            return
    pytest.fail("fifty successes in a row, and nobody else ran")


def test_in_a_native_thread_without_a_hub(pair: Pair) -> None:
    a, b = pair
    got: list[object] = []
    timed_out = threading.Event()

    def work() -> None:
        poll = polls.poll()
        poll.register(a, IN)
        with polls.Epoll() as epoll:
            epoll.register(a.fileno(), IN)
            got.extend((net.select([a], [], [], 0.001), poll.poll(1), epoll.poll(0.001)))
            timed_out.set()
            got.extend((net.select([a], [], []), poll.poll(), epoll.poll()))

    thread = threading.Thread(target=work)
    thread.start()
    timed_out.wait(5)
    b.send(b"x")
    thread.join(5)
    assert got == [([], [], []), [], [], ([a], [], []), [(a.fileno(), IN)], [(a.fileno(), IN)]]


def test_functions_that_stand_for_builtins() -> None:
    home = ModuleSelf("time")

    @home.builtin
    def monotonic(_: Any) -> str:
        return "green"

    class User:
        ask = monotonic

    assert monotonic() == User().ask() == User.ask() == copy.copy(monotonic)() == "green"
    assert (monotonic.__name__, monotonic.__module__) == ("monotonic", "time")
    # Whoever unpickles it gets what the name means where he is.
    assert pickle.loads(pickle.dumps(monotonic)) is time.monotonic


def select_of(fd: int) -> object:
    return net.select([fd], [], [], 5)[0]


def epoll_of(fd: int) -> object:
    with polls.Epoll() as epoll:
        epoll.register(fd, IN)
        return [found for found, _ in epoll.poll(5)]


@pytest.mark.parametrize("call", [select_of, epoll_of])
def test_what_needs_no_room_in_epoll_without_us_needs_none_with_us(
    call: Callable[[int], object], ends: tuple[int, int], no_room: Callable[[str, int], list[int]]
) -> None:
    failed = no_room("arm_once", 2) if call is select_of else no_room("arm_edge", 2)
    waiting = parked(call, ends[0])
    os.write(ends[1], b"x")
    assert waiting.wait(5) == [ends[0]]
    assert failed
