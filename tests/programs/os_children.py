"""After monkey_patch(): waits for children let others run, and lose no child."""

import greening

greening.monkey_patch()

import os
import signal
import time

from greening.testing import wait_until_parked

ticks = 0


def tick() -> None:
    global ticks
    while True:
        time.sleep(0.001)
        ticks += 1


def child(code: int) -> int:
    pid = os.fork()
    if not pid:
        os._exit(code)
    return pid


def child_that_waits_for_ticks(code: int) -> int:
    """It ends when others have run in its parent."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.read(reader, 1)
        os._exit(code)
    os.close(reader)
    greening.spawn_n(close_after_ticks, writer)
    return pid


def close_after_ticks(fd: int) -> None:
    until = ticks + 3
    while ticks < until:
        time.sleep(0.001)
    os.write(fd, b"x")
    os.close(fd)


clock = greening.spawn(tick)

# Every function of the family, blocking.
for wait in (
    lambda pid: os.waitpid(pid, 0),
    lambda pid: os.waitpid(-1, 0),
    lambda pid: os.wait(),
    lambda pid: os.wait3(0)[:2],
    lambda pid: os.wait4(pid, 0)[:2],
    lambda pid: (lambda found: (found.si_pid, found.si_status << 8))(os.waitid(os.P_PID, pid, os.WEXITED)),
    lambda pid: (lambda found: (found.si_pid, found.si_status << 8))(os.waitid(os.P_ALL, 0, os.WEXITED)),
):
    pid = child_that_waits_for_ticks(7)
    assert wait(pid) == (pid, 7 << 8)

# A hundred at once, each waited for by a green thread of its own.
pids = [child(n % 100) for n in range(100)]
threads = [greening.spawn(os.waitpid, pid, 0) for pid in pids]
assert [thread.wait() for thread in threads] == [(pid, (n % 100) << 8) for n, pid in enumerate(pids)]

# ... and by any of the green threads.
pids = [child(n) for n in range(20)]
threads = [greening.spawn(os.wait) for _ in pids]
assert {thread.wait() for thread in threads} == {(pid, n << 8) for n, pid in enumerate(pids)}

# The stdlib's loops: spawn*, popen, system, and a shell that is killed.
assert os.spawnv(os.P_WAIT, "/bin/sh", ["sh", "-c", "exit 3"]) == 3
before = ticks
assert os.system("sleep 0.3; exit 4") == 4 << 8
assert ticks - before >= 3, "os.system stopped the others"
with os.popen("sleep 0.02; echo said; exit 5") as pipe:
    assert pipe.read() == "said\n"
assert pipe.close() == 5 << 8

# A kill in the middle of a wait leaves the child to the next waiter.
reader, writer = os.pipe()
pid = os.fork()
if not pid:
    os.read(reader, 1)
    os._exit(9)
for target in (pid, -1):
    waiter = greening.spawn(os.waitpid, target, 0)
    wait_until_parked(waiter)
    waiter.kill()
os.write(writer, b"x")
assert os.waitpid(pid, 0) == (pid, 9 << 8)

# Ignored children: a wait ends when they have ended, with ECHILD.
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
pid = child(0)
try:
    os.waitpid(pid, 0)
except ChildProcessError:
    pass
else:
    raise AssertionError("the wait reaped what the system had reaped")
clock.kill()
