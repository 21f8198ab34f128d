"""The place of a spawn is kept in the context of the green thread, and only on request."""

import contextvars
from collections.abc import Iterator

import pytest

from greening import getcurrent, spawn, spawn_after, spawn_n
from greening._core.task import Task
from greening.debug.places import DEPTH, keep_places, keeps_places, spawn_place
from greening.pool.greenpool import GreenPool


@pytest.fixture
def kept() -> Iterator[None]:
    assert not keeps_places()
    keep_places()
    yield
    keep_places(False)


def test_nothing_is_kept_unless_it_is_asked_for() -> None:
    thread = spawn(int)
    assert spawn_place(thread) == ()
    thread.wait()
    assert spawn_place(thread) == ()
    assert spawn_place(getcurrent()) == ()


@pytest.mark.usefixtures("kept")
def test_the_innermost_call_is_the_one_that_spawns() -> None:
    def spawner() -> list[Task]:
        return [spawn(int), spawn_n(int), spawn_after(0.001, int), GreenPool(2).spawn(int)]

    threads = spawner()
    for thread, (inner, outer, *_) in zip(threads, [spawn_place(thread) for thread in threads], strict=True):
        assert inner == (__file__, spawner.__code__.co_firstlineno + 1, spawner.__qualname__)
        assert outer[2] == "test_the_innermost_call_is_the_one_that_spawns"
        thread.wait()  # type: ignore[attr-defined]  # each is a green thread


@pytest.mark.usefixtures("kept")
def test_no_more_than_so_many_calls_are_kept() -> None:
    def deep(levels: int) -> Task:
        return deep(levels - 1) if levels else spawn(int)

    assert len(spawn_place(deep(2 * DEPTH))) == DEPTH


@pytest.mark.usefixtures("kept")
def test_the_context_is_a_copy_as_ever() -> None:
    var = contextvars.ContextVar("var", default=0)
    var.set(1)
    thread = spawn(lambda: (var.get(), var.set(2)))
    assert thread.wait()[0] == 1
    assert var.get() == 1


@pytest.mark.usefixtures("kept")
def test_one_that_is_spawned_by_a_green_thread_has_its_own_place() -> None:
    def inner() -> str:
        return spawn_place(spawn(int))[0][2]

    assert spawn(inner).wait().endswith("inner")
