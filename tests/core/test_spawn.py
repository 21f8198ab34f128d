"""Starting, waiting for, linking to green threads: eventlet's semantics."""

import gc
import sys
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from greenlet import greenlet

from greening._core.current import current
from greening._core.greenthread import GreenThread, getcurrent, spawn, spawn_after, spawn_after_local, spawn_n
from greening._core.waiting import sleep, yield_now
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.sync.queue import Queue
from greening.testing import Fake, FakePoller, settle

pytestmark = pytest.mark.usefixtures("fake")


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is reported as unhandled, in place of a report."""
    seen: list[Any] = []
    monkeypatch.setattr("threading.excepthook", seen.append)
    return seen


def fail(error: BaseException) -> None:
    raise error


# Order


def test_spawn_never_runs_before_the_caller_yields() -> None:
    ran: list[int] = []
    thread = spawn(ran.append, 1)
    spawn_n(ran.append, 2)
    assert ran == []
    assert not thread
    assert not thread.dead
    assert not thread.started
    sleep(0)
    assert ran == [1, 2]
    assert thread.dead


def test_start_order_is_spawn_order_also_among_those_already_runnable() -> None:
    order: list[str] = []

    def first() -> None:
        order.append("first")
        spawn(order.append, "child")
        sleep(0)
        order.append("first again")

    spawn(first)
    spawn(order.append, "second")
    settle()
    assert order == ["first", "second", "child", "first again"]


def test_sleep_zero_lets_every_runnable_thread_run_once() -> None:
    order: list[str] = []

    def loop(name: str) -> None:
        for number in range(3):
            order.append(f"{name}{number}")
            sleep(0)

    spawn(loop, "a")
    spawn(loop, "b")
    settle()
    assert order == ["a0", "b0", "a1", "b1", "a2", "b2"]


@pytest.mark.parametrize("seconds", [0, 0.0, -1, -1.5, False])
def test_sleep_of_nothing_is_a_yield(fake: Fake[FakePoller], seconds: float) -> None:
    ran: list[int] = []
    spawn(ran.append, 1)
    start = fake.clock.now()
    sleep(seconds)
    assert ran == [1]
    assert fake.clock.now() == start


def test_sleepers_wake_in_the_order_of_their_deadlines(fake: Fake[FakePoller]) -> None:
    order: list[float] = []

    def nap(seconds: float) -> None:
        sleep(seconds)
        order.append(seconds)

    threads = [spawn(nap, seconds) for seconds in (3, 0.5, 2, 0.001)]
    start = fake.clock.now()
    for thread in threads:
        thread.wait()
    assert order == [0.001, 0.5, 2, 3]
    assert fake.clock.now() == start + 3


@pytest.mark.parametrize(("seconds", "error"), [("1", TypeError), (None, TypeError), (float("nan"), ValueError)])
def test_sleep_wants_a_number(seconds: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="seconds"):
        sleep(seconds)
    settle()


def test_yield_now_returns_at_once_when_no_other_thread_is_runnable(fake: Fake[FakePoller]) -> None:
    start = fake.clock.now()
    yield_now()
    ran: list[int] = []
    spawn(ran.append, 1)
    yield_now()
    assert ran == [1]
    assert fake.clock.now() == start


@pytest.mark.parametrize("start", [spawn, spawn_n])
def test_spawn_wants_a_callable(start: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="callable"):
        start(None)
    with pytest.raises(TypeError, match="callable"):
        spawn_after(1, 5)  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(TypeError, match="callable"):
        spawn_after_local(1, "f")  # type: ignore[arg-type]  # likewise


def test_arguments_reach_the_function() -> None:
    def function(*args: object, **kwargs: object) -> object:
        return args, kwargs

    assert spawn(function, 1, 2, x=3).wait() == ((1, 2), {"x": 3})
    assert spawn(function, self=2, args=3).wait() == ((), {"self": 2, "args": 3})
    assert spawn_after(0, function, 1, self=4).wait() == ((1,), {"self": 4})
    seen: list[Any] = []
    spawn(int).link(lambda *args, **kwargs: seen.append(kwargs), function=1, self=2)
    settle()
    assert seen == [{"function": 1, "self": 2}]


@pytest.mark.parametrize("start", [spawn, spawn_n, partial(spawn_after, 0), partial(spawn_after_local, 0)])
def test_the_function_may_be_given_by_its_name(start: Any) -> None:
    got: list[object] = []
    start(func=lambda **given: got.append(given), x=1)
    settle()
    assert got == [{"x": 1}]
    with pytest.raises(TypeError, match="func"):
        start(print, func=print)


def test_green_threads_take_attributes() -> None:
    thread: Any = spawn(lambda: getcurrent().tag)  # type: ignore[attr-defined]  # set in the next line
    thread.tag = "blue"
    assert thread.wait() == "blue"
    later: Any = spawn_after(0, int)
    later.entry = later
    assert later.entry is later


def test_the_main_greenlet_and_foreign_ones_take_attributes_too() -> None:
    """Where nothing else runs, `getcurrent()` gives the same object each time."""

    def of_the_running_one() -> object:
        getcurrent().tag = "blue"  # type: ignore[attr-defined]  # as programs for eventlet do
        sleep(0)
        return getcurrent().tag  # type: ignore[attr-defined]  # set above

    assert of_the_running_one() == "blue"
    assert greenlet(of_the_running_one).switch() == "blue"


# Waiting


def test_every_waiter_gets_the_result_any_number_of_times() -> None:
    thread = spawn(lambda: [1])
    waiters = [spawn(thread.wait) for _ in range(3)]
    result = thread.wait()
    assert all(waiter.wait() is result for waiter in waiters)
    assert thread.wait() is result


def test_waiters_are_woken_in_order() -> None:
    event, order = Event(), []
    thread = spawn(event.wait)
    waiters = [spawn(lambda n=n: (thread.wait(), order.append(n))) for n in range(5)]
    settle()
    event.send()
    for waiter in waiters:
        waiter.wait()
    assert order == [0, 1, 2, 3, 4]


def test_wait_with_a_timeout_raises_and_leaves(fake: Fake[FakePoller]) -> None:
    event = Event()
    thread = spawn(event.wait)
    start = fake.clock.now()
    with pytest.raises(TimeoutError, match="within 2 seconds"):
        thread.wait(2)
    assert fake.clock.now() == start + 2
    with pytest.raises(TimeoutError):
        thread.wait(timeout=0)
    event.send("x")
    assert thread.wait(1) == "x"


def test_a_thread_that_ends_just_as_the_wait_times_out(fake: Fake[FakePoller]) -> None:
    thread = spawn_after(5, lambda: "done")
    assert spawn(thread.wait, 5 + 1e-9).wait() == "done"


def test_waiting_for_oneself_is_an_error() -> None:
    def function() -> None:
        with pytest.raises(RuntimeError, match="itself"):
            getcurrent().wait()  # type: ignore[attr-defined]  # a GreenThread

    spawn(function).wait()


@pytest.mark.parametrize("timeout", ["1", object()])
def test_wait_wants_a_number(timeout: Any) -> None:
    thread = spawn(sleep, 1)
    with pytest.raises(TypeError, match="number of seconds"):
        thread.wait(timeout)
    with pytest.raises(ValueError, match="nan"):
        thread.wait(float("nan"))
    thread.wait()


def test_an_exception_is_reported_once_and_raised_to_every_waiter(reports: list[Any]) -> None:
    error = ValueError("no luck")
    thread = spawn(fail, error)
    thread.name = "worker"
    caught = []
    for _ in range(3):
        with pytest.raises(ValueError, match="no luck") as info:
            thread.wait()
        caught.append(info.value)
    assert caught == [error] * 3
    (report,) = reports
    assert report.exc_value is error
    assert report.thread.name == "worker"
    assert report.exc_traceback.tb_frame.f_code is fail.__code__, "the engine's own frames are left out"


def test_the_traceback_does_not_grow_with_each_waiter(reports: list[Any]) -> None:
    thread = spawn(fail, ValueError())
    depths = []
    for _ in range(5):
        with pytest.raises(ValueError) as info:
            thread.wait()
        depths.append(len(info.traceback))
    assert len(set(depths)) == 1


def test_without_a_hook_of_threading_the_report_goes_to_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "threading")
    thread = spawn(fail, ValueError("no luck"))
    thread.name = "the worker"
    settle()
    err = capsys.readouterr().err
    assert "Exception in thread the worker:" in err
    assert "ValueError: no luck" in err
    assert "in fail" in err


def test_a_hook_that_fails_costs_no_waiter_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.excepthook", lambda args: fail(LookupError("the hook")))
    unraisable: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", unraisable.append)
    thread = spawn(fail, ValueError())
    with pytest.raises(ValueError):
        thread.wait()
    assert isinstance(unraisable[0].exc_value, LookupError)


def test_a_hook_that_wants_to_exit_is_heard_after_the_waiters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.excepthook", lambda args: fail(SystemExit(3)))
    ended: list[object] = []
    thread = spawn(fail, ValueError())
    thread.link(ended.append)
    with pytest.raises(SystemExit):
        sleep(1)
    assert ended == [thread]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_keyboard_interrupt_and_system_exit_reach_main(kind: type[BaseException], reports: list[Any]) -> None:
    thread = spawn(fail, kind("x"))
    with pytest.raises(kind, match="x"):
        sleep(10)
    with pytest.raises(kind, match="x"):
        thread.wait()
    assert reports == []


def test_two_errors_for_main_come_one_after_the_other(reports: list[Any]) -> None:
    spawn(fail, SystemExit(1))
    spawn(fail, SystemExit(2))
    codes = []
    for _ in range(2):
        try:
            sleep(10)
        except SystemExit as error:
            codes.append(error.code)
    assert codes == [1, 2]


def test_greenlet_exit_is_not_reported(reports: list[Any]) -> None:
    thread = spawn(fail, GreenletExit("bye"))
    with pytest.raises(GreenletExit):
        thread.wait()
    assert reports == []


# Links


def test_a_link_is_called_with_the_thread_when_it_ends() -> None:
    calls: list[Any] = []
    thread = spawn(lambda: 5)
    thread.link(lambda *args, **kwargs: calls.append((args, kwargs)), 1, x=2)
    assert calls == []
    settle()
    assert calls == [((thread, 1), {"x": 2})]


def test_a_link_to_what_has_ended_is_called_at_once() -> None:
    thread = spawn(lambda: 5)
    settle()
    calls: list[Any] = []
    thread.link(calls.append)
    assert calls == [thread]


def test_links_and_waiters_come_in_their_order() -> None:
    order: list[str] = []
    thread = spawn(sleep, 1)
    thread.link(lambda _: order.append("a"))
    waiter = spawn(lambda: (thread.wait(), order.append("waiter")))
    settle()
    thread.link(lambda _: order.append("b"))
    waiter.wait()
    assert order == ["a", "b", "waiter"], "the waiter was woken between them, and runs when the links are done"


def test_unlink_takes_back_what_was_linked_with_the_same_arguments() -> None:
    calls: list[Any] = []
    thread = spawn(lambda: 5)
    thread.link(calls.append)
    thread.link(print, 1, end="")
    assert not thread.unlink(print, 2)
    assert thread.unlink(print, 1, end="")
    assert not thread.unlink(print, 1, end="")
    assert thread.unlink(calls.append)
    settle()
    assert calls == []
    assert not thread.unlink(calls.append)


def test_in_a_link_the_thread_has_ended_and_gives_its_result() -> None:
    seen: list[Any] = []
    thread = spawn(lambda: 5)
    thread.link(lambda gt: seen.append((gt.dead, bool(gt), gt.wait(), getcurrent() is gt)))
    settle()
    assert seen == [(True, False, 5, True)]


def test_a_link_may_park() -> None:
    channel: Queue[Any] = Queue(0)
    order: list[str] = []
    thread = spawn(lambda: 5)
    thread.link(lambda gt: (channel.put(gt.wait()), order.append("link")))
    thread.link(lambda gt: order.append("second link"))
    waiter = spawn(thread.wait)
    settle()
    assert thread.wait() == 5
    assert waiter.wait() == 5
    assert order == []
    assert channel.get() == 5
    settle()
    assert order == ["link", "second link"]


def test_an_ended_thread_is_not_killed_out_of_its_links() -> None:
    event, done = Event(), []
    thread = spawn(lambda: 5)
    thread.link(lambda gt: (event.wait(), done.append(1)))
    settle()
    thread.kill()
    event.send()
    settle()
    assert done == [1]
    assert thread.wait() == 5


def test_the_error_of_a_link_is_reported_and_costs_the_others_nothing(reports: list[Any]) -> None:
    calls: list[Any] = []
    thread = spawn(lambda: 5)
    for error in (ValueError("first"), GreenletExit(), BaseException("second")):
        thread.link(lambda gt, error=error: fail(error))
    thread.link(calls.append)
    assert thread.wait() == 5
    settle()
    assert calls == [thread]
    assert [str(report.exc_value) for report in reports] == ["first", "", "second"]


def test_system_exit_in_a_link_reaches_main() -> None:
    thread = spawn(lambda: 5)
    thread.link(lambda gt: fail(SystemExit(4)))
    with pytest.raises(SystemExit):
        sleep(1)
    assert thread.wait() == 5


# Later


def test_spawn_after_starts_when_the_time_has_come(fake: Fake[FakePoller]) -> None:
    started: list[float] = []
    threads = [spawn_after(n, lambda: started.append(fake.clock.now())) for n in (2, 1)]
    start = fake.clock.now()
    assert not threads[0]
    for thread in threads:
        thread.wait()
    assert started == [start + 1, start + 2]


@pytest.mark.parametrize("later", [spawn_after, spawn_after_local])
@pytest.mark.parametrize("seconds", [0, -1])
def test_without_a_delay_it_has_started_after_the_next_sleep_of_zero(later: Any, seconds: float) -> None:
    started: list[int] = []
    threads = [spawn(started.append, 1), later(seconds, started.append, 2), spawn(started.append, 3)]
    assert started == []
    sleep(0)
    assert started == [1, 2, 3]
    for thread in threads:
        thread.wait()


def test_spawn_after_local_does_not_keep_its_maker_alive_while_it_runs() -> None:
    event = Event()

    def maker() -> GreenThread[Any]:
        return spawn_after_local(0, event.wait)

    made = spawn(maker)
    made_it, thread = weakref.ref(made), made.wait()
    assert thread.dead, "its maker has ended first"
    made = spawn(lambda: [spawn_after_local(0, event.wait), sleep(0)][0])
    sleep(0)
    sleep(0)
    made_it, thread = weakref.ref(made), made.wait()
    assert thread.started
    del made
    assert made_it() is None
    event.send(1)
    assert thread.wait() == 1


def test_cancel_prevents_the_start(fake: Fake[FakePoller]) -> None:
    thread = spawn_after(2, fail, AssertionError("started"))
    thread.cancel()
    assert thread.dead
    with pytest.raises(GreenletExit):
        thread.wait()
    sleep(3)
    assert len(fake.hub.timers) == 0


def test_cancel_leaves_what_has_started_alone() -> None:
    event = Event()
    thread = spawn_after(1, event.wait)
    sleep(2)
    assert thread.started
    thread.cancel()
    event.send(7)
    assert thread.wait() == 7


def test_cancel_of_a_spawned_thread_that_has_not_begun() -> None:
    thread = spawn(fail, AssertionError("started"))
    thread.cancel()
    with pytest.raises(GreenletExit):
        thread.wait()


def test_spawn_after_local_starts_only_while_its_maker_lives() -> None:
    started: list[str] = []
    threads: list[GreenThread[Any]] = []

    def maker(seconds: float) -> None:
        threads.append(spawn_after_local(2, started.append, f"{seconds}"))
        sleep(seconds)

    spawn(maker, 1)
    spawn(maker, 3)
    sleep(5)
    assert started == ["3"]
    with pytest.raises(GreenletExit):
        threads[0].wait()
    assert threads[1].wait() is None


def test_spawn_after_local_of_main_always_starts() -> None:
    thread = spawn_after_local(1, lambda: 5)
    assert thread.wait() == 5


def test_spawn_after_local_leaves_nothing_at_its_maker() -> None:
    def maker() -> None:
        for _ in range(10):
            spawn_after_local(0.1, int)
        sleep(1)
        me = getcurrent()
        assert isinstance(me, GreenThread)
        assert not me._waiters
        assert not me._links

    spawn(maker)
    sleep(2)


@pytest.mark.parametrize("seconds", ["1", None])
def test_spawn_after_wants_a_number(fake: Fake[FakePoller], seconds: Any) -> None:
    with pytest.raises(TypeError, match="number of seconds"):
        spawn_after(seconds, int)
    with pytest.raises(ValueError, match="nan"):
        spawn_after(float("nan"), int)
    assert len(fake.hub.timers) == 0


# Identity


def test_getcurrent_is_the_thread_itself() -> None:
    thread = spawn(getcurrent)
    assert thread.wait() is thread
    assert getcurrent() is current()


def test_every_thread_has_an_ident_and_a_name_of_its_own() -> None:
    threads = [spawn(int) for _ in range(100)]
    assert len({thread.ident for thread in threads}) == 100
    assert len({thread.name for thread in threads}) == 100
    threads[0].name = "x"
    assert threads[0].name == "x"
    assert "'x' new" in repr(threads[0])
    settle()
    assert "'x' dead" in repr(threads[0])


# Memory, without the garbage collector


class Thing:
    """Something that can be watched dying."""


def freed(make: Callable[[], GreenThread[Any]]) -> bool:
    """True when the thread that `make` gives is freed with the last reference to it, without the collector."""
    gc.collect()
    gc.disable()
    try:
        thread = make()
        settle()
        assert thread.dead
        watch = weakref.ref(thread)
        del thread
        return watch() is None
    finally:
        gc.enable()


def test_a_finished_thread_is_freed_by_reference_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.excepthook", lambda args: None)

    def failing() -> GreenThread[Any]:
        return spawn(fail, ValueError())

    def killed() -> GreenThread[Any]:
        thread = spawn(sleep, 100)
        settle()
        thread.kill()
        return thread

    def killed_before_its_start() -> GreenThread[Any]:
        thread = spawn(sleep, 100)
        thread.kill()
        return thread

    def timed() -> GreenThread[Any]:
        thread = spawn(sleep, 1)
        thread.wait(100)
        return thread

    for make in (lambda: spawn(int), failing, killed, killed_before_its_start, timed):
        assert freed(make), make


def test_the_traceback_that_a_waiter_sees_does_not_keep_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.excepthook", lambda args: None)
    threads = [spawn(fail, ValueError())]
    watch = weakref.ref(threads[0])
    gc.disable()
    try:
        threads.pop().wait()  # no frame of ours knows it
    except ValueError as error:
        settle()
        assert error.__traceback__ is not None
        assert watch() is None
    finally:
        gc.enable()


def test_a_parked_thread_does_not_keep_the_one_that_ran_after_it() -> None:
    things = [weakref.ref(thing) for thing in [Thing()]]

    def make() -> Thing:
        thing = Thing()
        things.append(weakref.ref(thing))
        return thing

    event = Event()
    parked = [spawn(event.wait) for _ in range(5)]
    settle()
    for _ in range(3):
        for _ in range(3):
            spawn(make)
        spawn(event.wait)
        settle()
    gc.collect()
    assert [thing() for thing in things] == [None] * 10
    event.send()
    for thread in parked:
        thread.wait()


def test_a_killed_thread_lets_go_of_what_it_was_using() -> None:
    thing = Thing()
    watch = weakref.ref(thing)

    def use(thing: Thing) -> None:
        sleep(100)

    thread = spawn(use, thing)
    del thing
    settle()
    thread.kill()
    assert watch() is None
    assert thread.dead


def test_arguments_are_freed_at_the_end_and_their_finalisers_may_park() -> None:
    order: list[str] = []

    class Slow:
        def __del__(self) -> None:
            sleep(1)
            order.append("finalised")

    thread = spawn(lambda slow: order.append("ran"), Slow())
    waiter = spawn(thread.wait)
    waiter.wait()
    sleep(2)
    assert order == ["ran", "finalised"]
    assert thread.dead


def test_the_result_of_a_thread_that_is_not_kept_may_have_a_finaliser_that_parks(fake: Fake[FakePoller]) -> None:
    order: list[str] = []

    class Slow:
        def __del__(self) -> None:
            sleep(1)
            order.append("finalised")

    spawn(Slow)
    sleep(5)
    assert order == ["finalised"]
    assert spawn(lambda: 7).wait() == 7


def test_ten_thousand_spawns_and_kills_leave_no_objects() -> None:
    def round_of(count: int) -> None:
        for n in range(count):
            thread = spawn(sleep, 1000)
            if n % 2:
                yield_now()
            thread.kill()
            spawn(int).wait()

    round_of(100)
    gc.collect()
    before = len(gc.get_objects())
    round_of(1000)
    gc.collect()
    assert len(gc.get_objects()) - before < 50


def test_a_thread_that_is_lost_after_its_function_returned_tells_its_waiters() -> None:
    thread = spawn(int)
    thread._result = 5  # the function has returned, and the thread has not been settled yet
    thread.orphan("its OS thread has ended")
    with pytest.raises(GreenletExit, match="has not ended"):
        thread.wait()
