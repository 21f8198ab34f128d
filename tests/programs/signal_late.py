"""Handlers that were installed before patching are as good as new ones, and are given back by unpatch()."""

import _signal
import os
import signal
import time

import greening

calls: list[str] = []


def handler(signum: int, frame: object) -> None:
    greening.sleep(0.01)
    calls.append("late")


code = signal.signal.__code__  # not the function: patching would find and replace it here
signal.signal(signal.SIGALRM, handler)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
greening.monkey_patch()
assert signal.signal.__code__ is not code
assert signal.getsignal(signal.SIGALRM) is handler
assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
signal.setitimer(signal.ITIMER_REAL, 0.02)
while not calls:
    time.sleep(0.001)
assert calls == ["late"]

signal.signal(signal.SIGUSR2, print)
greening.unpatch()
assert signal.signal.__code__ is code
assert _signal.getsignal(signal.SIGALRM) is handler
assert _signal.getsignal(signal.SIGINT) is _signal.default_int_handler
assert _signal.getsignal(signal.SIGUSR2) is print

greening.monkey_patch()
os.kill(os.getpid(), signal.SIGALRM)
assert calls == ["late"] * 2


def patch_elsewhere() -> None:
    greening.unpatch()
    greening.monkey_patch()


# Handlers belong to the main OS thread: patching in another leaves them, and is no error.
greening.tpool.execute(patch_elsewhere)
assert signal.getsignal(signal.SIGALRM) is handler
