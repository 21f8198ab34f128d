"""Runners: greenlets are used again, unless something refers to them. No run sees anything of the one before."""

import contextvars
import gc
import os
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from greenlet import getcurrent as greenlet_now
from greenlet import greenlet

from greening._core import runner as module
from greening._core.current import current, get_hub
from greening._core.greenthread import getcurrent, spawn
from greening._core.runner import MAX_IDLE
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.sync.lock import RLock
from greening.testing import Fake, FakePoller, settle

pytestmark = pytest.mark.usefixtures("fake")


@pytest.fixture(autouse=True)
def _a_tracer_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that measures coverage has a weak reference to each greenlet in which Python code runs."""
    if sys.gettrace() is not None and module.accelerator is None:
        count = module.getweakrefcount
        monkeypatch.setattr(module, "getweakrefcount", lambda runner: max(0, count(runner) - 1))


recycles = pytest.mark.skipif(MAX_IDLE == 0, reason="GREENING_RECYCLE=0")


def runner_id() -> int:
    return id(greenlet_now())


@recycles
def test_a_runner_is_used_again() -> None:
    assert len({spawn(runner_id).wait() for _ in range(20)}) == 1
    assert len(get_hub().runners) == 1


@recycles
def test_as_many_runners_as_run_at_once() -> None:
    event = Event()
    for _ in range(3):
        threads = [spawn(event.wait) for _ in range(10)]
        settle()
        event.send()
        for thread in threads:
            thread.wait()
        event.reset()
    assert len(get_hub().runners) == len(get_hub().idle) == 10


def keep_idle(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(module, "MAX_IDLE", number)
    if module.accelerator is not None:
        module.accelerator.run_of(module.Runner, number, module.end_of_forked_child)


@pytest.fixture
def _as_ever() -> Iterator[None]:
    yield
    if module.accelerator is not None:
        module.accelerator.run_of(module.Runner, MAX_IDLE, module.end_of_forked_child)


@recycles
@pytest.mark.usefixtures("_as_ever")
def test_no_more_idle_runners_than_are_worth_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_idle(monkeypatch, 3)
    event = Event()
    threads = [spawn(event.wait) for _ in range(10)]
    settle()
    event.send()
    for thread in threads:
        thread.wait()
    assert len(get_hub().runners) == len(get_hub().idle) == 3


@pytest.mark.usefixtures("_as_ever")
def test_recycling_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_idle(monkeypatch, 0)
    for _ in range(5):
        spawn(runner_id).wait()
    assert not get_hub().runners
    assert not get_hub().idle


kept: list[Any] = []


@pytest.fixture
def _keeping() -> Iterator[None]:
    yield
    kept.clear()


def keep_itself() -> None:
    kept.append(greenlet_now())


def keep_a_weak_reference() -> None:
    kept.append(weakref.ref(greenlet_now()))


def keep_a_key() -> None:
    kept.append(weakref.WeakKeyDictionary({greenlet_now(): 1}))


def keep_an_attribute() -> None:
    greenlet_now().mine = 1  # type: ignore[attr-defined]  # greenlets have a __dict__


def keep_a_method() -> None:
    kept.append(greenlet_now().switch)


def keep_a_child() -> None:
    kept.append(greenlet(int))  # its parent is the runner


def keep_a_lock() -> None:
    lock = RLock()
    lock.acquire()
    kept.append(lock)


KEEPERS = [keep_itself, keep_a_weak_reference, keep_a_key, keep_an_attribute, keep_a_method, keep_a_child, keep_a_lock]


@recycles
@pytest.mark.usefixtures("_keeping")
@pytest.mark.parametrize("keep", KEEPERS)
def test_a_runner_that_something_refers_to_is_retired(keep: Any) -> None:
    for n in range(3):
        spawn(runner_id).wait()
        assert len(get_hub().idle) == 1, n
        spawn(keep).wait()
        settle()
        assert len(get_hub().idle) == 0, "the one that is known is gone"


@recycles
@pytest.mark.usefixtures("_keeping")
def test_code_keyed_by_the_greenlet_never_meets_another_run() -> None:
    seen: weakref.WeakKeyDictionary[greenlet, int] = weakref.WeakKeyDictionary()

    def run(number: int) -> None:
        assert seen.setdefault(greenlet_now(), number) == number
        sleep(0)
        assert seen[greenlet_now()] == number

    for n in range(50):
        spawn(run, n)
        if n % 3 == 0:
            settle()
    settle()


@recycles
def test_a_retired_runner_is_freed_with_the_last_reference_to_it() -> None:
    spawn(keep_itself).wait()
    settle()
    watch = weakref.ref(kept.pop())
    settle()
    gc.collect()
    assert watch() is None


def test_a_kept_greenlet_is_dead_when_its_run_is_over() -> None:
    glet = spawn(greenlet_now).wait()
    settle()
    assert glet.dead
    del glet


# Recursion


def depth(n: int = 0) -> int:
    try:
        return depth(n + 1)
    except RecursionError:
        return n


def test_a_chain_of_spawns_does_not_deepen_the_stack() -> None:
    depths: list[int] = []

    def link(left: int) -> None:
        depths.append(depth())
        if left:
            spawn(link, left - 1)
            sleep(0)

    spawn(link, 200)
    settle()
    assert len(depths) == 201
    assert max(depths) - min(depths) <= 2


def test_threads_started_from_deep_down_have_their_whole_stack() -> None:
    shallow = spawn(depth).wait()
    found: list[int] = []

    def dive(n: int) -> None:
        if n:
            dive(n - 1)
        else:
            threads = [spawn(depth) for _ in range(5)]
            found.extend(thread.wait() for thread in threads)

    dive(shallow - 200)
    assert min(found) >= shallow - 2


# contextvars

var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="unset")


def test_a_thread_runs_in_a_copy_of_its_spawners_context() -> None:
    token = var.set("spawner's")
    try:
        thread = spawn(lambda: (var.get(), var.set("its own"), var.get()))
        var.set("changed after the spawn")
        before, _, after = thread.wait()
        assert (before, after) == ("spawner's", "its own")
        assert var.get() == "changed after the spawn"
    finally:
        var.reset(token)


def test_a_context_does_not_leak_into_the_next_run_on_the_runner() -> None:
    spawn(var.set, "first run").wait()
    assert spawn(var.get).wait() == "unset"


def test_contexts_stay_apart_over_switches() -> None:
    def run(name: str) -> bool:
        var.set(name)
        for _ in range(3):
            sleep(0)
            if var.get() != name:
                return False
        return True

    threads = [spawn(run, f"run {n}") for n in range(5)]
    assert all(thread.wait() for thread in threads)
    assert var.get() == "unset"


def test_an_idle_runner_keeps_no_context() -> None:
    class Value:
        pass

    value = Value()
    watch = weakref.ref(value)
    holder: contextvars.ContextVar[object] = contextvars.ContextVar("holder")
    spawn(holder.set, value).wait()
    del value
    settle()
    gc.collect()
    assert watch() is None


# Tasks and greenlets


def test_the_running_task_is_never_stale() -> None:
    main = current()

    def thread() -> bool:
        me = getcurrent()
        sleep(0)
        inner = greenlet(lambda: (current(), sleep(0), current()))
        adopted, _, again = inner.switch()
        return me is getcurrent() and adopted is again and adopted is not me

    threads = [spawn(thread) for _ in range(5)]
    assert all(thread.wait() for thread in threads)
    assert current() is main


def test_a_foreign_greenlet_may_park_and_wait() -> None:
    event = Event()
    result = []
    glet = greenlet(lambda: result.append(event.wait()))
    spawn(event.send, 5)
    glet.switch()
    assert result == [5]


def test_a_foreign_greenlet_that_ends_does_not_wake_its_parked_parent() -> None:
    """Its parent went on without it (an error was thrown into it), and waits for something else when it ends."""
    first, second = Event(), Event()

    def parent() -> object:
        child = greenlet(lambda: first.wait() or "the child's result")
        try:
            child.switch()
        except LookupError:
            pass
        return second.wait()

    thread = spawn(parent)
    settle()
    thread.kill(LookupError())
    first.send()
    settle()
    assert not thread.dead
    second.send("what it waits for")
    assert thread.wait() == "what it waits for"


def test_a_foreign_greenlet_that_fails_raises_in_its_parent() -> None:
    def child() -> None:
        sleep(0)
        raise LookupError("child")

    def parent() -> str:
        with pytest.raises(LookupError, match="child"):
            greenlet(child).switch()
        return "caught"

    assert spawn(parent).wait() == "caught"


def test_the_hub_survives_a_foreign_greenlet_whose_parent_has_ended(fake: Fake[FakePoller]) -> None:
    event, order = Event(), []

    def parent() -> None:
        child = greenlet(lambda: (event.wait(), order.append("child")))
        with pytest.raises(LookupError):
            child.switch()

    thread = spawn(parent)
    settle()
    thread.kill(LookupError())
    assert thread.dead
    event.send()
    settle()
    assert order == ["child"]
    assert spawn(lambda: 5).wait() == 5


# The end of a child that a green thread has forked


class Exited(BaseException):
    pass


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The status that the process would have ended with; it raises `Exited` instead."""
    statuses: list[int] = []

    def leave(status: int) -> None:
        statuses.append(status)
        raise Exited

    monkeypatch.setattr(module, "os_exit", leave)
    return statuses


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (None, 0),
        (GreenletExit(), 0),
        (LookupError("reported already"), 1),
        (SystemExit(), 0),
        (SystemExit(3), 3),
        (SystemExit(256 + 5), 5),
        (SystemExit(-1), 255),
        (SystemExit("a message"), 1),
    ],
)
def test_a_child_ends_as_a_program_does(
    exits: list[int], capsys: pytest.CaptureFixture[str], failure: BaseException | None, status: int
) -> None:
    with pytest.raises(Exited):
        module.end_of_forked_child(failure)
    assert exits == [status]
    assert capsys.readouterr().err == ("a message\n" if str(failure) == "a message" else "")


def test_streams_that_cannot_be_flushed_are_left(exits: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []

    class Stream:
        def flush(self) -> None:
            flushed.append(1)
            raise OSError("broken")

    monkeypatch.setattr(sys, "stdout", Stream())
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(Exited):
        module.end_of_forked_child(SystemExit("nowhere to say it"))
    assert exits == [1]
    assert flushed == [1]


def test_a_child_ends_with_the_green_thread_that_forked() -> None:
    """Real descriptors: the hub of a test's own is not that of this process."""

    def fork() -> int:
        pid = os.fork()
        if pid == 0:
            raise SystemExit(3)
        return pid

    assert os.waitstatus_to_exitcode(os.waitpid(spawn(fork).wait(), 0)[1]) == 3
