"""Which hub, which task: made on first use, gone with its OS thread, in order after a fork."""

import gc
import os
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from greenlet import greenlet

from greening._core import current as module
from greening._core.blocking import BlockingTask
from greening._core.current import ForeignTask, current, get_hub, has_hub, hubless, hubs, in_hub, use_hub
from greening._core.greenthread import spawn
from greening._core.running import waiting_task
from greening._core.task import DEAD
from greening._core.waiting import sleep
from greening._originals import allocate_lock, start_new_thread
from greening.sync.event import Event
from greening.testing import Fake, FakePoller, settle, wait_until_parked


def test_an_os_thread_gets_a_hub_on_first_use_and_takes_it_along(in_os_thread: Callable[..., Any]) -> None:
    before = list(hubs)

    def body() -> Any:
        assert not has_hub()
        hub = get_hub()
        assert has_hub()
        assert get_hub() is hub
        assert hub in hubs
        assert current() is hub.main
        return hub

    hub = in_os_thread(body)
    assert hub.closed
    assert hubs == before


def test_a_greenlet_below_the_main_one_may_be_the_first_to_ask(in_os_thread: Callable[..., Any]) -> None:
    def body() -> None:
        task = greenlet(current).switch()
        assert isinstance(task, ForeignTask)
        assert task is not get_hub().main
        assert current() is get_hub().main

    in_os_thread(body)


def test_a_foreign_greenlet_has_one_task_and_is_not_kept_by_it(fake: Fake[FakePoller]) -> None:
    glet = greenlet(lambda: (current(), current()))
    first, second = glet.switch()
    assert first is second
    assert first.greenlet is glet
    assert first in fake.hub.adopted
    del glet
    gc.collect()
    assert first.greenlet is None


def test_a_foreign_greenlet_may_wait(fake: Fake[FakePoller]) -> None:
    event, got = Event(), []

    def body() -> None:
        glet = greenlet(lambda: got.append(event.wait()))
        glet.switch()

    thread = spawn(body)
    settle()
    event.send("woken")
    thread.wait()
    assert got == ["woken"]


def test_a_main_greenlet_that_only_waits_gets_no_hub_and_another_greenlet_does(
    in_os_thread: Callable[..., Any],
) -> None:
    def body() -> list[object]:
        kinds: list[object] = [type(waiting_task()), has_hub()]
        kinds += [type(greenlet(waiting_task).switch()), has_hub()]
        return kinds

    assert in_os_thread(body) == [BlockingTask, False, ForeignTask, True]


def test_an_os_thread_may_block_until_something_green_runs_in_it(in_os_thread: Callable[..., Any]) -> None:
    def body() -> tuple[bool, bool]:
        before = hubless()
        get_hub()
        return before, hubless()

    assert not hubless(), "the first OS thread never may"
    assert in_os_thread(body) == (True, False)


def test_without_greenlets_an_os_thread_may_block_if_the_interpreter_ends(
    monkeypatch: pytest.MonkeyPatch, in_os_thread: Callable[..., Any]
) -> None:
    def gone() -> None:
        raise RuntimeError("there are no greenlets any more")

    get_hub()
    monkeypatch.setattr(module, "_getcurrent", gone)
    assert not hubless()
    monkeypatch.setattr(module, "is_finalizing", lambda: True)
    assert hubless()
    assert in_os_thread(hubless)


def test_the_hub_knows_when_it_runs_itself(fake: Fake[FakePoller]) -> None:
    asked: list[bool] = []
    fake.hub.call_at(fake.clock.now() + 1, lambda: asked.append(in_hub()))
    sleep(1)
    assert asked == [True]
    assert not in_hub()
    assert not spawn(in_hub).wait()
    assert not greenlet(in_hub).switch()


def test_a_test_may_have_a_hub_of_its_own(fake: Fake[FakePoller]) -> None:
    assert use_hub(None) is fake.hub
    assert not has_hub()
    assert fake.hub not in hubs
    assert use_hub(fake.hub) is None
    assert get_hub() is fake.hub


# The child of a fork


def in_child(check: Callable[[], None]) -> int:
    """The exit status of a child in which `check` runs: 0 if it raises nothing."""
    pid = os.fork()
    if pid == 0:
        try:
            check()
        except BaseException:
            os.write(2, traceback.format_exc().encode())
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_in_a_child_the_forking_greenlet_is_the_main_one_and_the_others_are_dead() -> None:
    thread = spawn(Event().wait)
    sleep(0)
    hub = get_hub()

    def check() -> None:
        assert hubs == [hub]
        assert get_hub() is hub
        assert thread.dead and thread.state == DEAD
        assert not hub.runners and not hub.ready
        assert hub.main is current()
        assert gc.isenabled()
        assert spawn(lambda: 5).wait() == 5
        sleep(0.001)

    assert in_child(check) == 0
    assert not thread.dead
    thread.kill()


def test_the_child_of_a_green_thread_has_that_one_alone() -> None:
    def body() -> int:
        me = current()

        def check() -> None:
            assert me.hub.main is me
            assert current() is me
            assert spawn(lambda: 5).wait() == 5

        return in_child(check)

    assert spawn(body).wait() == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_in_a_child_the_hubs_of_other_os_threads_are_closed_and_their_tasks_lost() -> None:
    made: list[Any] = []
    begun, end = allocate_lock(), Event()
    begun.acquire()

    def body() -> None:
        made.extend([current(), spawn(Event().wait)])
        begun.release()
        end.wait()

    start_new_thread(body, ())
    begun.acquire()
    main, thread = made
    wait_until_parked(thread)

    def check() -> None:
        assert hubs == [get_hub()]
        assert main.state == DEAD and thread.dead
        assert main.hub.wakeup.fileno() == -1
        assert not main.wake()

    assert in_child(check) == 0
    end.send()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_in_a_child_of_an_os_thread_without_a_hub_everything_is_made_anew(in_os_thread: Callable[..., Any]) -> None:
    before = get_hub()

    def check() -> None:
        assert before not in hubs
        assert spawn(lambda: 5).wait() == 5
        assert hubs == [current().hub]
        sleep(0.001)

    assert in_os_thread(in_child, check) == 0
