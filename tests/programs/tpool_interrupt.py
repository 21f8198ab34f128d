"""Ctrl-C while a native thread works: the main greenlet hears it at once, and the program ends at once."""

import os
import signal
import sys

from greening import sleep, spawn
from greening._originals import monotonic, start_new_thread, time_sleep
from greening.threads.native import execute


def interrupt() -> None:
    time_sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)


if sys.argv[1] == "uncaught":
    start_new_thread(interrupt, ())
    execute(time_sleep, 3600)

begin = monotonic()
start_new_thread(interrupt, ())
try:
    execute(time_sleep, 3600)
except KeyboardInterrupt:
    print("in main")
waiter = spawn(execute, time_sleep, 3600)
start_new_thread(interrupt, ())
try:
    sleep(3600)
except KeyboardInterrupt:
    print("in main, again", waiter.dead)
assert monotonic() - begin < 1
