"""Waiting for signals in a patched program, one situation per run: signal_waits.py NAME."""

import greening

greening.monkey_patch()

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable

from greening import Timeout, kill, sleep, spawn
from greening._originals import start_new_thread, time_sleep
from greening.threads import sigwait

SCENES: dict[str, Callable[[], None]] = {}
ME = os.getpid()
USR1, USR2 = signal.SIGUSR1, signal.SIGUSR2


def scene(func: Callable[[], None]) -> Callable[[], None]:
    SCENES[func.__name__] = func
    return func


def fail(*args: object) -> None:
    raise AssertionError("the handler ran")


def blocked() -> set[signal.Signals | int]:
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


def listening() -> bool:
    """Whether a native thread waits for signals by now."""
    return len(sigwait._LISTENERS._alive) > len(sigwait._LISTENERS._idle)


def until(condition: Callable[[], object]) -> None:
    while not condition():
        sleep(0.001)


@scene
def pause_returns_after_the_handler() -> None:
    calls = []

    def handler(*args: object) -> None:
        sleep(0.01)
        calls.append(args[0])

    signal.signal(signal.SIGALRM, handler)
    others = spawn(sleep, 0)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    signal.pause()
    assert calls == [signal.SIGALRM]
    assert others.dead


@scene
def pause_without_a_handler_is_no_deadlock() -> None:
    def send() -> None:
        time_sleep(0.05)
        os.kill(ME, signal.SIGINT)

    start_new_thread(send, ())
    try:
        signal.pause()
    except KeyboardInterrupt:
        return
    raise AssertionError("pause returned")


@scene
def pause_in_many_green_threads_and_killed() -> None:
    signal.signal(USR1, lambda *args: None)
    threads = [spawn(signal.pause) for _ in range(5)]
    sleep(0)
    kill(threads[0])
    os.kill(ME, USR1)
    for thread in threads[1:]:
        thread.wait()


@scene
def sigwait_lets_others_run_and_no_handler() -> None:
    signal.signal(USR1, fail)
    signal.pthread_sigmask(signal.SIG_BLOCK, [USR1])
    waiter = spawn(signal.sigwait, [USR1, USR2])
    until(listening)
    assert not waiter.dead
    os.kill(ME, USR1)
    result = waiter.wait()
    assert result is USR1
    assert type(result) is signal.Signals
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [USR1])


@scene
def a_signal_that_is_not_blocked_is_taken_as_well() -> None:
    signal.signal(USR1, fail)
    before = blocked()
    waiter = spawn(signal.sigwaitinfo, {USR1})
    until(listening)
    os.kill(ME, USR1)
    info = waiter.wait()
    assert (info.si_signo, info.si_pid) == (USR1, ME)
    assert blocked() == before


@scene
def what_is_pending_already() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [USR1, USR2])
    signal.raise_signal(USR1)  # pending for this OS thread
    os.kill(ME, USR2)  # pending for the process
    assert {signal.sigwait([USR1, USR2]), signal.sigwait([USR1, USR2])} == {USR1, USR2}
    assert signal.sigtimedwait([USR1, USR2], 0) is None


@scene
def a_signal_to_the_waiting_os_thread() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [USR1])
    for send in (
        lambda: signal.raise_signal(USR1),
        lambda: signal.pthread_kill(threading.main_thread().ident or 0, USR1),
    ):
        waiter = spawn(signal.sigwait, [USR1])
        until(listening)
        send()
        assert waiter.wait() is USR1


@scene
def sigtimedwait_with_a_timeout() -> None:
    begin = time.monotonic()
    assert signal.sigtimedwait([USR1], 0.05) is None
    assert 0.05 <= time.monotonic() - begin < 5
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    info = signal.sigtimedwait([signal.SIGALRM], 60)
    assert info is not None
    assert info.si_signo == signal.SIGALRM
    until(lambda: not listening())


@scene
def bad_arguments() -> None:
    for bad, error in ((-1, ValueError), (float("nan"), ValueError), ("1", TypeError), (None, TypeError)):
        try:
            signal.sigtimedwait([USR1], bad)  # type: ignore[arg-type]
        except error:
            continue
        raise AssertionError(bad)
    for func in (signal.sigwait, signal.sigwaitinfo, lambda signals: signal.sigtimedwait(signals, 60)):
        for signals, error in (([0], ValueError), ([4242], ValueError), (5, TypeError), (["x"], TypeError)):
            try:
                func(signals)  # type: ignore[arg-type]
            except error:
                continue
            raise AssertionError((func, signals))
    assert not sigwait._awaited


@scene
def a_killed_waiter_takes_no_signal_with_it() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [USR1])
    for _ in range(20):
        waiter = spawn(signal.sigwait, [USR1])
        until(listening)
        kill(waiter)
        assert waiter.dead
        os.kill(ME, USR1)
        assert signal.sigwait([USR1]) is USR1
    with Timeout(0.01, False):
        signal.sigwait([USR1])
    os.kill(ME, USR1)
    assert signal.sigwait([USR1]) is USR1
    until(lambda: not listening())
    assert not sigwait._awaited


@scene
def a_kill_and_a_signal_at_once() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [USR1])
    for number in range(100):
        waiter = spawn(signal.sigwait, [USR1])
        until(listening)
        os.kill(ME, USR1)
        time_sleep(0.00002 * (number % 10))
        kill(waiter)
        try:
            taken = waiter.wait()
        except greening.GreenletExit:
            taken = signal.sigwait([USR1])
        assert taken is USR1
    assert signal.sigtimedwait([USR1], 0) is None


@scene
def two_wait_for_the_same() -> None:
    before = blocked()
    waiters = [spawn(signal.sigwait, [USR1]) for _ in range(2)]
    until(lambda: len(sigwait._LISTENERS._alive) == 2)
    os.kill(ME, USR1)
    until(lambda: any(waiter.dead for waiter in waiters))
    os.kill(ME, USR1)  # still blocked, for the other one's sake
    assert [waiter.wait() for waiter in waiters] == [USR1, USR1]
    assert blocked() == before


@scene
def the_signal_that_ends_listeners_belongs_to_the_user_too() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGURG])
    waiter = spawn(signal.sigwait, [USR1])
    until(listening)
    os.kill(ME, signal.SIGURG)
    sleep(0.01)
    kill(waiter)
    assert signal.sigwait([signal.SIGURG]) is signal.SIGURG
    second = spawn(signal.sigwait, [signal.SIGURG])
    until(listening)
    os.kill(ME, signal.SIGURG)
    assert second.wait() is signal.SIGURG


@scene
def ctrl_c_while_waiting() -> None:
    def send() -> None:
        time_sleep(0.05)
        os.kill(ME, signal.SIGINT)

    start_new_thread(send, ())
    try:
        signal.sigwait([USR1])
    except KeyboardInterrupt:
        assert not sigwait._awaited
        return
    raise AssertionError("sigwait returned")


@scene
def a_child_inherits_no_mask_of_ours() -> None:
    before = blocked()
    waiter = spawn(signal.sigwait, [USR1])
    until(listening)
    assert USR1 in blocked()
    warnings.simplefilter("ignore")  # there are two OS threads, that is true
    child = os.fork()
    if child == 0:
        os._exit(0 if blocked() == before else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.kill(ME, USR1)
    assert waiter.wait() is USR1


@scene
def pthread_kill_with_green_idents() -> None:
    calls = []
    signal.signal(USR1, lambda *args: calls.append(threading.current_thread() is threading.main_thread()))
    thread = threading.Thread(target=sleep, args=(0.2,))
    thread.start()
    assert thread.ident is not None
    signal.pthread_kill(thread.ident, USR1)
    assert calls == [True]
    signal.pthread_kill(threading.get_ident(), USR1)
    assert calls == [True, True]
    thread.join()
    for ident in (thread.ident, 2**40 + 1):
        try:
            signal.pthread_kill(ident, 0)
        except ProcessLookupError:
            continue
        raise AssertionError(ident)


@scene
def exit_while_a_thread_waits() -> None:
    spawn(signal.sigwait, [USR1])
    until(listening)


if __name__ == "__main__":
    SCENES[sys.argv[1]]()
