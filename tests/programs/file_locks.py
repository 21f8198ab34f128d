"""After monkey_patch(): two threads, or two processes, and one lock on a file."""

import fcntl
from fcntl import flock as early  # captured before the patch

import greening

greening.monkey_patch()

import os
import struct
import subprocess
import sys
import tempfile
import threading

EXCLUSIVE = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
FREE = struct.pack("hhqqi4x", fcntl.F_UNLCK, os.SEEK_SET, 0, 0, 0)
# Says so when it has the lock, and keeps it until its standard input ends.
HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "r+")
fcntl.lockf(file, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""

assert early is fcntl.flock
assert fcntl.flock.__name__ == "flock"


def two_threads(path: str, lock: object, unlock: object) -> None:
    """Each has an open file description of its own; the second one gets the lock when the first lets go."""
    with open(path, "r+") as first, open(path, "r+") as second:
        take_turns(first, second, lock, unlock)


def take_turns(first: object, second: object, lock: object, unlock: object) -> None:
    lock(first)
    order = []

    def other() -> None:
        asks.set()
        lock(second)
        order.append("second")
        unlock(second)

    asks = threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    asks.wait()
    for _ in range(3):
        greening.sleep(0)
    order.append("first")
    unlock(first)
    thread.join()
    assert order == ["first", "second"], order


def other_process(path: str, lock: object) -> None:
    """Others run while another process has the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.read(1) == b"\n"
        with open(path, "r+") as file:
            thread = greening.spawn(lock, file)
            for _ in range(10):
                greening.sleep(0)
            assert not thread.dead
            holder.stdin.close()
            thread.wait()


with tempfile.NamedTemporaryFile() as file:
    two_threads(file.name, lambda f: fcntl.flock(f, fcntl.LOCK_EX), lambda f: fcntl.flock(f, fcntl.LOCK_UN))
    two_threads(
        file.name,
        lambda f: fcntl.fcntl(f, fcntl.F_OFD_SETLKW, EXCLUSIVE),
        lambda f: fcntl.fcntl(f, fcntl.F_OFD_SETLK, FREE),
    )
    other_process(file.name, lambda f: fcntl.lockf(f, fcntl.LOCK_EX))
    other_process(file.name, lambda f: fcntl.lockf(f.fileno(), fcntl.LOCK_SH, 10, 0, os.SEEK_SET))
    other_process(file.name, lambda f: os.lockf(f.fileno(), os.F_LOCK, 0))
    other_process(file.name, lambda f: fcntl.fcntl(f, fcntl.F_SETLKW, EXCLUSIVE))
greening.unpatch()
assert fcntl.flock is early is not None
print("done")
