"""What waits beside what is busy, in a process that a peer has patched (or none, for comparison).

Each scene takes a function that makes a call in the peer's pool of OS threads, and returns milliseconds.
"""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.inside import real

PoolCall = Callable[[Callable[[], object]], object]
Scene = Callable[[PoolCall], float]

PAIRS = 20
SLICE = 0.02  # seconds of computing without a pause
TIMER = 0.01  # seconds


def burn(seconds: float) -> None:
    """Compute for so long."""
    end = real.cpu_clock() + seconds
    while real.cpu_clock() < end:
        pass


@contextmanager
def echo_pairs() -> Iterator[None]:
    """Twenty pairs of threads that send each other messages as fast as they can."""
    ended: list[bool] = []

    def answer(end: socket.socket) -> None:
        with end:
            while data := end.recv(100):
                end.sendall(data)

    def ask(end: socket.socket) -> None:
        with end:
            while not ended:
                end.sendall(b"x" * 50)
                end.recv(100)

    threads = []
    for _ in range(PAIRS):
        left, right = socket.socketpair()
        threads += [threading.Thread(target=answer, args=(left,)), threading.Thread(target=ask, args=(right,))]
    for thread in threads:
        thread.start()
    yield
    ended.append(True)
    for thread in threads:
        thread.join()


def os_thread_turns(call: PoolCall) -> float:
    """An OS thread sleeps for 0.5 ms between its turns: the mean of a turn."""
    del call
    took: list[float] = []

    def take_turns() -> None:
        began = real.clock()
        for _ in range(100):
            real.sleep(0.0005)
        took.append((real.clock() - began) / 100)

    with echo_pairs():
        real.start_thread(take_turns, ())
        while not took:
            time.sleep(0.005)
    return took[0] * 1e3


def pool_calls(call: PoolCall) -> float:
    """Calls in the pool of OS threads that do nothing: 99 of 100 take less."""
    took = []
    with echo_pairs():
        for _ in range(100):
            began = real.clock()
            call(int)
            took.append(real.clock() - began)
            time.sleep(0.001)
    return sorted(took)[-2] * 1e3


def timer_beside_slices(call: PoolCall) -> float:
    """A thread computes for 20 ms at a time and says sleep(0) in between: how late is a timer of 10 ms?"""
    del call
    late: list[float] = []
    ended: list[bool] = []

    def compute() -> None:
        while not ended:
            burn(SLICE)
            time.sleep(0)

    thread = threading.Thread(target=compute)
    thread.start()
    for _ in range(8):
        began = real.clock()
        time.sleep(TIMER)
        late.append(real.clock() - began - TIMER)
    ended.append(True)
    thread.join()
    return statistics.median(late) * 1e3


def timer_beside_ready_sockets(call: PoolCall) -> float:
    """Thirty sockets become readable at once, with 20 ms of work each: how late is a timer of 10 ms?"""
    del call

    def work(end: socket.socket) -> None:
        with end:
            end.recv(1)
            burn(SLICE)

    pairs = [socket.socketpair() for _ in range(30)]
    threads = [threading.Thread(target=work, args=(right,)) for _, right in pairs]
    for thread in threads:
        thread.start()
    time.sleep(0.01)
    for left, _ in pairs:
        left.sendall(b"x")
        left.close()
    began = real.clock()
    time.sleep(TIMER)
    late = real.clock() - began - TIMER
    for thread in threads:
        thread.join()
    return max(0.0, late) * 1e3


SCENES: dict[str, Scene] = {
    scene.__name__: scene for scene in (os_thread_turns, pool_calls, timer_beside_slices, timer_beside_ready_sockets)
}
