"""The measured process of the loop rows: KIND STYLE MODULE LOOP SECONDS COUNT [ARGUMENT ...].

KIND is the module of `inside` that has the loops; the ARGUMENTs are for it. A first phase finds how many operations
take SECONDS, unless COUNT says how many to do, and prints {"ready": n}; then each line on standard input runs that many
once more and is answered with the seconds of CPU and of wall clock they took. Nothing but the peer is imported before
it is: `patched` measures what a patched program gets.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable

cpu_clock, wall_clock = time.process_time, time.perf_counter  # the real ones, whatever is patched later

WARM_UP = 10  # a fixed number of operations is warmed up with this part of them


def timed(loop: Callable[[int], None], count: int) -> tuple[float, float]:
    """Run `count` operations; return (CPU seconds, wall-clock seconds)."""
    cpu, wall = cpu_clock(), wall_clock()
    loop(count)
    return cpu_clock() - cpu, wall_clock() - wall


def calibrate(loop: Callable[[int], None], seconds: float) -> int:
    """Return how many operations take about `seconds` of wall clock; warms the caches on the way."""
    count = 1
    while True:
        _, wall = timed(loop, count)
        if wall >= seconds / 2:
            return max(1, round(count * seconds / wall))
        count *= 2 if wall > seconds / 20 else 5


def main() -> None:
    """Answer until standard input ends."""
    kind, style, module, name, seconds, fixed, *arguments = sys.argv[1:]
    loop = importlib.import_module(f"benchmarks.inside.{kind}").prepare(style, module, name, *arguments)
    count = int(fixed)
    if count:
        loop(max(1, count // WARM_UP))
    else:
        count = calibrate(loop, float(seconds))
    print(f'{{"ready": {count}}}', flush=True)
    for _ in sys.stdin:
        cpu, wall = timed(loop, count)
        print(f'{{"count": {count}, "cpu": {cpu}, "elapsed": {wall}}}', flush=True)


if __name__ == "__main__":
    main()
