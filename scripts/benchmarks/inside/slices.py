"""The measured server of the row on slices: STYLE MODULE. It echoes for one client, and computes meanwhile."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def main() -> None:
    """Announce the port, then serve until killed."""
    style, module = sys.argv[1:]
    importlib.import_module("benchmarks.inside.real")  # before the patch
    importlib.import_module(f"benchmarks.inside.{style}").patch(module)
    listener = importlib.import_module("benchmarks.inside.green_server").stdlib_listener()
    print(f'{{"port": {listener.getsockname()[1]}}}', flush=True)
    while True:
        serve(listener.accept()[0])


def serve(client: Any) -> None:
    """Answer `client` until it leaves, beside a thread that says sleep(0) after every 20 ms of computing."""
    scenes, threads, time = map(importlib.import_module, ("benchmarks.inside.scenes", "threading", "time"))
    left: list[bool] = []

    def compute() -> None:
        while not left:
            scenes.burn(scenes.SLICE)
            time.sleep(0)

    thread = threads.Thread(target=compute)
    thread.start()
    with client:
        while data := client.recv(100):
            client.sendall(data)
    left.append(True)
    thread.join()


if __name__ == "__main__":
    main()
