"""A native thread at work may still wake us, also when no thread waits for what it does."""

from greening import Event, GreenletExit, spawn
from greening._originals import time_sleep
from greening.threads.native import execute

begun, done = Event(), Event()


def work() -> None:
    begun.send(None)
    time_sleep(0.03)
    done.send("woken")


def wait_in_vain() -> None:
    try:
        execute(work)
    except GreenletExit:
        print("left")


waiter = spawn(wait_in_vain)
begun.wait()
waiter.kill()
print(done.wait())
