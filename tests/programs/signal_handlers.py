"""Signal handlers in a patched program, one situation per run: signal_handlers.py NAME."""

import greening

greening.monkey_patch()

import contextvars
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from greening import Deadlock, Event, Lock, Timeout, kill, sleep, spawn
from greening._originals import start_new_thread, time_sleep

SCENES: dict[str, Callable[[], None]] = {}
ME = os.getpid()
calls: list[object] = []


class Alarm(Exception):
    pass


def scene(func: Callable[[], None]) -> Callable[[], None]:
    SCENES[func.__name__] = func
    return func


def note(signum: int, frame: FrameType | None) -> None:
    calls.append(signum)


def fail(signum: int, frame: FrameType | None) -> None:
    raise Alarm(signum)


def block(signum: int, frame: FrameType | None) -> None:
    calls.append("begin")
    sleep(0.02)
    calls.append("end")


def kill_from_outside(*signals: int) -> None:
    """Have the signals sent while the hub sleeps."""

    def send() -> None:
        time_sleep(0.05)
        for signum in signals:
            os.kill(ME, signum)

    start_new_thread(send, ())


def sleep_until(handled: Callable[[], bool]) -> None:
    """Sleep until the handlers have run. A busy machine may keep the sender waiting."""
    for _ in range(100):
        time.sleep(0.1)
        if handled():
            return


def raises_alarm(func: Callable[[], object]) -> bool:
    try:
        func()
    except Alarm:
        return True
    return False


# While the hub runs


@scene
def in_hub_it_may_block() -> None:
    signal.signal(signal.SIGUSR1, block)
    kill_from_outside(signal.SIGUSR1)
    begin = time.monotonic()
    sleep_until(lambda: len(calls) == 2)  # goes on after the handler has returned
    assert time.monotonic() - begin >= 0.1
    assert calls == ["begin", "end"]


@scene
def in_hub_its_exception_reaches_main() -> None:
    signal.signal(signal.SIGUSR1, fail)
    other = spawn(sleep, 60)
    kill_from_outside(signal.SIGUSR1)
    assert raises_alarm(lambda: time.sleep(60))
    assert not other.dead
    kill(other)


@scene
def in_hub_its_frame_is_mains() -> None:
    names: list[str] = []

    def handler(signum: int, frame: FrameType | None) -> None:
        while frame is not None:
            names.append(frame.f_code.co_name)
            frame = frame.f_back

    signal.signal(signal.SIGUSR1, handler)
    kill_from_outside(signal.SIGUSR1)
    sleep_until(lambda: bool(names))
    assert "in_hub_its_frame_is_mains" in names, names


@scene
def in_hub_every_signal_counts() -> None:
    for signum in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
        signal.signal(signum, note)
    kill_from_outside(signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)
    sleep_until(lambda: len(calls) == 3)
    assert sorted(calls) == sorted([signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM])  # type: ignore[type-var]


# While main runs


@scene
def in_main_it_runs_in_place() -> None:
    signal.signal(signal.SIGUSR1, note)
    os.kill(ME, signal.SIGUSR1)
    assert calls == [signal.SIGUSR1]
    signal.raise_signal(signal.SIGUSR1)
    assert calls == [signal.SIGUSR1] * 2
    signal.signal(signal.SIGUSR1, fail)
    assert raises_alarm(lambda: os.kill(ME, signal.SIGUSR1))
    assert raises_alarm(lambda: signal.raise_signal(signal.SIGUSR1))


@scene
def in_main_it_may_block() -> None:
    signal.signal(signal.SIGUSR1, block)
    ran = spawn(calls.append, "other")
    os.kill(ME, signal.SIGUSR1)
    assert calls == ["begin", "other", "end"]
    assert ran.dead


@scene
def in_main_that_computes() -> None:
    signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, 0.02)

    def compute() -> None:
        while True:
            pass

    assert raises_alarm(compute)


# While a green thread runs


@scene
def in_a_green_thread_it_runs_at_once_as_main() -> None:
    seen = []

    def handler(signum: int, frame: FrameType | None) -> None:
        seen.append((threading.current_thread(), threading.get_ident()))

    def green() -> bool:
        os.kill(ME, signal.SIGUSR1)
        return bool(seen)

    signal.signal(signal.SIGUSR1, handler)
    assert spawn(green).wait()
    assert seen == [(threading.main_thread(), threading.get_ident())]


@scene
def in_a_green_thread_no_other_one_runs_between() -> None:
    order: list[str] = []

    def green() -> None:
        for _ in range(100):
            order.append("a")
            os.kill(ME, signal.SIGUSR1)
            order.append("b")

    signal.signal(signal.SIGUSR1, lambda *args: order.append("h"))
    threads = [spawn(green), spawn(order.append, "x"), spawn(order.append, "x")]
    for thread in threads:
        thread.wait()
    text = "".join(order)
    assert text.replace("ahb", "").replace("x", "") == "", text
    assert text.count("ahb") == 100


@scene
def in_a_green_thread_it_may_block() -> None:
    def green() -> None:
        os.kill(ME, signal.SIGUSR1)
        calls.append("green goes on")

    signal.signal(signal.SIGUSR1, block)
    spawn(green).wait()
    time.sleep(0.05)
    assert calls == ["begin", "green goes on", "end"]


@scene
def in_a_green_thread_its_exception_reaches_main() -> None:
    def green() -> str:
        os.kill(ME, signal.SIGUSR1)
        return "not disturbed"

    signal.signal(signal.SIGUSR1, fail)
    thread = spawn(green)
    assert raises_alarm(lambda: time.sleep(60))
    assert thread.wait() == "not disturbed"


@scene
def in_a_green_thread_that_computes() -> None:
    def green() -> None:
        while not calls:
            pass

    signal.signal(signal.SIGALRM, note)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    spawn(green).wait()


@scene
def a_handler_may_kill_the_thread_that_it_interrupts() -> None:
    def green() -> None:
        os.kill(ME, signal.SIGUSR1)
        calls.append("until it parks")
        sleep(60)

    thread = spawn(green)
    signal.signal(signal.SIGUSR1, lambda *args: kill(thread))
    try:
        thread.wait()
    except greening.GreenletExit:
        calls.append("killed")
    assert calls == ["until it parks", "killed"], calls


@scene
def a_timeout_does_not_strike_where_nothing_parks() -> None:
    def green() -> None:
        with Timeout(0.001):
            time_sleep(0.005)
            for _ in range(200):
                os.kill(ME, signal.SIGUSR1)
            calls.append("through")
        sleep(0)

    signal.signal(signal.SIGUSR1, lambda *args: None)
    spawn(green).wait()
    assert calls == ["through"]


# Identity, context


@scene
def a_handler_is_the_main_thread() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("main's")
    local = threading.local()
    local.value = "main's"

    def handler(signum: int, frame: FrameType | None) -> None:
        calls.append((threading.current_thread() is threading.main_thread(), variable.get(), local.value))
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)  # only the main thread may

    signal.signal(signal.SIGUSR1, handler)
    kill_from_outside(signal.SIGUSR1)
    sleep_until(lambda: bool(calls))
    assert calls == [(True, "main's", "main's")]


@scene
def a_handler_ends_before_a_thread_that_never_lets_others_run_goes_on() -> None:
    """It has its locks and its log, however long the interrupted thread has computed: that one may be stuck."""
    lock = threading.Lock()
    ended = []

    def handler(signum: int, frame: FrameType | None) -> None:
        until = time.thread_time() + 0.005  # more than a slice
        while time.thread_time() < until:
            pass
        with lock:
            ended.append(signum)

    def stuck() -> bool:
        signal.raise_signal(signal.SIGUSR1)
        return ended == [signal.SIGUSR1]

    signal.signal(signal.SIGUSR1, handler)
    others = [spawn(time.sleep, 0) for _ in range(3)]
    assert spawn(stuck).wait()
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    for other in others:
        other.wait()


# What is told to which caller


@scene
def the_user_never_sees_our_handlers() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.signal(signal.SIGUSR1, note) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGUSR1) is note
    assert signal.signal(signal.SIGUSR1, signal.SIG_IGN) is note
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
    assert signal.signal(signal.SIGINT, note) is signal.default_int_handler
    assert signal.signal(signal.SIGINT, signal.default_int_handler) is note
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@scene
def a_handler_is_no_deadlock() -> None:
    event = Event()
    signal.signal(signal.SIGALRM, lambda *args: event.send("rung"))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    assert event.wait() == "rung"
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        Event().wait()
    except Deadlock:
        return
    raise AssertionError("no Deadlock")


# Ctrl-C


@scene
def ctrl_c_in_the_hub() -> None:
    kill_from_outside(signal.SIGINT)
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        return
    raise AssertionError("no KeyboardInterrupt")


@scene
def ctrl_c_in_a_green_thread_that_computes() -> None:
    def compute() -> None:
        while True:
            pass

    thread = spawn(compute)
    kill_from_outside(signal.SIGINT)
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        assert not thread.dead  # it is not his
        return
    raise AssertionError("no KeyboardInterrupt")


@scene
def ctrl_c_with_a_handler_that_raises_it() -> None:
    def handler(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handler)
    lock = Lock()
    lock.acquire()
    kill_from_outside(signal.SIGINT)
    try:
        lock.acquire()
    except KeyboardInterrupt:
        lock.release()
        assert lock.acquire(False)
        return
    raise AssertionError("no KeyboardInterrupt")


@scene
def exit_in_a_handler() -> None:
    signal.signal(signal.SIGTERM, lambda *args: sys.exit(0))
    kill_from_outside(signal.SIGTERM)
    time.sleep(60)
    os._exit(1)


# Fairness


@scene
def sending_does_not_starve() -> None:
    signal.signal(signal.SIGUSR1, note)

    def send() -> None:
        while not stop:
            signal.raise_signal(signal.SIGUSR1)

    stop: list[bool] = []
    thread = spawn(send)
    spawn(stop.append, True)
    thread.wait()
    assert calls


@scene
def a_storm() -> None:
    signal.signal(signal.SIGUSR1, note)
    lock = threading.Lock()

    def work() -> None:
        for _ in range(200):
            with lock:
                sleep(0)

    def send() -> None:
        for _ in range(300):
            os.kill(ME, signal.SIGUSR1)
            time_sleep(0.0002)

    threads = [spawn(work) for _ in range(5)]
    start_new_thread(send, ())
    for thread in threads:
        thread.wait()
    assert not lock.locked()


if __name__ == "__main__":
    SCENES[sys.argv[1]]()
