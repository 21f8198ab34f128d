"""After monkey_patch(): in the child of a fork only the forking thread goes on, and everything works there."""

import warnings

import greening

greening.monkey_patch()

import _imp
import os
import pty
import subprocess
import sys
import threading
import time

from greening.testing import wait_until_parked

warnings.simplefilter("error")  # among them: "This process is multi-threaded, use of fork() may lead to deadlocks"


def works() -> None:
    reader, writer = os.pipe()
    thread = greening.spawn(os.read, reader, 5)
    os.write(writer, b"works")
    assert thread.wait() == b"works"
    time.sleep(0.001)
    subprocess.run(["true"], check=True)


def exit_status(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


works()
others = [greening.spawn(time.sleep, 3600)]
others.append(greening.spawn(os.read, os.pipe()[0], 1))
seen: list[str] = []
others.append(greening.spawn(lambda: (time.sleep(0.03), seen.append("ran"))))
time.sleep(0)

# From the main greenlet: the parent's threads do not run in the child.
pid = os.fork()
if not pid:
    works()
    time.sleep(0.05)
    os._exit(len(seen))
assert exit_status(pid) == 0
assert seen == ["ran"]


# From a green thread.
def fork_here() -> None:
    pid = os.fork()
    if not pid:
        works()
        os._exit(11)
    seen.append(str(exit_status(pid)))


worker = threading.Thread(target=fork_here)
worker.start()
worker.join()
assert seen == ["ran", "11"]

# The child's child, and the parent afterwards.
pid = os.fork()
if not pid:
    inner = os.fork()
    if not inner:
        works()
        os._exit(5)
    os._exit(exit_status(inner))
assert exit_status(pid) == 5
works()

# A fork waits until another green thread has finished what it does under the import lock.
sys.modules["half done"] = None  # type: ignore[assignment]  # made complete below


def half_an_import() -> None:
    _imp.acquire_lock()
    try:
        time.sleep(0.02)
        sys.modules["half done"] = os
    finally:
        _imp.release_lock()


others.append(greening.spawn(half_an_import))
wait_until_parked(others[-1])
pid = os.fork()
if not pid:
    os._exit(0 if sys.modules["half done"] is os else 1)
assert exit_status(pid) == 0

# A terminal of its own.
pid, master = pty.fork()
if not pid:
    os.write(1, os.read(0, 100).upper())
    os._exit(0)
os.write(master, b"typed\n")
said = b""
while b"TYPED" not in said:
    said += os.read(master, 100)
assert exit_status(pid) == 0
os.close(master)

for other in others:
    other.kill()
