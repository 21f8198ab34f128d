"""The interpreter ends while OS threads wait greenly, in the way that the argument names. It prints one line."""

import sys
import threading

if sys.argv[1] == "begun before the patch":
    stdlib = threading.Event(), threading.Condition()
    patched = threading.Event()

    def begun_before() -> None:
        patched.wait()
        while True:
            for call in waits.values():
                call()

    for _ in range(3):
        threading.Thread(target=begun_before, daemon=True).start()

import logging
import os
import queue
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import greening
from greening import sleep, spawn, tpool

greening.monkey_patch()

# Names that were imported before would have been patched.
start_new_thread = greening.original("_thread").start_new_thread
time_sleep = greening.original("time").sleep

A_MOMENT = 0.0003

lock = threading.RLock()
logging.basicConfig(filename=os.devnull)


def receive() -> None:
    mine, other = socket.socketpair()
    with mine, other:
        mine.settimeout(A_MOMENT)
        try:
            mine.recv(1)
        except TimeoutError:
            pass


def get() -> None:
    try:
        queue.Queue[int]().get(timeout=A_MOMENT)
    except queue.Empty:
        pass


def contend() -> None:
    with lock:
        time.sleep(A_MOMENT)


def look_up_and_compute() -> None:
    socket.getaddrinfo("localhost", 80)
    tpool.execute(time_sleep, 0.001)


waits: dict[str, Callable[[], object]] = {
    "recv": receive,
    "queue": get,
    "event": lambda: threading.Event().wait(A_MOMENT),
    "contended rlock": contend,
    "sleep": lambda: time.sleep(A_MOMENT),
}


def for_ever(call: Callable[[], object]) -> None:
    while True:
        call()


def in_green_threads(call: Callable[[], object]) -> None:
    for thread in [spawn(for_ever, call) for _ in range(3)]:
        thread.wait()


def in_os_threads(*call: Callable[..., object]) -> None:
    for _ in range(3):
        start_new_thread(call[0], call[1:])


kind = sys.argv[1]
if kind == "begun before the patch":
    patched.set()
elif kind == "logging in tpool":
    for _ in range(3):
        spawn(tpool.execute, for_ever, lambda: logging.warning("hello"))
elif kind == "green threads that wait":
    in_os_threads(in_green_threads, lambda: sleep(A_MOMENT))
elif kind == "green threads that never wait for long":
    in_os_threads(in_green_threads, lambda: sleep(0))
elif kind == "green threads that compute":
    in_os_threads(in_green_threads, lambda: sum(range(1000)))
elif kind == "green threads that block":
    in_os_threads(in_green_threads, lambda: time_sleep(A_MOMENT))
elif kind == "thread pools":
    with ThreadPoolExecutor(20) as executor:
        for _ in range(40):
            executor.submit(look_up_and_compute)
    for _ in range(5):
        spawn(look_up_and_compute)
else:
    in_os_threads(for_ever, waits[kind])

sleep(0.02)


class SlowEnd:
    """Freed when the interpreter has begun to end: until then all the waits above have ended."""

    really_sleep = staticmethod(time_sleep)

    def __del__(self) -> None:
        self.really_sleep(0.02)


slow_end = SlowEnd()
print("end of main")
