"""A green thread that blocks signals for itself, as threads do, does not make the main thread block_signals."""

import greening

greening.monkey_patch()

import os
import signal
import subprocess
import threading
import time

USR1, USR2, TERM = signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM
got: list[int] = []
for number in (USR1, USR2, TERM):
    signal.signal(number, lambda signum, frame: got.append(signum))


def mask() -> set[int]:
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


def in_thread(function) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def exit_status(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def blocked_of_process() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1], 16) for line in status if line.startswith("SigBlk"))


assert blocked_of_process() == 0

# For good, as worker threads do.
blocker_waits, end = threading.Event(), threading.Event()


def block_all() -> None:
    assert signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()) == set()
    blocker_waits.set()
    end.wait()
    assert {USR1, TERM} < mask()
    assert USR1 in signal.pthread_sigmask(signal.SIG_SETMASK, {USR2})
    assert mask() == {USR2}
    # The child of a fork has the mask of the thread that forked.
    time.sleep(0)
    if not (pid := os.fork()):
        os._exit(blocked_of_process() != 1 << (USR2 - 1) or mask() != {USR2})
    assert exit_status(pid) == 0


blocker = greening.spawn(block_all)
blocker_waits.wait()
time.sleep(0)
assert blocked_of_process() == 0
assert mask() == set()
os.kill(os.getpid(), USR1)
time.sleep(0.001)
assert got == [USR1]
child = subprocess.Popen(["sleep", "60"])
child.terminate()
assert child.wait() == -TERM
end.set()
blocker.wait()


# Between blocking and unblocking nothing gets through, and children inherit the mask.
def bracket() -> None:
    got.clear()
    signal.pthread_sigmask(signal.SIG_BLOCK, {USR2})
    os.kill(os.getpid(), USR2)
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "kill -USR2 $$; exit 3"], {})
    assert got == []
    assert signal.pthread_sigmask(signal.SIG_UNBLOCK, {USR2}) == {USR2}
    time.sleep(0.001)
    assert got == [USR2]
    assert exit_status(pid) == 3


in_thread(bracket)


# What is blocked is waited for.
def wait_for_own() -> None:
    got.clear()
    signal.pthread_sigmask(signal.SIG_BLOCK, {USR1})
    greening.spawn_n(os.kill, os.getpid(), USR1)
    assert signal.sigwait({USR1}) == USR1
    assert got == []


in_thread(wait_for_own)
time.sleep(0)
assert blocked_of_process() == 0

# The main thread's own is the system's.
assert signal.pthread_sigmask(signal.SIG_BLOCK, {USR1}) == set()
in_thread(lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, {USR1}))
time.sleep(0)
got.clear()
os.kill(os.getpid(), USR1)
time.sleep(0.001)
assert got == []
assert mask() == {USR1}
signal.pthread_sigmask(signal.SIG_SETMASK, ())
assert got == [USR1]
for call in (lambda: signal.pthread_sigmask(77, ()), lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {1000})):
    for run in (lambda call: call(), in_thread):
        try:
            run(call)
        except (OSError, ValueError):
            continue
        raise AssertionError
