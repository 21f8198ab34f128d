"""Whether a server answers a client as a fresh one would, whatever other clients have sent before and meanwhile."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz.requests import Step, connections
from tests.fuzz.served import Fresh, Served

BATCH = 1000  # requests
HISTORY = 400  # connections that are kept for a reproducer


@dataclass(frozen=True)
class Difference:
    """A client that was answered otherwise than a fresh server answers it.

    Attributes:
        steps: all that it takes to see it, by a server that is fresh before.
        connection: the one that got another answer. fresh, got: the two answers.
    """

    steps: list[Step]
    connection: int
    fresh: bytes
    got: bytes

    def __str__(self) -> str:
        lines = "\n".join(f"    Step({step.connection}, {step.data!r}, {step.end!r})," for step in self.steps)
        return (
            f"connection {self.connection} was answered\n  {self.got!r}\n"
            f"and a fresh server answers it\n  {self.fresh!r}\nafter\n[\n{lines}\n]"
        )


@dataclass
class Outcome:
    """What a run has found, and how much it has tried."""

    requests: int
    connections: int
    differences: list[Difference]


def run(seed: int, requests: int, progress: Callable[[Outcome], None] | None = None) -> Outcome:
    """Send so many requests to one server, and each connection's to a fresh one. The first difference ends it.

    Args:
        seed: the same one makes the same requests.
        progress: called after every thousand requests.
    """
    rng = random.Random(seed)
    outcome = Outcome(0, 0, [])
    history: list[Step] = []
    with Served() as served, Fresh() as fresh:
        while outcome.requests < requests:
            size = min(BATCH, requests - outcome.requests)
            steps = connections(rng, size, outcome.connections)
            got = served.run(steps)
            history += steps
            for number, answer in got.items():
                alone = fresh.run([step for step in steps if step.connection == number])[number]
                if alone != answer:
                    outcome.differences.append(_reproduced(fresh, history, number, alone, answer))
                    break
            outcome.requests += size
            outcome.connections += len(got)
            history = [step for step in history if step.connection > outcome.connections - HISTORY]
            if progress is not None:
                progress(outcome)
            if outcome.differences:
                break
    return outcome


def _reproduced(fresh: Fresh, history: list[Step], victim: int, alone: bytes, got: bytes) -> Difference:
    """Leave out all that it does not take. If a fresh server does not show it at all, everything is kept."""

    def shows(steps: list[Step]) -> bool:
        return fresh.run(steps)[victim] != alone

    last = max(at for at, step in enumerate(history) if step.connection == victim)
    steps = history[: last + 1]
    if not shows(steps):
        return Difference(steps, victim, alone, got)
    others = sorted({step.connection for step in steps} - {victim}, reverse=True)
    size = len(others)
    while size:
        at = 0
        while at < len(others):
            without = {*others[at : at + size]}
            fewer = [step for step in steps if step.connection not in without]
            if shows(fewer):
                steps = fewer
                del others[at : at + size]
            else:
                at += size
        size //= 2
    return Difference(steps, victim, alone, fresh.run(steps)[victim])
