"""Celery's handlers of signals, which run in its loop."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType
from typing import Any

import pytest

pytest.importorskip("celery", reason="Celery is not installed: the extra ext-test has it")

from kombu.asynchronous import Hub

from greening import sleep, spawn
from greening.ext import celery_signals
from greening.ext.celery_calls import LoopCalls
from greening.ext.celery_signals import LoopSignals

pytestmark = pytest.mark.filterwarnings("ignore")  # kombu's own deprecations

handled: list[int] = []


@contextmanager
def socketpair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def handler(number: int, frame: FrameType | None) -> None:
    handled.append(number)


handler.__module__ = "celery.apps.worker"


@pytest.fixture
def site() -> Iterator[Any]:
    before = signal.signal(signal.SIGQUIT, handler)
    handled.clear()
    loop, calls = Hub(), LoopCalls()
    yield loop, calls, LoopSignals(calls)
    calls.close()
    loop.close()
    signal.signal(signal.SIGQUIT, before)
    sleep(0)  # nobody has to do without the loop: who would ends


def turn(loop: Any, calls: LoopCalls) -> None:
    for _ in range(3):
        calls.ring()  # nothing is to wait in its poll
        loop.run_once()


def test_a_handler_does_not_interrupt_what_the_loop_does(site: Any) -> None:
    """A frame that is half written, under a lock that the handler would wait for."""
    loop, calls, signals = site
    calls.register(loop)
    signals.adopt(loop)
    during: list[int] = []

    def write() -> None:
        signal.raise_signal(signal.SIGQUIT)
        during.extend(handled)

    calls.call(write)
    turn(loop, calls)
    assert (during, handled) == ([], [signal.SIGQUIT])


def test_the_loop_returns_at_once_when_a_handler_has_run(site: Any) -> None:
    """Celery looks between the loop's turns whether it is to end."""
    loop, calls, signals = site
    calls.register(loop)
    signals.adopt(loop)
    turn(loop, calls)
    signal.raise_signal(signal.SIGQUIT)
    begin = monotonic()
    while not handled:
        loop.run_once()
    assert monotonic() - begin < 0.9  # its poll takes a second


def test_in_a_green_thread_it_asks_the_loop(site: Any) -> None:
    loop, calls, signals = site
    calls.register(loop)
    signals.adopt(loop)
    spawn(signal.raise_signal, signal.SIGQUIT).wait()
    assert handled == []
    turn(loop, calls)
    assert handled == [signal.SIGQUIT]


def test_a_loop_that_does_not_turn_is_not_waited_for(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery_signals, "_PATIENCE", 0.01)
    loop, calls, signals = site
    calls.register(loop)
    signals.adopt(loop)
    spawn(signal.raise_signal, signal.SIGQUIT).wait()
    sleep(0.03)
    assert handled == [signal.SIGQUIT]
    turn(loop, calls)
    assert handled == [signal.SIGQUIT], "it ran twice"


def test_a_loop_that_makes_calls_is_waited_for(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery_signals, "_PATIENCE", 0.01)
    loop, calls, signals = site
    calls.register(loop)
    signals.adopt(loop)
    seen: list[int] = []

    def work() -> None:
        sleep(0.008)
        seen.extend(handled)

    for _ in range(6):
        calls.call(work)
    spawn(signal.raise_signal, signal.SIGQUIT).wait()
    turn(loop, calls)
    assert (seen, handled) == ([], [signal.SIGQUIT])


def test_a_handler_may_turn_the_loop_and_read_what_the_loop_was_about_to_read(site: Any) -> None:
    loop, calls, signals = site
    came: list[bytes] = []

    def turning(number: int, frame: FrameType | None) -> None:
        calls.turn_while(lambda: not came)

    turning.__module__ = "celery.apps.worker"
    signal.signal(signal.SIGQUIT, turning)
    calls.register(loop)
    signals.adopt(loop)
    with socketpair() as (one, other):
        one.setblocking(False)
        loop.add_reader(one, lambda: came.append(one.recv(1)))
        turn(loop, calls)
        signal.raise_signal(signal.SIGQUIT)
        other.send(b"x")
        turn(loop, calls)  # BlockingIOError if it looks twice
        assert came == [b"x"]
        loop.remove_reader(one)


def test_an_error_of_a_handler_is_logged(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    def failing(number: int, frame: FrameType | None) -> None:
        raise ConnectionError

    failing.__module__ = "celery.apps.worker"
    loop, calls, signals = site
    signal.signal(signal.SIGQUIT, failing)
    calls.register(loop)
    signals.adopt(loop)
    signal.raise_signal(signal.SIGQUIT)
    turn(loop, calls)
    assert f"handler of signal {signal.SIGQUIT:d} has failed" in caplog.text


def test_the_handler_that_a_handler_installs_is_adopted_as_well(site: Any) -> None:
    def second(number: int, frame: FrameType | None) -> None:
        handled.append(-number)

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(number, second)

    first.__module__ = second.__module__ = "celery.apps.worker"
    loop, calls, signals = site
    calls.register(loop)
    signal.signal(signal.SIGQUIT, first)
    signals.adopt(loop)
    signal.raise_signal(signal.SIGQUIT)
    turn(loop, calls)
    assert signal.getsignal(signal.SIGQUIT) is not second
    os.kill(os.getpid(), signal.SIGQUIT)
    turn(loop, calls)
    assert handled == [-signal.SIGQUIT]


def test_handlers_of_others_are_left_alone(site: Any) -> None:
    def other(number: int, frame: FrameType | None) -> None: ...

    loop, _, signals = site
    signal.signal(signal.SIGQUIT, other)
    signals.adopt(loop)
    assert signal.getsignal(signal.SIGQUIT) is other
