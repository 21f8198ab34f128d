"""Ctrl-C while a green thread computes, in a program that never imports `signal`: the main greenlet gets it as well."""

import greening

greening.monkey_patch()

import threading
from _signal import SIGINT, raise_signal

seen: list[str] = []


def compute() -> None:
    raise_signal(SIGINT)
    seen.append("thread")


thread = threading.Thread(target=compute)
try:
    thread.start()
    threading.Event().wait()
except KeyboardInterrupt:
    seen.append("main")
thread.join()
assert sorted(seen) == ["main", "thread"], seen
