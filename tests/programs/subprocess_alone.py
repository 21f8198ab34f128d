"""After monkey_patch(subprocess=True) alone: waits and pipes of Popen let others run. `os` and `select` block."""

import greening

greening.monkey_patch(subprocess=True)

import os
import select
import subprocess

assert not greening.is_monkey_patched("os")
ticks = 0


def tick() -> None:
    global ticks
    while True:
        greening.sleep(0.001)
        ticks += 1


clock = greening.spawn(tick)
for call in (
    lambda: subprocess.run(["sleep", "0.03"], check=True),
    lambda: subprocess.run(["sleep", "0.03"], check=True, timeout=10),
    lambda: subprocess.check_output(["sh", "-c", "sleep 0.03; echo"]),
    lambda: subprocess.run(["sh", "-c", "sleep 0.03; cat; echo >&2"], input=bytes(200_000), capture_output=True),
):
    before = ticks
    call()
    assert ticks - before >= 5, "the others did not run"
clock.kill()

greening.unpatch()
assert type(os.read).__name__ == type(select.select).__name__ == "builtin_function_or_method"
assert subprocess.io is __import__("io")
assert "greening" not in subprocess.Popen._wait.__code__.co_filename
