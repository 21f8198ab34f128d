"""The end of an OS thread that has a hub: all that is left in it ends, and nothing is left open."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from greening._core import thread_exit
from greening._core.current import get_hub
from greening._core.greenthread import GreenThread, spawn
from greening._core.task import DEAD
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.event import Event


def test_parked_green_threads_end_with_their_finally_blocks(in_os_thread: Callable[..., Any]) -> None:
    ended: list[str] = []

    def wait() -> None:
        try:
            Event().wait()
        except GreenletExit as error:
            ended.append(str(error))
            raise
        finally:
            sleep(0)  # a `finally` block may let others run
            ended.append("finally")

    def body() -> GreenThread[None]:
        thread = spawn(wait)
        thread.name = "waiter"
        sleep(0)
        return thread

    thread = in_os_thread(body)
    assert ended == ["waiter was ended, since its OS thread has ended", "finally"]
    assert thread.dead
    with pytest.raises(GreenletExit):
        thread.wait()


def test_a_green_thread_that_has_not_begun_never_runs(in_os_thread: Callable[..., Any]) -> None:
    ran: list[int] = []

    def body() -> list[GreenThread[None]]:
        begun = spawn(Event().wait)  # the others are told while this one ends
        sleep(0)
        return [begun, spawn(ran.append, 1)]

    begun, never = in_os_thread(body)
    assert ran == []
    assert begun.dead
    with pytest.raises(GreenletExit, match="has not ended, but its OS thread has ended"):
        never.wait()


def test_one_that_goes_on_waiting_is_told_again_and_then_left(in_os_thread: Callable[..., Any]) -> None:
    told: list[str] = []

    def stubborn() -> None:
        while True:
            try:
                Event().wait()
            except GreenletExit:
                told.append("told")

    def body() -> GreenThread[None]:
        thread = spawn(stubborn)
        sleep(0)
        return thread

    thread = in_os_thread(body)
    assert told == ["told"] * thread_exit._LAST_CALLS
    assert thread.state == DEAD
    with pytest.raises(GreenletExit, match="has not ended, but its OS thread has ended"):
        thread.wait()


def test_one_that_runs_on_and_on_is_left(in_os_thread: Callable[..., Any]) -> None:
    turns: list[int] = []

    def body() -> None:
        def busy() -> None:
            while True:
                try:
                    sleep(0)
                    turns.append(1)
                except GreenletExit:
                    continue

        spawn(busy)
        sleep(0)

    in_os_thread(body)
    assert len(turns) <= 2 * thread_exit._LAST_CALLS * thread_exit._LAST_TURNS


def test_an_error_that_comes_up_at_the_end_costs_the_others_nothing(in_os_thread: Callable[..., Any]) -> None:
    ended: list[str] = []

    def leave() -> None:
        try:
            Event().wait()
        except GreenletExit:
            raise SystemExit(3) from None

    def wait() -> None:
        try:
            Event().wait()
        finally:
            ended.append("finally")

    def body() -> None:
        spawn(leave)
        spawn(wait)
        sleep(0)

    in_os_thread(body)
    assert ended == ["finally"]


def test_a_finaliser_that_waits_in_the_hub_is_waited_for(in_os_thread: Callable[..., Any]) -> None:
    order: list[str] = []

    def body() -> None:
        hub = get_hub()
        hub.call_at(hub.now(), lambda: (sleep(0.01), order.append("the finaliser")))
        sleep(0)

    in_os_thread(body)
    assert order == ["the finaliser"]


def test_a_finaliser_that_waits_for_ever_is_not(
    in_os_thread: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_exit, "_PATIENCE", 0.01)

    def body() -> Any:
        hub = get_hub()
        hub.call_at(hub.now(), lambda: Event().wait())
        sleep(0)
        return hub

    assert in_os_thread(body).closed


def test_the_files_of_the_hub_are_closed(in_os_thread: Callable[..., Any]) -> None:
    get_hub()
    before = sorted(os.listdir("/proc/self/fd"))

    def body() -> tuple[list[str], Any]:
        spawn(sleep, 0).wait()
        return sorted(os.listdir("/proc/self/fd")), get_hub()

    meanwhile, hub = in_os_thread(body)
    assert len(meanwhile) > len(before)
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert hub.fds() == []
    assert not hub.idle
    assert not hub.ready
