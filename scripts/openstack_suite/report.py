"""Compares the two sides test by test, and prints the table of differences."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openstack_suite.running import Results
from openstack_suite.suites import Suite

_EXPLAINED = Path(__file__).with_name("explained.toml")
_GOOD = ("passed", "xfailed")
_BAD = ("failed", "error", "xpassed", "hung")

HEAD = "| suite | tests | eventlet | greening | differ | seconds |\n|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Difference:
    """A test whose outcome is not the same.

    Args:
        eventlet, greening: outcomes; "not run".
        reason: why it is all right; None: nobody has explained it.
    """

    suite: str
    test: str
    eventlet: str
    greening: str
    reason: str | None

    def __str__(self) -> str:
        return f"{self.suite}: {self.test}: {self.eventlet} on eventlet, {self.greening} on greening: {self.reason}"


def explanations() -> list[tuple[re.Pattern[str], str]]:
    """The patterns of tests whose outcome may differ, each with the reason."""
    entries = tomllib.loads(_EXPLAINED.read_text(encoding="utf-8"))["difference"]
    return [(re.compile(entry["test"]), entry["reason"]) for entry in entries]


def differences(suite: Suite, eventlet: Results, greening: Results) -> Iterator[Difference]:
    """Tests that one side has passed and the other has not, or that one side has not come to."""
    known = explanations()
    for test in sorted(eventlet.tests.keys() | greening.tests.keys()):
        first, second = (side.tests.get(test, "not run") for side in (eventlet, greening))
        if _class_of(first) != _class_of(second):
            reason = next((reason for pattern, reason in known if pattern.search(test)), None)
            yield Difference(suite.name, test, first, second, reason)


def _class_of(outcome: str) -> str:
    return "bad" if outcome in _BAD else "good" if outcome in _GOOD else outcome


def row(suite: Suite, eventlet: Results, greening: Results, differ: int) -> str:
    """The line of the table."""
    tests = len(eventlet.tests.keys() | greening.tests.keys())
    cells = (
        suite.name,
        str(tests),
        _summary(eventlet),
        _summary(greening),
        str(differ) if differ else "none",
        f"{eventlet.seconds:.0f} / {greening.seconds:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _summary(side: Results) -> str:
    words = [f"{side.count(*_GOOD)} pass"]
    for name, outcomes in (("fail", _BAD), ("skipped", ("skipped",))):
        if count := side.count(*outcomes):
            words.append(f"{count} {name}")
    if side.status is None:
        words.append("did not end")
    elif side.status not in (0, 1, 5):  # 5: pytest found no tests
        words.append(f"exit status {side.status}")
    return ", ".join(words)
