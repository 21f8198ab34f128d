"""What a family gives back: samplers, one per living peer, and their samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.environment import Machine
from benchmarks.peers import Peer
from benchmarks.rows import Row


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: `value` in the row's unit; `extra` for the columns that only some families have."""

    value: float
    extra: dict[str, float] = field(default_factory=dict)


class Sampler(Protocol):
    """A peer set up for one row. Raises BenchError when the peer cannot go on."""

    def sample(self) -> Sample:
        """Measure once."""

    def close(self) -> None:
        """End its processes."""


Open = Callable[[Machine, Row, Peer, float], Sampler]  # the float: seconds that one sample should take
