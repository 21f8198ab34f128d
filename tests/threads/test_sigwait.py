"""Waiting for signals in native threads. The process's own handlers for two signals must not run."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from greening._core.current import get_hub
from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening._originals import get_ident, time_sleep
from greening.testing import wait_until_parked
from greening.threads import sigwait
from greening.threads.native import wait_gone
from greening.threads.sigwait import is_awaited, wait_for
from greening.timeout import Timeout

USR1, USR2 = signal.SIGUSR1, signal.SIGUSR2
ME = os.getpid()


def blocked() -> set[int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ())) & {USR1, USR2}


@pytest.fixture(autouse=True)
def handled() -> Iterator[list[int]]:
    """Signals whose handlers ran. Nothing is left behind: no mask, no wait, no native thread."""
    seen: list[int] = []
    before = [signal.signal(signum, lambda number, frame: seen.append(number)) for signum in (USR1, USR2)]
    yield seen
    with Timeout(5):
        while get_hub().external_waits:  # a native thread that was told to leave says so when it has
            sleep(0.001)
    wait_gone(sigwait._LISTENERS.dismiss_idle())
    assert not blocked()
    assert not sigwait._awaited
    for signum, handler in zip((USR1, USR2), before, strict=True):
        signal.signal(signum, handler)


def test_a_signal_is_taken_and_no_handler_runs(handled: list[int]) -> None:
    waiter = spawn(wait_for, {USR1, USR2}, None)
    wait_until_parked(waiter)
    assert blocked() == {USR1, USR2}
    os.kill(ME, USR1)
    info = waiter.wait(5)
    assert (info.si_signo, info.si_pid) == (USR1, ME)
    assert handled == []


def test_a_pending_signal_is_taken_without_parking(handled: list[int]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {USR1})
    os.kill(ME, USR1)
    ran: list[int] = []
    other = spawn(ran.append, 1)
    assert wait_for([USR1], None).si_signo == USR1
    assert ran == []
    assert blocked() == {USR1}, "it was blocked before"
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {USR1})
    assert handled == []
    other.wait()


def test_a_timeout_of_0_is_one_look() -> None:
    assert wait_for({USR1}, 0) is None


def test_none_comes_in_time() -> None:
    assert wait_for({USR1}, 0.002) is None


@pytest.mark.parametrize(("wrong", "error"), [({9999}, ValueError), (["x"], TypeError), (5, TypeError)])
def test_what_is_no_set_of_signals_is_refused(wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        wait_for(wrong, 0)


def test_a_killed_waiter_leaves_and_the_signal_is_handled_again(handled: list[int]) -> None:
    waiter = spawn(wait_for, {USR1}, None)
    wait_until_parked(waiter)
    waiter.kill()
    assert waiter.dead
    assert not blocked()
    os.kill(ME, USR1)
    assert handled == [USR1]


def test_a_signal_that_was_taken_for_a_killed_waiter_is_sent_again(handled: list[int]) -> None:
    waiter = spawn(wait_for, {USR1}, None)
    wait_until_parked(waiter)
    os.kill(ME, USR1)
    while not sigwait._LISTENERS._idle:  # it has been taken; the hub has not run since
        time_sleep(0.0005)
    waiter.kill()
    assert waiter.dead
    assert handled == [USR1]


def test_two_threads_that_wait_for_one_signal_get_one_each(handled: list[int]) -> None:
    waiters = [spawn(wait_for, {USR1}, None) for _ in range(2)]
    for waiter in waiters:
        wait_until_parked(waiter)
    os.kill(ME, USR1)
    while not any(waiter.dead for waiter in waiters):
        sleep(0.001)
    assert blocked() == {USR1}, "the other still waits"
    os.kill(ME, USR1)
    assert [waiter.wait(5).si_signo for waiter in waiters] == [USR1, USR1]
    assert handled == []


def test_a_signal_is_awaited_by_an_os_thread_while_a_green_thread_of_it_waits() -> None:
    waiter = spawn(wait_for, {USR1}, None)
    wait_until_parked(waiter)
    assert is_awaited(get_ident(), USR1)
    assert not is_awaited(get_ident(), USR2)
    assert not is_awaited(get_ident() + 1, USR1)
    waiter.kill()
    assert not is_awaited(get_ident(), USR1)


# What a listener does with what is not for it


class Info:
    """A `struct_siginfo`."""

    def __init__(self, signum: int, code: int = 0, pid: int = ME) -> None:
        self.si_signo, self.si_code, self.si_pid = signum, code, pid


def test_a_listener_keeps_a_wanted_signal_and_puts_others_back() -> None:
    listener = sigwait._Listener(frozenset({USR1}))
    in_vain: list[int] = []
    assert not listener._take(Info(sigwait._LEAVE), in_vain), "one that the program has sent"
    assert in_vain == [sigwait._LEAVE]
    assert not listener._take(Info(sigwait._LEAVE, sigwait._SI_TKILL), in_vain), "a call for an earlier listener"
    assert listener._take(Info(USR1), in_vain)
    assert listener.leave().si_signo == USR1


def test_a_listener_that_was_told_to_leave_takes_nothing() -> None:
    listener = sigwait._Listener(frozenset({USR1}))
    assert listener.leave() is None
    assert listener.run() is None
    in_vain: list[int] = []
    assert listener._take(Info(USR1), in_vain)
    assert in_vain == [USR1]
    assert listener.leave() is None


def test_in_the_child_of_a_fork_nothing_is_awaited() -> None:
    sigwait._hold(frozenset({USR1}))
    assert blocked() == {USR1}
    sigwait._after_fork_in_child()
    assert not blocked()
    assert not is_awaited(get_ident(), USR1)
