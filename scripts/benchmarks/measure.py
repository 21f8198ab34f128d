"""Rounds: every peer once per round, each round starting with another peer, so that drift and noise hit all alike."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.environment import Machine
from benchmarks.families.common import Sample, Sampler
from benchmarks.families.table import FAMILIES
from benchmarks.peers import Peer
from benchmarks.processes import BenchError, CannotDo
from benchmarks.rows import Row


@dataclass(slots=True)
class Result:
    """One row: the samples of each peer, the n-th of each from round n.

    A peer that dropped out is in `failed` if it broke, in `skipped` if it cannot do this.
    """

    row: Row
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def measure(machine: Machine, row: Row, peers: tuple[Peer, ...], rounds: int, seconds: float) -> Result:
    """Measure one row. A peer that fails is dropped from the row; the others go on."""
    result = Result(row)
    with ExitStack() as stack:
        samplers: dict[str, Sampler] = {}
        for peer in peers:
            if row.family not in peer.families or peer.name in machine.missing:
                continue
            if peer.name in row.without:
                result.skipped[peer.name] = row.without[peer.name]
                continue
            try:
                samplers[peer.name] = sampler = FAMILIES[row.family](machine, row, peer, seconds)
                stack.callback(sampler.close)
            except CannotDo as error:
                result.skipped[peer.name] = str(error)
            except BenchError as error:
                result.failed[peer.name] = str(error)
        for number in range(max(1, rounds // 3) if row.slow else rounds):
            for name in _rotated(list(samplers), number):
                try:
                    result.samples.setdefault(name, []).append(samplers[name].sample())
                except BenchError as error:
                    (result.skipped if isinstance(error, CannotDo) else result.failed)[name] = str(error)
                    del samplers[name]
                    result.samples.pop(name, None)
            _progress(f"{row.name}: round {number + 1}")
    _progress("")
    return result


def _rotated(names: list[str], by: int) -> Iterator[str]:
    for position in range(len(names)):
        yield names[(position + by) % len(names)]


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
