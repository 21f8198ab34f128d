"""Ctrl-C while a green thread computes: the main greenlet gets it, at once, and the thread goes on."""

import greening

greening.monkey_patch()

import os
import signal
import threading

seen: list[str] = []
go_on = True


def compute() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    while go_on:  # never parks
        pass
    seen.append("thread")


assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
thread = threading.Thread(target=compute)
try:
    thread.start()
    threading.Event().wait()
except KeyboardInterrupt:
    seen.append("main")
    go_on = False
thread.join()
assert seen == ["main", "thread"], seen
