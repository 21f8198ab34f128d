"""Green threads that are made without a function, as by eventlet's constructor, and begin by a switch."""

from collections.abc import Callable
from typing import Any

import pytest

from greening._core.current import current
from greening._core.greenthread import GreenThread, spawn
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.testing import settle

pytestmark = pytest.mark.usefixtures("fake")


def made(parent: object = None, kind: type[GreenThread[Any]] = GreenThread) -> GreenThread[Any]:
    thread = kind.__new__(kind)
    thread.await_switch(parent)
    return thread


def test_it_begins_when_somebody_switches_to_it() -> None:
    thread = made(current().hub.task)
    settle()
    assert (bool(thread), thread.dead) == (False, False)
    linked: list[object] = []
    thread.link(linked.append)
    assert spawn(thread.switch, divmod, (7, 2), {}).wait() == ()
    assert thread.wait() == (3, 1)
    assert linked == [thread]


def test_those_who_wait_for_it_get_its_exception() -> None:
    thread = made(current().hub.task)
    thread.quiet = True
    waiter = spawn(thread.wait)
    waiter.quiet = True
    settle()
    assert thread.switch(int, ("x",), {}) == ()
    with pytest.raises(ValueError, match="invalid literal"):
        waiter.wait()


def test_a_parent_that_switches_waits_for_the_end() -> None:
    order: list[str] = []

    def work(name: str) -> None:
        sleep(1)
        order.append(name)

    assert made(current()).switch(work, (), {"name": "child"}) is None
    order.append("parent")
    assert made().switch(work, ("child of no named parent",), {}) is None
    assert order == ["child", "parent", "child of no named parent"]


def test_one_that_was_killed_before_it_began_never_runs() -> None:
    ran: list[int] = []
    thread = made(current().hub.task)
    thread.kill()
    assert thread.switch(ran.append, (1,), {}) == ()
    with pytest.raises(GreenletExit):
        thread.wait()
    assert ran == []


def test_a_subclass_may_do_more_around_the_function() -> None:
    class Counted(GreenThread[Any]):
        runs = 0

        def main(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            self.runs += 1
            return super().main(function, args, kwargs)

    thread = made(current().hub.task, Counted)
    thread.switch(dict, (), {"function": 1})
    assert thread.wait() == {"function": 1}
    assert getattr(thread, "runs", 0) == 1


def test_another_os_thread_may_begin_it(in_os_thread: Callable[..., Any]) -> None:
    thread = made(current().hub.task)
    in_os_thread(thread.switch, divmod, (7, 2), {})
    assert thread.wait() == (3, 1)


def test_what_is_no_parent_is_refused() -> None:
    with pytest.raises(TypeError, match=r"made by spawn\(\).*not 'hub'"):
        made("hub")
