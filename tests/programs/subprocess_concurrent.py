"""After monkey_patch(): subprocesses of many green threads run at the same time; every way to talk to them works."""

import greening

greening.monkey_patch()

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from greening.testing import wait_until_parked

PYTHON = sys.executable
ticks = 0


def tick() -> None:
    global ticks
    while True:
        time.sleep(0.001)
        ticks += 1


clock = greening.spawn(tick)


def ticked() -> int:
    global ticks
    count, ticks = ticks, 0
    return count


def failure(call: Callable[[], object]) -> Exception:
    try:
        call()
    except (OSError, subprocess.SubprocessError) as error:
        return error
    raise AssertionError("it should have failed")


# Ten sleeps take the time of one.
before = time.monotonic()
for thread in [greening.spawn(subprocess.run, ["sleep", "0.2"], check=True) for _ in range(10)]:
    thread.wait()
assert time.monotonic() - before < 1.5, time.monotonic() - before
assert ticked() > 50

# communicate in every shape.
upper = [PYTHON, "-c", "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.stderr.write('done')"]
done = subprocess.run(upper, input="text\n", capture_output=True, text=True, check=True)
assert (done.stdout, done.stderr) == ("TEXT\n", "done")
big = os.urandom(2_000_000)
assert subprocess.run(["cat"], input=big, stdout=subprocess.PIPE, check=True).stdout == big
assert subprocess.check_output(["sh", "-c", "sleep 0.02; echo $0", "x"]) == b"x\n"
assert ticked() > 10
late = failure(lambda: subprocess.run(["sh", "-c", "echo some; exec sleep 10"], timeout=0.05, capture_output=True))
assert isinstance(late, subprocess.TimeoutExpired)
assert (late.stdout, late.timeout) == (b"some\n", 0.05)
assert subprocess.getstatusoutput("echo a; exit 3") == (3, "a")

# A conversation, line by line, with a reader of its own.
cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
assert cat.stdin
assert cat.stdout
assert isinstance(cat.stdin, io.TextIOWrapper)
assert isinstance(cat.stdout.buffer, io.BufferedReader)
lines: list[str] = []
reader = threading.Thread(target=lambda: lines.extend(cat.stdout))  # type: ignore[arg-type]  # it is not None
reader.start()
for n in range(20):
    cat.stdin.write(f"{n}\n")
while len(lines) < 20:
    time.sleep(0.001)
cat.stdin.close()
reader.join()
assert cat.wait() == 0
assert lines == [f"{n}\n" for n in range(20)]

# More written than a pipe holds, to a child that reads slowly.
slow = subprocess.Popen([PYTHON, "-c", "import time, sys; time.sleep(.05); sys.stdin.read()"], stdin=subprocess.PIPE)
assert slow.stdin
ticked()
slow.stdin.write(bytes(1_000_000))
slow.stdin.close()
assert ticked() > 10
assert slow.wait() == 0

# Unbuffered.
raw = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
assert raw.stdin
assert raw.stdout
writer = greening.spawn(raw.stdin.write, bytes(300_000))
assert sum(len(raw.stdout.read(65536)) for _ in iter(lambda: writer.dead, True)) >= 0
raw.stdin.close()
raw.stdout.read()
assert writer.wait() == 300_000
assert raw.wait() == 0
raw.stdout.close()

# Killing the child ends a read; killing the reader leaves the child.
sleeper = subprocess.Popen(["sleep", "10"], stdout=subprocess.PIPE)
assert sleeper.stdout
reading = greening.spawn(sleeper.stdout.read)
wait_until_parked(reading)
reading.kill()
assert sleeper.poll() is None
reading = greening.spawn(sleeper.stdout.read)
wait_until_parked(reading)
sleeper.kill()
assert reading.wait() == b""
assert sleeper.wait() == -signal.SIGKILL
sleeper.stdout.close()

# Errors of exec, the slow road through fork, and arguments of all kinds.
for kwargs in ({}, {"preexec_fn": lambda: None}):
    missing = failure(lambda kwargs=kwargs: subprocess.run(["/does/not/exist"], **kwargs))
    assert isinstance(missing, FileNotFoundError)
    assert missing.filename == "/does/not/exist"
broken = failure(lambda: subprocess.Popen(["true"], preexec_fn=lambda: 1 / 0))
assert isinstance(broken, subprocess.SubprocessError)
assert str(broken) == "Exception occurred in preexec_fn."
ticked()
subprocess.run(["true"], preexec_fn=lambda: time.sleep(0.03), check=True)
assert ticked() > 10, "the fork of a child that takes its time stopped the others"
descriptor = os.open(os.devnull, os.O_RDONLY)
check = f"import os; os.fstat({descriptor}); assert os.environ['A'] == 'b'; assert os.getcwd() == '/'"
subprocess.run(
    [PYTHON, "-c", check], pass_fds=[descriptor], env={"A": "b"}, cwd="/", start_new_session=True, check=True
)

# Nothing is left: no descriptor, no child.
left = os.listdir("/proc/self/fd")
for _ in range(3):
    subprocess.run(["true"], capture_output=True, check=True)
assert os.listdir("/proc/self/fd") == left
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    pass
else:
    raise AssertionError("a child is left")
clock.kill()
