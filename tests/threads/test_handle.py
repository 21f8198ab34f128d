"""Starting and joining green threads the way `_thread` does."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from greening._core.current import current, get_hub
from greening._core.greenthread import spawn
from greening._originals import allocate_lock, get_ident, start_new_thread
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.testing import Fake, settle, wait_until_parked
from greening.threads import handle as module
from greening.threads.handle import (
    Handle,
    NativeHandle,
    StartedThread,
    count,
    live_thread,
    make_thread_handle,
    set_sentinel,
    shutdown,
    start_joinable_thread,
    start_owned_thread,
)
from greening.threads.handle import start_new_thread as start_green_thread

Unraisable = list[tuple[type[BaseException], str]]


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> Unraisable:
    """What `sys.unraisablehook` was given: kind and message."""
    seen: Unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append((args.exc_type, args.err_msg)))
    return seen


class FakeRealHandle:
    """The handle of an OS thread that ends when the test says so."""

    def __init__(self, ident: int = 7) -> None:
        self.ident = ident
        self.done = False

    def is_done(self) -> bool:
        return self.done

    def _set_done(self) -> None:
        self.done = True


# Starting


@pytest.mark.usefixtures("fake")
def test_a_started_thread_begins_when_the_starter_parks_in_the_order_of_starting() -> None:
    ran: list[Any] = []
    idents = [start_green_thread(lambda *args, **kwargs: ran.append((args, kwargs)), (n,), {"a": n}) for n in range(3)]
    assert ran == []
    assert len({*idents, current().ident}) == 4
    settle()
    assert ran == [((n,), {"a": n}) for n in range(3)]


def test_a_thread_that_is_started_in_another_os_thread_runs_in_the_hub_of_the_main_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = get_hub()
    monkeypatch.setattr(module, "home_hub", lambda: hub)
    ran = Event()
    with hub.external_wait():
        start_new_thread(start_green_thread, (lambda: ran.send(get_ident()), ()))
        assert ran.wait(5) == get_ident()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, ()), "first arg must be callable"),
        ((print, []), "2nd arg must be a tuple"),
        ((print, (), []), "optional 3rd arg must be a dictionary"),
    ],
)
def test_arguments_are_checked_as_the_stdlib_does(arguments: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        start_green_thread(*arguments)


def test_joinable_threads_check_their_arguments() -> None:
    with pytest.raises(TypeError, match="thread function must be callable"):
        start_joinable_thread(1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'handle' must be a _ThreadHandle"):
        start_joinable_thread(print, 1)  # type: ignore[arg-type]


def test_no_thread_is_started_at_interpreter_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_finalizing", lambda: True)
    with pytest.raises(RuntimeError, match="can't create new thread at interpreter shutdown"):
        start_green_thread(print, ())


def test_starting_is_audited() -> None:
    seen: list[str] = []
    watching = [True]
    sys.addaudithook(lambda event, args: seen.append(event) if watching and "_thread." in event else None)
    try:
        start_green_thread(int, ())
        start_joinable_thread(int)
        settle()
    finally:
        watching.clear()
    assert seen == ["_thread.start_new_thread", "_thread.start_joinable_thread"]


def test_a_joinable_thread_may_end_before_its_starter_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    # A plain OS thread starts it in the hub of the main thread, which is not going to wait for the starter.
    start = module._start

    def start_and_wait(thread: StartedThread) -> int:
        ident = start(thread)
        thread.wait(5)
        return ident

    monkeypatch.setattr(module, "_start", start_and_wait)
    done = start_joinable_thread(lambda: None)
    done.join(5)
    assert done.is_done()


# While it runs


@pytest.mark.usefixtures("fake")
def test_started_threads_are_counted_and_found_by_ident_until_they_end() -> None:
    before = count()
    gate = Event()
    ident = start_green_thread(gate.wait, ())
    assert count() == before + 1
    found = live_thread(ident)
    assert found is not None and found.ident == ident
    spawn(gate.wait)
    assert count() == before + 1, "a spawned thread is not one of `_thread`'s"
    gate.send(None)
    settle()
    assert count() == before
    assert live_thread(ident) is None


def test_native_threads_are_counted_too() -> None:
    before = count()
    gate = allocate_lock()
    gate.acquire()
    begun, ended = Event(), Event()
    hub = get_hub()

    def body() -> None:
        hub.post(lambda: begun.send(None))
        gate.acquire()
        hub.post(lambda: ended.send(None))

    start_new_thread(body, ())
    begun.wait(5)
    assert count() == before + 1
    gate.release()
    ended.wait(5)


@pytest.mark.usefixtures("fake")
def test_a_started_thread_has_the_name_of_its_thread_object() -> None:
    class Owner:
        name = "first"

        def _bootstrap(self) -> None:
            seen.append(current().name)
            self.name = "second"
            seen.append(current().name)
            current().name = "its own"
            seen.append(current().name)

    seen: list[str] = []
    start_owned_thread(Owner()._bootstrap, ())
    start_joinable_thread(Owner()._bootstrap)
    settle()
    assert seen == ["first", "second", "its own"] * 2


# Its end


@pytest.mark.usefixtures("fake")
def test_an_exception_goes_to_the_hook_for_unraisable_ones(unraisable: Unraisable) -> None:
    def fail(error: BaseException) -> None:
        raise error

    for error in (KeyError("seen"), SystemExit(3), GreenletExit(), KeyboardInterrupt()):
        start_green_thread(fail, (error,))
    settle()
    assert [kind for kind, _ in unraisable] == [KeyError, KeyboardInterrupt]
    assert all(message.startswith("Exception ignored in thread started by") for _, message in unraisable)


@pytest.mark.usefixtures("fake")
def test_a_broken_hook_is_reported_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(args: object) -> None:
        raise ValueError("the hook")

    monkeypatch.setattr(sys, "unraisablehook", broken)
    done = start_joinable_thread(lambda: 1 / 0)
    done.join()
    assert "ValueError: the hook" in capsys.readouterr().err


@pytest.mark.usefixtures("fake")
def test_the_sentinel_of_a_thread_is_released_at_its_end() -> None:
    gate = Event()
    sentinels: list[Any] = []

    def body() -> None:
        sentinel = set_sentinel()
        sentinel.acquire()
        sentinels.append(sentinel)
        gate.wait()

    start_green_thread(body, ())
    spawn(body)
    settle()
    assert [sentinel.locked() for sentinel in sentinels] == [True, True]
    gate.send(None)
    settle()
    assert [sentinel.locked() for sentinel in sentinels] == [False, False]


@pytest.mark.usefixtures("fake")
def test_a_sentinel_that_was_released_already_is_left_alone(unraisable: Unraisable) -> None:
    for start in (lambda: start_green_thread(set_sentinel, ()), lambda: spawn(set_sentinel)):
        start()
    settle()
    assert unraisable == []


# Handles


@pytest.mark.usefixtures("fake")
def test_join_parks_until_the_thread_has_ended() -> None:
    gate = Event()
    done = start_joinable_thread(gate.wait)
    joiner = spawn(done.join)
    wait_until_parked(joiner)
    assert not done.is_done()
    gate.send(None)
    joiner.wait()
    assert done.is_done()
    assert done.join() is None, "once more"


@pytest.mark.usefixtures("fake")
def test_join_gives_up_after_its_timeout_in_seconds(fake: Fake) -> None:
    gate = Event()
    done = start_joinable_thread(gate.wait)
    before = fake.clock.now()
    done.join(2)
    assert fake.clock.now() == pytest.approx(before + 2)
    assert not done.is_done()
    gate.send(None)
    done.join(-1)
    assert done.is_done()


@pytest.mark.usefixtures("fake")
def test_what_is_not_started_or_is_the_caller_cannot_be_joined() -> None:
    done = Handle()
    assert done.ident == 0
    for method in (done.join, done._set_done):
        with pytest.raises(RuntimeError, match="thread not started"):
            method()
    messages: list[str] = []

    def join_itself() -> None:
        try:
            done.join()
        except RuntimeError as error:
            messages.append(str(error))

    assert start_joinable_thread(join_itself, done) is done
    assert repr(done) == f"<_thread._ThreadHandle object: ident={done.ident}>"
    settle()
    assert messages == ["Cannot join current thread"]
    with pytest.raises(RuntimeError, match="thread already started"):
        start_joinable_thread(join_itself, done)


@pytest.mark.usefixtures("fake")
def test_a_handle_that_is_set_done_wakes_all_that_join_it() -> None:
    done = make_thread_handle(99)
    joiners = [spawn(done.join) for _ in range(3)]
    settle()
    assert not any(joiner.dead for joiner in joiners)
    done._set_done()
    for joiner in joiners:
        joiner.wait()


@pytest.mark.usefixtures("fake")
def test_joining_an_os_thread_looks_until_it_has_ended() -> None:
    real = FakeRealHandle()
    done = NativeHandle(real)
    assert done.ident == 7
    joiner = spawn(done.join)
    wait_until_parked(joiner)
    real.done = True
    joiner.wait()
    assert done.is_done()
    other = FakeRealHandle()
    done = NativeHandle(other)
    done.join(0.001)
    assert not done.is_done()
    done._set_done()
    assert other.done


@pytest.mark.usefixtures("fake")
def test_shutdown_joins_all_joinable_threads_that_are_no_daemons() -> None:
    gate = Event()
    ended: list[str] = []

    def body(name: str, then: Callable[[], object] = int) -> None:
        gate.wait()
        then()
        ended.append(name)

    def start(name: str, then: Callable[[], object] = int) -> None:
        start_joinable_thread(lambda: body(name, then), daemon=False)

    start("first")
    start("parent", lambda: start("child"))
    daemon = Event()
    start_joinable_thread(daemon.wait, daemon=True)
    waiter = spawn(shutdown)
    wait_until_parked(waiter)
    gate.send(None)
    waiter.wait()
    assert sorted(ended) == ["child", "first", "parent"]
    daemon.send(None)
    settle()


# Fork


@pytest.mark.usefixtures("fake")
def test_in_the_child_of_a_fork_all_other_threads_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_live", set(module._live))  # the child's
    gate = Event()
    others = [start_joinable_thread(gate.wait), make_thread_handle(99), NativeHandle(FakeRealHandle())]
    seen: list[bool] = []

    def fork() -> None:
        mine = make_thread_handle(current().ident)
        module._after_fork_in_child()
        seen.extend(each.is_done() for each in (*others, mine))
        seen.append(live_thread(current().ident) is current())

    start_green_thread(fork, ())
    settle()
    assert seen == [True, True, True, False, True]
    gate.send(None)
    settle()


@pytest.mark.slow
def test_abandoned_threads_are_not_waited_for_at_exit(run_program) -> None:
    done = run_program(
        """
import greening; greening.monkey_patch()
import threading
from greening.threads.handle import abandon
thread = threading.Thread(target=threading.Event().wait)
thread.start()
abandon()
print("ends")
"""
    )
    assert done.stdout == "ends\n"
