"""What the engine needs of the stdlib is bound at import: a test that replaces such functions disturbs nothing."""

import gc
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import NoReturn
from unittest import mock

import greening
from greening import tpool

greening.monkey_patch()

FUNCTIONS = {
    os: "getpid kill _exit fstat stat lseek pread pipe eventfd set_blocking get_blocking isatty getpgrp strerror",
    sys: "is_finalizing",
    gc: "isenabled enable disable",
    time: "monotonic time perf_counter",
    signal: "pthread_sigmask valid_signals",
}


def replaced(*args: object, **kwargs: object) -> NoReturn:
    raise AssertionError("the engine called a function that a test has replaced")


def work() -> None:
    assert tpool.execute(sum, [1, 2]) == 3
    assert socket.getaddrinfo("localhost", 80)
    mine, other = socket.socketpair()
    with mine, other:
        mine.settimeout(0.001)
        try:
            mine.recv(1)
        except TimeoutError:
            pass
        other.sendall(b"x")
        assert mine.recv(1) == b"x"
    thread = greening.spawn(greening.sleep, 0.001)
    thread.wait(1)
    greening.original("_thread").start_new_thread(greening.sleep, (0.001,))
    greening.sleep(0.002)


work()  # the worker threads start, and stay for the next call
with ExitStack() as mocks:
    for module, names in FUNCTIONS.items():
        for name in names.split():
            mocks.enter_context(mock.patch.object(module, name, replaced))
    work()
with mock.patch("os.getpid", return_value=100):
    work()
assert subprocess.run(["true"]).returncode == 0
print("still here")
