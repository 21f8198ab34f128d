"""What a test did, and what that means when it did something else unpatched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

GOOD = frozenset({"pass", "xfail"})
SKIPPED = frozenset({"skip"})
# `blocked`: something before the test failed or hung, so that it never ran. Whatever else ends a process is `crash`.
BAD = frozenset({"fail", "error", "hang", "crash", "blocked"})
_SEVERITY = ("pass", "xfail", "skip", "fail", "error", "blocked", "crash", "hang")


class Outcome(NamedTuple):
    """What became of one test; `seconds` it took, `detail` is the traceback or the reason."""

    status: str
    seconds: float = 0.0
    detail: str = ""


Outcomes = dict[str, Outcome]  # by the test's name


class Difference(NamedTuple):
    """A test that is worse patched than unpatched. `kind` is "regression" or "lost" (skipped, or not there)."""

    name: str
    kind: str
    before: str
    now: Outcome


@dataclass(slots=True)
class Verdict:
    """A difference that was looked at again.

    Attributes:
        alone: what the test did in fresh processes of its own, patched.
    """

    difference: Difference
    alone: list[str] = field(default_factory=list)

    @property
    def confirmed(self) -> bool:
        """It differs each time."""
        return all(status not in GOOD for status in self.alone)

    @property
    def hangs(self) -> bool:
        """It hung each time."""
        return self.difference.now.status == "hang" and all(status == "hang" for status in self.alone)


def record(outcomes: Outcomes, name: str, outcome: Outcome) -> None:
    """Add an outcome; of two for one name the worse one stays."""
    old = outcomes.get(name)
    if old is None or _SEVERITY.index(outcome.status) > _SEVERITY.index(old.status):
        outcomes[name] = outcome


def merge_again(first: Outcomes, again: Mapping[str, Outcome]) -> None:
    """Unpatched, a test that passes at the second attempt passes: what it did first was the machine's doing."""
    for name, outcome in again.items():
        if outcome.status in GOOD and name in first:
            first[name] = outcome


def differences(before: Mapping[str, Outcome], now: Mapping[str, Outcome]) -> Iterator[Difference]:
    """What is worse, in the order of `before`. What failed before, or was skipped, is not asked of us."""
    for name, old in before.items():
        new = now.get(name, Outcome("absent"))
        if old.status in GOOD and new.status not in GOOD:
            yield Difference(name, "regression" if new.status in BAD else "lost", old.status, new)
    for name, new in now.items():
        if name not in before and new.status in BAD:  # a fixture, or the end of the process
            yield Difference(name, "regression", "absent", new)


def passing(outcomes: Mapping[str, Outcome]) -> int:
    """How many tests are good."""
    return sum(outcome.status in GOOD for outcome in outcomes.values())
