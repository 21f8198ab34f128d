"""selectors: every class, new selectors and old ones."""

import selectors
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._core.greenthread import GreenThread, spawn
from greening._core.slices import TRIES
from greening._core.waiting import sleep
from greening.patches.selectors import PATCH

assert PATCH.bind is not None
BOUND = PATCH.bind(selectors)
NAMES = ("SelectSelector", "PollSelector", "EpollSelector")

Run = Callable[..., subprocess.CompletedProcess[str]]
Pair = tuple[socket.socket, socket.socket]


def green(name: str) -> type[selectors.BaseSelector]:
    """The class as it is after patching, without patching it."""
    return type(name, (getattr(selectors, name),), dict(BOUND.methods[name]))


@pytest.fixture(params=NAMES)
def selector(request: pytest.FixtureRequest) -> Iterator[Any]:
    with green(request.param)() as made:
        yield made


@pytest.fixture
def pair() -> Iterator[Pair]:
    a, b = socket.socketpair()
    with a, b:
        yield a, b


def parked(call: Callable[..., Any], *args: Any) -> GreenThread[Any]:
    thread = spawn(call, *args)
    sleep(0)
    assert thread
    return thread


def names(events: list[tuple[selectors.SelectorKey, int]]) -> set[tuple[Any, int]]:
    return {(key.data, mask) for key, mask in events}


def test_every_class_is_patched() -> None:
    assert set(BOUND.methods) == set(NAMES)
    assert BOUND.bind is None


def test_it_parks_and_reports_everything(selector: Any, pair: Pair) -> None:
    a, b = pair
    selector.register(a, selectors.EVENT_READ, "a")
    selector.register(b, selectors.EVENT_READ, "b")
    thread = parked(selector.select)
    b.send(b"x")
    a.send(b"x")
    assert names(thread.wait(5)) == {("a", 1), ("b", 1)}
    selector.modify(a, selectors.EVENT_READ | selectors.EVENT_WRITE, "a")
    assert names(selector.select(5)) == {("a", 3), ("b", 1)}
    selector.unregister(a)
    assert names(selector.select(5)) == {("b", 1)}


@pytest.mark.slices_end
@pytest.mark.parametrize("timeout", [0, -1])
def test_zero_and_less_do_not_wait_and_let_others_run_in_the_end(selector: Any, pair: Pair, timeout: float) -> None:
    selector.register(pair[0], selectors.EVENT_READ)
    other = spawn(lambda: None)
    for _ in range(TRIES):
        assert selector.select(timeout) == []
        if other.dead:
            break
    assert other.dead


def test_timeouts(selector: Any, pair: Pair) -> None:
    selector.register(pair[0], selectors.EVENT_READ)
    before = time.monotonic()
    assert selector.select(0.01) == []
    assert 0.0099 <= time.monotonic() - before < 1


def test_with_nothing_registered_it_sleeps(selector: Any) -> None:
    assert selector.select(0.001) == []


def test_a_hang_up_is_something_to_read(selector: Any, pair: Pair) -> None:
    a, b = pair
    selector.register(a, selectors.EVENT_READ, "a")
    thread = parked(selector.select)
    b.close()
    assert names(thread.wait(5)) == {("a", 1)}


def test_a_selector_made_before_the_patch_is_cooperative(pair: Pair) -> None:
    a, b = pair
    for name in NAMES:
        with getattr(selectors, name)() as old:
            old.register(a, selectors.EVENT_READ, "a")
            if name == "SelectSelector":
                old.__class__ = green(name)
                select = old.select
            else:
                method: Any = BOUND.methods[name]["select"]
                select = method.__get__(old)
            thread = parked(select)
            b.send(b"x")
            assert names(thread.wait(5)) == {("a", 1)}
            a.recv(1)


def test_closing_ends_a_select_of_epoll() -> None:
    selector = green("EpollSelector")()
    failures: list[str] = []

    def look() -> None:
        try:
            selector.select()
        except ValueError as error:
            failures.append(str(error))

    thread = parked(look)
    selector.close()
    thread.wait(5)
    assert failures == ["I/O operation on closed epoll object"]


@pytest.mark.slow
def test_patched_late(run_program: Run) -> None:
    run_program("select_late.py")
