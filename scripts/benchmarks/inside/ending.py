"""The measured process of the row on the exit: STYLE MODULE. Its main thread ends while ten OS threads wait."""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    """Say when it ends."""
    style, module = sys.argv[1:]
    real = importlib.import_module("benchmarks.inside.real")  # before the patch
    importlib.import_module(f"benchmarks.inside.{style}").patch(module)
    queue = importlib.import_module("queue")
    things = queue.Queue()

    def wait() -> None:
        while True:
            try:
                things.get(timeout=0.01)
            except queue.Empty:
                pass

    for _ in range(10):
        real.start_thread(wait, ())
    importlib.import_module("time").sleep(0.1)
    print(f'{{"ending": {real.clock()}}}', flush=True)


if __name__ == "__main__":
    main()
