"""After monkey_patch(): pipes under multiprocessing and pty.spawn, which know nothing of us, let others run."""

import multiprocessing.connection as early  # captures os.read and os.write as default arguments

import greening

greening.monkey_patch()

import multiprocessing
import os
import pty
import sys
import threading
import time

from greening.testing import settle, wait_until_parked

assert early.os is os


def echo(connection: "early.Connection") -> None:
    while (thing := connection.recv()) is not None:
        time.sleep(0.01)
        connection.send(thing)


ticks = 0


def tick() -> None:
    global ticks
    while True:
        time.sleep(0.001)
        ticks += 1


clock = greening.spawn(tick)
for duplex in (True, False):
    a, b = multiprocessing.Pipe(duplex)
    before = ticks
    thread = greening.spawn(a.recv)
    while ticks - before < 3:  # others run while it waits
        time.sleep(0.001)
    b.send({"some": "thing"})
    assert thread.wait() == {"some": "thing"}
    big = greening.spawn(b.send, bytes(3_000_000))
    assert len(a.recv()) == 3_000_000
    big.wait()

context = multiprocessing.get_context("fork")
here, there = context.Pipe()
process = context.Process(target=echo, args=(there,))
process.start()
there.close()
before = ticks
for n in range(3):
    here.send(n)
    assert here.poll(10)
    assert here.recv() == n
assert ticks > before
assert multiprocessing.connection.wait([here], 0.01) == []
here.send(None)
process.join()
assert process.exitcode == 0

# Two green threads, one file object.
reader, writer = os.pipe()
with os.fdopen(reader, "rb") as source:
    lines: list[bytes] = []
    readers = [threading.Thread(target=lambda: lines.append(source.readline())) for _ in range(2)]
    for each in readers:
        each.start()
        wait_until_parked(each)
    os.write(writer, b"one\n")
    settle()
    os.write(writer, b"two\n")
    for each in readers:
        each.join()
    assert lines == [b"one\n", b"two\n"]

# pty.spawn copies between our descriptors and a terminal.
out: list[bytes] = []


def master_read(fd: int) -> bytes:
    out.append(os.read(fd, 1024))
    return out[-1]


before = ticks
status = pty.spawn([sys.executable, "-c", "import time; time.sleep(0.02); print('in a terminal')"], master_read)
assert os.waitstatus_to_exitcode(status) == 0
assert b"in a terminal" in b"".join(out)
assert ticks - before >= 3
clock.kill()
