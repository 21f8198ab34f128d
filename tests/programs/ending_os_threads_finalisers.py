"""Finalisers that wait run in OS threads while those get their hub, use it, and end. All of them come to their end."""

import gc
import os
from collections.abc import Callable
from types import SimpleNamespace

from greenlet import getcurrent

import greening
from greening import sleep
from greening._core.current import get_hub, hubs

greening.monkey_patch()

start_new_thread = greening.original("_thread").start_new_thread
THREADS = 80
counts = SimpleNamespace(made=0, freed=0)


class Waiting:
    """Garbage that only the collector finds. Its finaliser waits."""

    def __init__(self) -> None:
        counts.made += 1
        self.me = self

    def __del__(self) -> None:
        sleep(0)
        counts.freed += 1


def in_os_thread(body: Callable[[], object]) -> None:
    def begin() -> None:
        getcurrent()  # greenlet itself cannot be interrupted by a finaliser while it makes the main greenlet
        gc.enable()
        body()

    before = len(os.listdir("/proc/self/task"))
    gc.disable()
    start_new_thread(begin, ())
    while len(os.listdir("/proc/self/task")) > before:
        sleep(0.0001)


def leave_garbage() -> None:
    for _ in range(3):
        Waiting()
    sleep(0.0001)
    own = get_hub()
    assert [hub for hub in hubs if hub.thread == own.thread] == [own], "two hubs in one OS thread"


def leave_a_finaliser_in_the_loop() -> None:
    counts.made += 1

    def finaliser() -> None:
        begun.append(True)
        sleep(0.01)
        counts.freed += 1

    begun: list[bool] = []
    sleep(0)
    get_hub().post(finaliser)
    while not begun:
        sleep(0)


sleep(0)  # the first hub is there
for i in range(THREADS):
    gc.set_threshold(1 + i % 7)  # so that the collector comes at each place in turn
    in_os_thread(leave_garbage)
gc.set_threshold(700)
gc.collect()
assert counts.freed == counts.made, f"{counts.freed} finalisers of {counts.made} ended"
for _ in range(3):
    in_os_thread(leave_a_finaliser_in_the_loop)
assert counts.freed == counts.made, "a finaliser was left behind in the loop"
assert len(hubs) == 1
