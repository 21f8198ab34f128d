"""Celery's handlers of signals, which run in its loop."""

import os
import signal
from collections.abc import Iterator
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


def test_a_handler_does_not_interrupt_what_the_loop_does(site: Any) -> None:
    """A frame that is half written, under a lock that the handler would wait for."""
    loop, calls, signals = site
    calls.register(loop)
    signals.adopt()
    during: list[int] = []

    def write() -> None:
        signal.raise_signal(signal.SIGQUIT)
        during.extend(handled)

    calls.call(write)
    loop.run_once()
    loop.run_once()
    assert (during, handled) == ([], [signal.SIGQUIT])


def test_in_a_green_thread_it_asks_the_loop(site: Any) -> None:
    loop, calls, signals = site
    calls.register(loop)
    signals.adopt()
    spawn(signal.raise_signal, signal.SIGQUIT).wait()
    assert handled == []
    loop.run_once()
    assert handled == [signal.SIGQUIT]


def test_a_loop_that_does_not_turn_is_not_waited_for(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery_signals, "_PATIENCE", 0.01)
    loop, calls, signals = site
    calls.register(loop)
    signals.adopt()
    spawn(signal.raise_signal, signal.SIGQUIT).wait()
    sleep(0.03)
    assert handled == [signal.SIGQUIT]
    loop.run_once()
    assert handled == [signal.SIGQUIT], "it ran twice"


def test_a_loop_that_makes_calls_is_waited_for(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery_signals, "_PATIENCE", 0.01)
    loop, calls, signals = site
    calls.register(loop)
    signals.adopt()
    seen: list[int] = []

    def work() -> None:
        sleep(0.008)
        seen.extend(handled)

    for _ in range(6):
        calls.call(work)
    spawn(signal.raise_signal, signal.SIGQUIT).wait()
    loop.run_once()
    assert (seen, handled) == ([], [signal.SIGQUIT])


def test_the_handler_that_a_handler_installs_is_adopted_as_well(site: Any) -> None:
    def second(number: int, frame: FrameType | None) -> None:
        handled.append(-number)

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(number, second)

    first.__module__ = second.__module__ = "celery.apps.worker"
    loop, calls, signals = site
    calls.register(loop)
    signal.signal(signal.SIGQUIT, first)
    signals.adopt()
    signal.raise_signal(signal.SIGQUIT)
    loop.run_once()
    assert signal.getsignal(signal.SIGQUIT) is not second
    os.kill(os.getpid(), signal.SIGQUIT)
    loop.run_once()
    assert handled == [-signal.SIGQUIT]


def test_handlers_of_others_are_left_alone(site: Any) -> None:
    def other(number: int, frame: FrameType | None) -> None: ...

    _, _, signals = site
    signal.signal(signal.SIGQUIT, other)
    signals.adopt()
    assert signal.getsignal(signal.SIGQUIT) is other
