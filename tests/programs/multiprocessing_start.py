"""A child is given more than fits into a pipe: others run until it has started up and reads it.

Argument: the start method.
"""

import greening

greening.monkey_patch()

import multiprocessing
import sys
import time


def size_of(data: bytes, out) -> None:
    out.put(len(data))


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    context.Process(target=len, args=("",)).start()  # its helpers are up
    ticks: list[int] = []
    ticker = greening.spawn(lambda: [(time.sleep(0.001), ticks.append(n)) for n in range(10**6)])
    out = context.Queue()
    process = context.Process(target=size_of, args=(b"x" * 3_000_000, out))
    before = len(ticks)
    process.start()
    during = len(ticks) - before
    assert out.get() == 3_000_000
    process.join()
    assert process.exitcode == 0
    assert during > 3, during  # none if they had to wait
    ticker.kill()
