"""poll and epoll objects: the real ones' answers, while others run."""

import os
import select as stdlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from greening._core.greenthread import kill, spawn
from greening._core.slices import TRIES
from greening._core.waiting import forget_fd
from greening.readiness import polls
from greening.testing import fake_time, settle
from tests.descriptors import parked

IN, OUT = stdlib.POLLIN, stdlib.POLLOUT

Pair = tuple[socket.socket, socket.socket]


def outcome(call: Callable[..., object], *args: object) -> object:
    try:
        return call(*args)
    except (ArithmeticError, BufferError, LookupError, OSError, TypeError, ValueError) as error:
        return type(error), str(error)


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


def test_a_poll_object_of_the_real_class_that_is_adopted_is_asked_again_and_again(pair: Pair) -> None:
    a, b = pair
    real = stdlib.poll()
    real.register(a, IN)
    adopted = polls.adopt_poll(real)
    assert adopted.poll(2) == []
    waiting = parked(adopted.poll, 5000)
    b.send(b"x")
    assert waiting.wait(5) == [(a.fileno(), IN)]
    with pytest.raises(TypeError, match=r"cannot create 'select.poll' instances"):
        type(adopted)()


def test_a_killed_poll_may_be_called_again(pair: Pair) -> None:
    a, b = pair
    poll = polls.poll()
    poll.register(a, IN)
    kill(parked(poll.poll))
    b.send(b"x")
    assert poll.poll() == [(a.fileno(), IN)]


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


def test_epoll_registers_modifies_and_unregisters_by_its_class(pair: Pair) -> None:
    """`Epoll.register(object, ...)` is what a class that wraps it may call."""
    a = pair[0]
    with polls.Epoll() as epoll:
        assert polls.Epoll.fileno(epoll) == epoll.fileno()
        polls.Epoll.register(epoll, a, IN)
        with pytest.raises(FileExistsError):
            polls.Epoll.register(epoll, a, IN)
        polls.Epoll.modify(epoll, a, OUT)
        assert epoll.poll(0) == [(a.fileno(), OUT)]
        polls.Epoll.unregister(epoll, a)
        assert epoll.poll(0) == []


def test_no_class_may_derive_from_epoll() -> None:
    with pytest.raises(TypeError, match=r"type 'select.epoll' is not an acceptable base type"):
        type("Mine", (polls.Epoll,), {})


def test_an_adopted_epoll_is_the_real_one_inside(pair: Pair) -> None:
    a, b = pair
    real = stdlib.epoll()
    real.register(a, IN)
    with polls.adopt_epoll(real) as epoll:
        assert epoll.fileno() == real.fileno()
        waiting = parked(epoll.poll)
        b.send(b"x")
        assert waiting.wait(5) == [(a.fileno(), IN)]
    assert real.closed


def test_an_epoll_gives_no_more_events_than_asked_for(pair: Pair) -> None:
    with polls.Epoll() as epoll:
        for each in pair:
            epoll.register(each, OUT)
        assert len(epoll.poll(5, 1)) == 1
        assert len(epoll.poll(5)) == 2


def test_an_event_that_another_poll_has_taken_wakes_no_second_one(pair: Pair) -> None:
    a, b = pair
    with polls.Epoll() as epoll:
        epoll.register(a.fileno(), IN | stdlib.EPOLLET)
        first, second = parked(epoll.poll), parked(epoll.poll)
        b.send(b"x")
        settle()
        assert [first.dead, second.dead].count(True) == 1
        b.send(b"y")
        assert first.wait(5) == second.wait(5) == [(a.fileno(), IN)]


def test_an_epoll_without_room_in_the_hubs_set_times_out(pair: Pair, no_room: Callable[[str, int], list[int]]) -> None:
    with polls.Epoll() as epoll, fake_time() as fake:
        epoll.register(pair[0], IN)
        no_room("arm_edge", 10_000)
        before = fake.clock.now()
        assert epoll.poll(3) == []
        assert fake.clock.now() - before == pytest.approx(3)


def test_an_epoll_without_room_in_the_hubs_set_is_looked_at_until_there_is(
    ends: tuple[int, int], no_room: Callable[[str, int], list[int]]
) -> None:
    failed = no_room("arm_edge", 2)
    with polls.Epoll() as epoll:
        epoll.register(ends[0], IN)
        waiting = parked(epoll.poll, 5)
        os.write(ends[1], b"x")
        assert waiting.wait(5) == [(ends[0], IN)]
    assert failed


# Both


@pytest.mark.slices_end
def test_looks_with_timeout_zero_let_others_run_in_the_end(pair: Pair) -> None:
    poll, epoll = polls.poll(), polls.Epoll()
    with epoll:
        for each in (poll, epoll):
            each.register(pair[0], IN)
            other = spawn(lambda: None)
            for _ in range(TRIES):
                each.poll(0)
                if other.dead:
                    break
            assert other.dead


def test_in_a_native_thread_without_a_hub_they_block(pair: Pair) -> None:
    a, b = pair
    got: list[object] = []
    timed_out = threading.Event()

    def work() -> None:
        poll = polls.poll()
        poll.register(a, IN)
        with polls.Epoll() as epoll:
            epoll.register(a.fileno(), IN)
            got.extend((poll.poll(1), epoll.poll(0.001)))
            timed_out.set()
            got.extend((poll.poll(), epoll.poll()))

    thread = threading.Thread(target=work)
    thread.start()
    timed_out.wait(5)
    b.send(b"x")
    thread.join(5)
    assert got == [[], [], [(a.fileno(), IN)], [(a.fileno(), IN)]]
