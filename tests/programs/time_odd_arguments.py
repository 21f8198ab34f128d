"""Timeouts that are none: the patched calls refuse what the real ones refuse, and timers go on in their order."""

import multiprocessing
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from fractions import Fraction
from typing import Any


class Contrary:
    """Takes part in every addition and comparison, and is no number."""

    def __radd__(self, other: object) -> object:
        return 1j

    def __lt__(self, other: object) -> bool:
        return False

    __gt__ = __le__ = __ge__ = __lt__


class ContraryFloat(float):
    """A float whose sums are strings: the real calls see only the float."""

    def __radd__(self, other: object) -> Any:
        return "sum"


BAD = (1j, "0.001", b"1", [1], object(), Contrary(), float("nan"), 10**400, 1e300, float("inf"))
ODD = (Decimal("0.001"), Fraction(1, 1000), ContraryFloat(0.001), True - 1)


def taken_lock() -> Any:
    lock = threading.Lock()
    lock.acquire()
    return lock


def taken_rlock() -> Any:
    lock = threading.RLock()
    thread = threading.Thread(target=lock.acquire)
    thread.start()
    thread.join()
    return lock


def wait_for_condition(timeout: Any) -> object:
    condition = threading.Condition()
    with condition:
        return condition.wait(timeout)


def join(timeout: Any) -> None:
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait)
    thread.start()
    try:
        thread.join(timeout)
    finally:
        gate.set()
        thread.join()


def look(ask: Callable[[int, Any], object], timeout: Any) -> object:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        return ask(listener.fileno(), timeout)


def ask_poll(fd: int, timeout: Any) -> object:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return poll.poll(timeout)


def ask_epoll(fd: int, timeout: Any) -> object:
    with select.epoll() as epoll:
        epoll.register(fd, select.EPOLLIN)
        return epoll.poll(timeout)


def set_timeout(timeout: Any) -> object:
    with socket.socket() as sock:
        sock.settimeout(timeout)
        return sock.gettimeout()


def process_lock(timeout: Any) -> object:
    lock = multiprocessing.Lock()
    lock.acquire()
    return lock.acquire(timeout=timeout)


CALLS: dict[str, Callable[[Any], object]] = {
    "time.sleep": lambda timeout: time.sleep(timeout),
    "Lock.acquire": lambda timeout: taken_lock().acquire(timeout=timeout),
    "RLock.acquire": lambda timeout: taken_rlock().acquire(timeout=timeout),
    "Event.wait": lambda timeout: threading.Event().wait(timeout),
    "Condition.wait": wait_for_condition,
    "Thread.join": join,
    "SimpleQueue.get": lambda timeout: queue.SimpleQueue[int]().get(timeout=timeout),
    "Future.result": lambda timeout: Future[int]().result(timeout),
    "select": lambda timeout: look(lambda fd, seconds: select.select([fd], [], [], seconds), timeout),
    "poll": lambda timeout: look(ask_poll, timeout),
    "epoll": lambda timeout: look(ask_epoll, timeout),
    "sigtimedwait": lambda timeout: signal.sigtimedwait([signal.SIGUSR1], timeout),
    "settimeout": set_timeout,
}
# These wait for ever where a number is nan, or far too long.
ENDLESS: dict[str, Callable[[Any], object]] = {
    "multiprocessing.Lock": process_lock,
    "Queue.get": lambda timeout: queue.Queue[int]().get(timeout=timeout),
}


def outcome(call: Callable[[Any], object], timeout: Any) -> object:
    try:
        return call(timeout)
    except Exception as error:
        return type(error)


def outcomes() -> dict[tuple[str, int], object]:
    found = {(name, at): outcome(call, bad) for name, call in CALLS.items() for at, bad in enumerate(BAD + ODD)}
    return found | {(name, at): outcome(call, bad) for name, call in ENDLESS.items() for at, bad in enumerate(BAD[:6])}


real = outcomes()

import greening

greening.monkey_patch()

green = outcomes()
wrong = {
    f"{name} {(BAD + ODD)[at]!r}": (green[name, at], was) for (name, at), was in real.items() if green[name, at] != was
}
assert not wrong, wrong

# The subprocess module adds and compares by itself: an error of its own, and the child's end is still found.
with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as child:
    assert outcome(child.wait, 1j) is TypeError

# Nothing that was refused has a place among the timers.
fired: list[float] = []
for delay in (0.003, 0.001, 0.002):
    greening.spawn_after(delay, fired.append, delay)
greening.sleep(0.003)
while len(fired) < 3:
    greening.sleep(0.001)
assert fired == [0.001, 0.002, 0.003]
