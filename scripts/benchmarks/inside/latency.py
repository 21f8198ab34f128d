"""The measured process of the latency rows: STYLE MODULE SCENE.

Each line on standard input runs the scene once more, and is answered with the milliseconds that it is about.
"""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    """Answer until standard input ends."""
    style, module, name = sys.argv[1:]
    importlib.import_module("benchmarks.inside.real")  # before the patch
    adapter = importlib.import_module(f"benchmarks.inside.{style}")
    adapter.patch(module)
    # Only now: it imports what is measured.
    scene = importlib.import_module("benchmarks.inside.scenes").SCENES[name]
    call = adapter.pool_call(module)
    print('{"ready": true}', flush=True)
    for _ in sys.stdin:
        print(f'{{"ms": {scene(call)}}}', flush=True)


if __name__ == "__main__":
    main()
