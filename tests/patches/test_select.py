"""select: the names."""

import select
from typing import Any

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.patches.select import PATCH


def test_what_is_replaced() -> None:
    assert PATCH.flag == "select"
    assert set(PATCH.replaces) == {"select", "poll", "epoll"}


def test_identity() -> None:
    for name, green in PATCH.replaces.items():
        assert (green.__module__, getattr(green, "__name__", "")) == ("select", name)
    poll: Any = PATCH.replaces["poll"]
    assert type(poll()).__name__ == "poll"


def test_they_pass_for_builtins() -> None:
    class User:
        ask: Any = PATCH.replaces["select"]
        make: Any = PATCH.replaces["poll"]

    assert User().ask([], [], [], 0) == ([], [], [])
    assert User().make().poll(0) == []


def test_a_poll_made_before_is_left_alone() -> None:
    assert not isinstance(select.poll(), type(PATCH.replaces["poll"]()))  # type: ignore[operator]  # a function


def test_they_park() -> None:
    green: Any = PATCH.replaces["select"]
    thread = spawn(green, [], [], [], 0.001)
    sleep(0)
    assert thread
    assert thread.wait(5) == ([], [], [])
