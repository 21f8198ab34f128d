"""After monkey_patch(): subprocesses can be run from native threads, too, with a hub and without."""

import greening

greening.monkey_patch()

import subprocess

from greening import tpool

original_start = greening.original("_thread").start_new_thread


def run(n: int) -> str:
    return subprocess.run(["sh", "-c", f"sleep 0.01; echo {n}"], capture_output=True, text=True, check=True).stdout


def run_some(n: int) -> list[str]:
    """With a hub of this OS thread's own."""
    return [thread.wait() for thread in [greening.spawn(run, n) for _ in range(3)]]


threads = [greening.spawn(tpool.execute, run, n) for n in range(5)]
assert [thread.wait() for thread in threads] == [f"{n}\n" for n in range(5)]
threads = [greening.spawn(tpool.execute, run_some, n) for n in range(3)]
assert [thread.wait() for thread in threads] == [[f"{n}\n"] * 3 for n in range(3)]

# A process started here, waited for there.
process = subprocess.Popen(["sleep", "0.02"])
waiters = [greening.spawn(tpool.execute, process.wait), greening.spawn(process.wait)]
assert [waiter.wait() for waiter in waiters] == [0, 0]
