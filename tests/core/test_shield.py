"""`shield`: kills and Timeouts of outside wait for the end of a block."""

from collections.abc import Callable
from threading import Thread
from time import monotonic

import pytest
from greenlet import GreenletExit

from greening._core.current import current
from greening._core.greenthread import GreenThread, kill, spawn
from greening._core.shield import shield, shields
from greening._core.waiting import sleep
from greening.sync.event import Event
from greening.timeout import Timeout


def quiet(function: Callable[[], object]) -> GreenThread[object]:
    thread = spawn(function)
    thread.quiet = True
    sleep(0)
    return thread


def spin_until(when: float) -> None:
    while monotonic() < when:
        pass


def test_a_kill_waits_for_the_end_of_the_block() -> None:
    seen, go = list[str](), Event()

    def work() -> None:
        with shield():
            go.wait()
            seen.append("committed")
        seen.append("never")

    thread = quiet(work)
    thread.kill()
    kill(thread, KeyError("the first one counts"))
    assert not thread.dead
    go.send(None)
    with pytest.raises(GreenletExit):
        thread.wait()
    assert seen == ["committed"]
    assert not shields


def test_a_timeout_of_outside_waits_and_one_of_inside_does_not() -> None:
    seen = []
    with pytest.raises(Timeout) as caught, Timeout(0.001) as outer, shield():
        with Timeout(0.002, False):
            sleep(5)
        seen.append("inside")
        sleep(0)
    assert caught.value is outer
    assert seen == ["inside"]


def test_a_silent_timeout_of_outside_is_silent() -> None:
    with Timeout(0.001, False), shield():
        sleep(0.002)
        seen = True
    assert seen


def test_a_timeout_that_is_cancelled_meanwhile_raises_nothing() -> None:
    timeout = Timeout(0.001)
    with shield():
        sleep(0.002)
        timeout.cancel()
    sleep(0)


def test_nested_blocks_are_one() -> None:
    with pytest.raises(Timeout), Timeout(0.001), shield():
        with shield():
            sleep(0.002)
        sleep(0)
        done = True
    assert done


def test_an_error_of_the_block_comes_first_and_what_was_kept_at_the_next_wait() -> None:
    seen = []

    def work() -> None:
        try:
            with shield():
                sleep(0)
                sleep(0)
                raise KeyError("own")
        except KeyError:
            seen.append("own")
        sleep(0)
        seen.append("never")

    thread = quiet(work)
    thread.kill()
    with pytest.raises(GreenletExit):
        thread.wait()
    assert seen == ["own"]


def test_a_kill_from_another_os_thread_waits_too() -> None:
    go, seen = Event(), list[str]()

    def work() -> None:
        with shield():
            go.wait()
            seen.append("done")

    thread = quiet(work)
    killer = Thread(target=kill, args=(thread,))
    killer.start()
    killer.join()
    sleep(0.001)  # the hub takes in what the other thread has posted
    go.send(None)
    with pytest.raises(GreenletExit):
        thread.wait()
    assert seen == ["done"]


def test_an_error_that_came_in_a_call_that_did_not_wait_is_raised_at_the_end() -> None:
    error = KeyError("before")
    with pytest.raises(KeyError, match="before"):
        current().error = error
        with shield():
            sleep(0)


def test_what_it_spawns_is_not_protected() -> None:
    with shield():
        thread = quiet(lambda: sleep(5))
        thread.kill()
        assert thread.dead


def test_a_green_thread_can_raise_in_itself() -> None:
    with pytest.raises(KeyError), shield():
        kill(current(), KeyError())
    assert not shields


def test_the_end_of_a_late_one_raises_nothing_and_the_next_wait_does() -> None:
    seen, go = list[str](), Event()

    def work() -> None:
        with shield(late=True):
            go.wait()
        seen.append("after the block")
        sleep(0)
        seen.append("never")

    thread = quiet(work)
    thread.kill()
    go.send(None)
    with pytest.raises(GreenletExit):
        thread.wait()
    assert seen == ["after the block"]


def test_a_kill_is_not_lost_to_a_timeout_that_came_before() -> None:
    seen, go = list[str](), Event()

    def work() -> None:
        with Timeout(0.001, False), shield():
            go.wait()
            seen.append("done")
        seen.append("never")

    thread = quiet(work)
    sleep(0.002)
    thread.kill()
    go.send(None)
    with pytest.raises(GreenletExit):
        thread.wait()
    assert seen == ["done"]


def test_a_timeout_that_had_to_wait_for_another_one_does_not_reach_into_a_block() -> None:
    seen = []
    with Timeout(0.002, False):
        try:
            with Timeout(0.001):
                begin = monotonic()
                spawn(lambda: spin_until(begin + 0.004))  # both are due when the hub looks at its timers
                sleep(1)
        except Timeout:
            with shield():
                sleep(0)
                sleep(0)
                seen.append("cleaned up")
        seen.append("never")
    assert seen == ["cleaned up"]
