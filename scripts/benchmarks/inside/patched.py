"""Loops on the stdlib's own calls in a process that a peer has patched (or nobody, for comparison)."""

from __future__ import annotations

import importlib
from collections.abc import Callable

Loop = Callable[[int], None]


def prepare(style: str, module: str, name: str) -> Loop:
    """Patch the process, then return the loop called `name`."""
    if style != "-":
        importlib.import_module(f"benchmarks.inside.{style}").patch(module)
    # Only now: these loops import what is measured.
    loops: dict[str, Callable[[], Loop]] = importlib.import_module("benchmarks.inside.stdlib_loops").LOOPS
    return loops[name]()
