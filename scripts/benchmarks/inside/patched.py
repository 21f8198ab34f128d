"""Loops on the stdlib's own calls in a process that a peer has patched (or that is not patched, for comparison)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

Loop = Callable[[int], None]

FILES = ("stdlib_loops", "stdlib_io_loops")


def prepare(style: str, module: str, name: str) -> Loop:
    """Patch the process, then return the loop called `name`, run in a thread as a program's work is."""
    importlib.import_module(f"benchmarks.inside.{style}").patch(module)
    loops: dict[str, Callable[[], Loop]] = {}
    for file in FILES:  # only now: they import what is measured
        loops |= importlib.import_module(f"benchmarks.inside.{file}").LOOPS
    return in_thread(loops[name](), importlib.import_module("threading").Thread)


def in_thread(loop: Loop, new_thread: Callable[..., Any]) -> Loop:
    """Return the same in a thread of its own; what it raises is raised here."""

    def run(n: int) -> None:
        errors: list[BaseException] = []

        def body() -> None:
            try:
                loop(n)
            except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
                errors.append(error)

        thread = new_thread(target=body, daemon=True)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]

    return run
