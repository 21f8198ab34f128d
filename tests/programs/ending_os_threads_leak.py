"""What OS threads leave behind that have waited greenly, in the way that the argument names: nothing."""

import gc
import os
import socket
import sys
from collections.abc import Callable

import greening
from greening import Timeout, sleep, spawn, tpool
from greening._core.current import get_hub

greening.monkey_patch()

start_new_thread = greening.original("_thread").start_new_thread
THREADS = 100


def receive() -> None:
    mine, other = socket.socketpair()
    with mine, other:
        mine.settimeout(0.0001)
        try:
            mine.recv(1)
        except TimeoutError:
            pass


def be_interrupted() -> None:
    with Timeout(0.0001, False):
        sleep(1)


def wait_for_green_threads() -> None:
    for thread in [spawn(sleep, 0.0001) for _ in range(3)]:
        thread.wait()


def leave_green_threads() -> None:
    for _ in range(3):
        spawn(sleep, 1000)
    sleep(0)
    spawn(sleep, 1000)  # never begins


def in_os_thread(call: Callable[[], object]) -> None:
    ended = greening.Event()
    hub = get_hub()

    def body() -> None:
        call()
        hub.post(ended.send)

    start_new_thread(body, ())
    ended.wait()


def in_tpool(call: Callable[[], object]) -> None:
    tpool.execute(call)
    tpool.killall()


def count_objects() -> int:
    while len(os.listdir("/proc/self/task")) > 1:
        sleep(0.001)
    gc.collect()
    gc.collect()
    return len(gc.get_objects())


KINDS: dict[str, Callable[[], object]] = {
    "recv": lambda: in_os_thread(receive),
    "timeout": lambda: in_os_thread(be_interrupted),
    "green threads": lambda: in_os_thread(wait_for_green_threads),
    "parked green threads": lambda: in_os_thread(leave_green_threads),
    "tpool": lambda: in_tpool(receive),
}

for _ in range(20):
    KINDS[sys.argv[1]]()
before = count_objects()
for _ in range(THREADS):
    KINDS[sys.argv[1]]()
left = count_objects() - before
assert left < THREADS / 2, f"{left} objects of {THREADS} threads"
