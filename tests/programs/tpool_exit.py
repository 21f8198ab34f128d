"""Exit does not wait for native threads: not for idle ones, not for one that works, not for one that waits greenly."""

import sys

from greening import sleep, spawn
from greening._originals import time_sleep
from greening.threads.native import execute

what = sys.argv[1]
if what == "idle":
    for green in [spawn(execute, time_sleep, 0.01) for _ in range(20)]:
        green.wait()
elif what == "working":
    spawn(execute, time_sleep, 3600)
elif what == "green":
    spawn(execute, sleep, 3600)
elif what == "computing":

    def compute() -> None:
        while True:
            pass

    spawn(execute, compute)
elif what == "at exit":
    import atexit

    atexit.register(lambda: print(execute(int, "7"), execute(int, "8")))
sleep(0.02)
print("end of main")
