"""Calls that green threads have Celery's event loop make, on kombu's own loop."""

import logging
import os
from collections import deque
from typing import Any

import pytest

pytest.importorskip("celery", reason="Celery is not installed: the extra ext-test has it")

from kombu.asynchronous import Hub

from greening.ext.celery_calls import LoopCalls

pytestmark = pytest.mark.filterwarnings("ignore")  # kombu's own deprecations


@pytest.fixture
def loop() -> Any:
    loop = Hub()
    yield loop
    loop.close()


@pytest.fixture
def calls() -> Any:
    calls = LoopCalls()
    yield calls
    calls.close()


def test_without_a_loop_a_call_is_made_at_once(calls: LoopCalls) -> None:
    made: list[int] = []
    calls.call(made.append, 1)
    assert made == [1]


def test_calls_are_made_in_the_loop_and_in_order(loop: Any, calls: LoopCalls) -> None:
    made: list[int] = []
    calls.register(loop)
    for number in range(5):
        calls.call(made.append, number)
    assert made == []
    loop.run_once()
    assert made == [0, 1, 2, 3, 4]


def test_what_a_call_asks_for_is_called_in_the_next_turn(loop: Any, calls: LoopCalls) -> None:
    made: list[int] = []
    calls.register(loop)
    calls.call(calls.call, made.append, 1)
    loop.run_once()
    assert made == []
    loop.run_once()  # at once: it would wait for a second if nothing woke it
    assert made == [1]


def test_a_signal_that_comes_while_a_call_is_asked_for_does_not_silence_the_bell(
    loop: Any, calls: LoopCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(deque[Any]):
        """A signal's handler asks for a call as soon as one is in the queue."""

        def append(self, item: Any) -> None:
            super().append(item)
            if len(self) == 1:
                calls.call(made.append, "handler")

    made: list[str] = []
    calls.register(loop)
    loop.run_once()
    monkeypatch.setattr(calls, "_calls", Interrupted())
    calls.call(made.append, "task")
    loop.run_once()
    assert made == ["task", "handler"]


def test_a_call_may_turn_the_loop(loop: Any, calls: LoopCalls) -> None:
    made: list[int] = []

    calls.register(loop)
    calls.call(calls.turn_while, lambda: False)
    calls.call(made.append, 1)
    calls.call(made.append, 2)
    loop.run_once()
    assert made == [1, 2]


def test_a_loop_that_fails_while_it_is_reset_is_turned_no_more(loop: Any, calls: LoopCalls) -> None:
    """As when the broker is lost at the shutdown: its descriptors are gone, and it is the process's loop yet."""

    def lost() -> None:
        raise ConnectionResetError

    made: list[int] = []
    calls.register(loop)
    calls.call(made.append, 1)
    loop.call_soon(lost)
    with pytest.raises(ConnectionResetError):
        loop.reset()
    calls.turn_while(lambda: True)
    calls.close()
    assert made == [1]


def test_calls_of_a_lost_loop_wait_for_the_next_one(loop: Any, calls: LoopCalls) -> None:
    made: list[int] = []
    calls.register(loop)
    loop.reset()  # as Celery does when the connection is lost
    calls.call(made.append, 1)
    calls.register(loop)
    loop.run_once()
    assert made == [1]


def test_an_error_is_logged_and_the_next_call_is_made(
    loop: Any, calls: LoopCalls, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[int] = []
    calls.register(loop)
    with caplog.at_level(logging.ERROR, "celery.pool"):
        calls.call(int, "x")
        calls.call(made.append, 1)
        loop.run_once()
    assert made == [1] and "could not be told" in caplog.text


def test_a_lost_connection_ends_the_loop_and_no_call_is_lost(loop: Any, calls: LoopCalls) -> None:
    def lose() -> None:
        raise ConnectionResetError

    made: list[int] = []
    loop.propagate_errors = (ConnectionError,)
    calls.register(loop)
    calls.call(lose)
    calls.call(made.append, 1)
    with pytest.raises(ConnectionResetError):
        next(loop.create_loop())
    next(loop.create_loop())
    assert made == [1]


def test_close_makes_what_is_left_and_leaves_no_descriptor(loop: Any, calls: LoopCalls) -> None:
    before = len(os.listdir("/proc/self/fd"))
    made: list[int] = []
    calls.register(loop)
    calls.call(made.append, 1)
    calls.close()
    calls.call(made.append, 2)
    assert made == [1, 2]
    assert len(os.listdir("/proc/self/fd")) == before
