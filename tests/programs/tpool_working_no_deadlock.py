"""A native thread at work may still wake us, also when nobody waits for what it does."""

from greening import Event, GreenletExit, spawn
from greening._originals import time_sleep
from greening.testing import wait_until_parked
from greening.threads.native import execute

done = Event()


def work() -> None:
    time_sleep(0.1)
    done.send("woken")


def wait_in_vain() -> None:
    try:
        execute(work)
    except GreenletExit:
        print("left")


waiter = spawn(wait_in_vain)
wait_until_parked(waiter)
waiter.kill()
print(done.wait())
