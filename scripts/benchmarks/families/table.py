"""The families, by the name that rows and peers use."""

from __future__ import annotations

from benchmarks.families.common import Open
from benchmarks.families.echo import EchoSampler
from benchmarks.families.loops import LoopSampler
from benchmarks.families.memory import MemorySampler
from benchmarks.families.startup import StartupSampler

FAMILIES: dict[str, Open] = {
    "echo": EchoSampler,
    "green": LoopSampler,
    "patched": LoopSampler,
    "startup": StartupSampler,
    "memory": MemorySampler,
}
