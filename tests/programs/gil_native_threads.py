"""HUB: an OS thread does its work beside a hub that is busy with HUB and never sleeps. Prints the seconds that it took.

sockets: 20 pairs that echo; the OS thread sleeps between its turns, and needs the GIL for a moment each time.
computing: 20 loops of some 50 us and `sleep(0)`; the OS thread computes as well.

Each of the two has a CPU of its own. On one CPU the kernel may run the OS thread in the moment in which the hub lets go
of the GIL, and the OS thread gets it by luck.
"""

import os
import sys
import time
from _thread import start_new_thread

import greening
from greening.green import socket

real_sleep, clock = time.sleep, time.monotonic
first, *others = os.sched_getaffinity(0)
finished: list[float] = []


def answer(end: socket.socket) -> None:
    while data := end.recv(100):
        end.sendall(data)


def ask(end: socket.socket) -> None:
    while not finished:
        end.sendall(b"x" * 50)
        end.recv(100)
    end.close()


def compute(count: int) -> int:
    return sum(range(count))


def compute_and_yield() -> None:
    while not finished:
        compute(2000)
        greening.sleep(0)


def take_turns() -> None:
    os.sched_setaffinity(0, others or [first])
    began = clock()
    for _ in range(200):
        real_sleep(0.0005)
    finished.append(clock() - began)


def take_slices() -> None:
    os.sched_setaffinity(0, others or [first])
    began = clock()
    for _ in range(10_000):
        compute(1000)
    finished.append(clock() - began)


os.sched_setaffinity(0, [first])
busy = []
for _ in range(20):
    if sys.argv[1] == "sockets":
        left, right = socket.socketpair()
        busy += [greening.spawn(answer, left), greening.spawn(ask, right)]
    else:
        busy.append(greening.spawn(compute_and_yield))
greening.sleep(0)
start_new_thread(take_turns if sys.argv[1] == "sockets" else take_slices, ())
for thread in busy:
    thread.wait()
print(finished[0])
