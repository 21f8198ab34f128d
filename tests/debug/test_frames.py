"""Frames of greening and of the stdlib are told from the user's."""

import queue
import sys
from concurrent.futures import Future
from types import FrameType
from typing import Any

import pytest

from greening import Lock, Queue, kill, spawn
from greening._core.task import Task
from greening.debug.frames import (
    dotted,
    is_machinery,
    is_machinery_file,
    machinery,
    name_in,
    programs_frame,
    users_frame,
)
from greening.debug.waits import KINDS
from greening.testing import settle


class Holder:
    def __init__(self) -> None:
        self.lock = Lock()

    def frame(self) -> Any:
        return sys._getframe()


def test_an_object_is_named_as_its_user_names_it() -> None:
    holder = Holder()
    lock = holder.lock
    frame = holder.frame()
    assert name_in(frame, lock) == "self.lock"
    assert name_in(frame, holder) == "self"
    assert name_in(frame, KINDS) == "KINDS"
    assert name_in(frame, Future()) == ""
    assert name_in(None, lock) == ""


class Slots:
    __slots__ = ("lock", "unset")

    def __init__(self) -> None:
        self.lock = Lock()

    def frame(self) -> Any:
        return sys._getframe()


def test_an_object_in_a_slot_is_named() -> None:
    holder = Slots()
    assert name_in(holder.frame(), holder.lock) == "self.lock"
    assert name_in(holder.frame(), Lock()) == ""


class Proxy:
    def __getattribute__(self, name: str) -> Any:
        raise LookupError(f"no object to take {name} of")


def test_a_proxy_that_fails_when_it_is_asked_is_not_asked() -> None:
    def uses_both(proxy: Proxy, holder: Holder) -> FrameType:
        return sys._getframe()

    holder = Holder()
    assert name_in(uses_both(Proxy(), holder), holder.lock) == "holder.lock"


def waits(items: Any) -> None:
    items.get()


def innermost_of_one_that_waits() -> tuple[Task, FrameType]:
    thread = spawn(waits, Queue())
    settle()
    frame = thread.gr_frame
    assert frame is not None
    return thread, frame


def test_the_users_frame_is_the_innermost_that_is_not_the_machinerys() -> None:
    thread, inner = innermost_of_one_that_waits()
    frame = users_frame(inner)
    assert frame is not None
    assert dotted(frame) == f"{__name__}.waits"
    assert is_machinery(inner)
    assert not is_machinery(frame)
    assert [each.f_code.co_name for each in machinery(inner)][-1] == "get"
    kill(thread)
    assert users_frame(None) is None


def test_a_frame_is_told_by_its_file_too() -> None:
    assert is_machinery_file(queue.__file__)
    assert is_machinery_file("<frozen runpy>")
    assert is_machinery_file(sys.modules["greening.sync.queue"].__file__ or "")
    assert not is_machinery_file(__file__)
    assert not is_machinery_file(sys.modules["pytest"].__file__ or "")


@pytest.mark.parametrize(("callee", "place"), [("/srv/lib/site-packages/pool.py", "order"), ("/srv/jobs.py", "take")])
def test_the_programs_frame_is_the_innermost_that_is_no_librarys(callee: str, place: str) -> None:
    names: dict[str, Any] = {"sys": sys}
    exec(compile("def take():\n    return sys._getframe()", callee, "exec"), names)
    exec(compile("def order():\n    return take()", "/srv/app.py", "exec"), names)
    frame = programs_frame(names["order"]())
    assert frame is not None and frame.f_code.co_name == place
