"""The import lock of the process: a fork waits until no other green thread holds it."""

import _imp
import pickle
import sys
from collections.abc import Iterator

import pytest
from greenlet import greenlet

from greening._core.greenthread import kill, spawn
from greening.interop import importlock
from greening.interop.importlock import _before_fork, acquire_lock, release_lock
from greening.sync.event import Event
from greening.testing import settle, wait_until_parked


@pytest.fixture(autouse=True)
def _lock_is_free() -> Iterator[None]:
    yield
    assert not importlock._holders
    assert not _imp.lock_held()


def hold(until: Event) -> None:
    acquire_lock()
    try:
        until.wait()
    finally:
        release_lock()


def test_it_is_the_real_lock_and_may_be_taken_again() -> None:
    acquire_lock()
    acquire_lock()
    assert _imp.lock_held()
    release_lock()
    assert _imp.lock_held()
    release_lock()
    assert not _imp.lock_held()


def test_what_is_not_held_cannot_be_released() -> None:
    with pytest.raises(RuntimeError, match="not holding the import lock"):
        release_lock()


def test_a_fork_waits_until_the_other_holder_lets_go() -> None:
    go_on = Event()
    holder = spawn(hold, go_on)
    wait_until_parked(holder)
    forking = spawn(_before_fork)
    settle()
    assert not forking.dead
    go_on.send()
    forking.wait(5)
    assert holder.dead


def test_a_fork_of_the_holder_does_not_wait_for_itself() -> None:
    acquire_lock()
    try:
        _before_fork()
    finally:
        release_lock()


def test_a_fork_does_not_wait_for_a_holder_that_is_dead() -> None:
    holder = greenlet(acquire_lock)
    holder.switch()
    assert holder.dead and _imp.lock_held()
    _before_fork()
    release_lock()
    assert importlock._holders == [holder]  # another has given it back
    importlock._holders.clear()


def test_a_lock_that_was_given_back_by_a_name_captured_earlier_holds_up_no_fork() -> None:
    go_on = Event()
    holder = spawn(hold, go_on)
    holder.quiet = True
    wait_until_parked(holder)
    importlock._real_release()
    _before_fork()
    acquire_lock()  # so that the holder may release
    importlock._holders.pop()
    go_on.send()
    holder.wait(5)


def test_a_holder_that_is_killed_holds_up_no_fork() -> None:
    holder = spawn(hold, Event())
    wait_until_parked(holder)
    kill(holder)
    _before_fork()


def test_without_a_holder_or_in_a_thread_without_a_hub_a_fork_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    _before_fork()
    go_on = Event()
    holder = spawn(hold, go_on)
    wait_until_parked(holder)
    monkeypatch.setattr(importlock, "has_hub", lambda: False)
    _before_fork()
    go_on.send()
    holder.wait(5)


def test_while_the_interpreter_ends_there_are_no_greenlets_and_no_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    def finalized() -> greenlet:
        raise RuntimeError("finalizing")

    monkeypatch.setattr(importlock, "getcurrent", finalized)
    acquire_lock()
    assert _imp.lock_held() and not importlock._holders
    release_lock()


def test_the_functions_pass_for_those_of_the_module() -> None:
    for function in (acquire_lock, release_lock):
        assert function.__module__ == "_imp"
        assert pickle.loads(pickle.dumps(function)) is getattr(sys.modules["_imp"], function.__name__)
