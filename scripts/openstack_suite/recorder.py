"""A plugin of pytest that writes one line for each test as soon as it is over: outcome, tab, name of the test.

It runs inside the suites of other projects, in their processes; so it imports nothing but pytest. A suite that kills
its process leaves the lines of what ran before. `OPENSTACK_RECORD` names the file.
"""

import os
from pathlib import Path
from typing import Any

import pytest

_RANK = ("passed", "skipped", "xfailed", "xpassed", "failed", "error")


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed and report.when != "call":
        return "error"
    return report.outcome


class Recorder:
    """The worst outcome of a test's three phases (set up, call, tear down) is the test's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.worst: dict[str, str] = {}

    def write(self, outcome: str, test: str) -> None:
        """Append one line. The file is opened each time: a test may close all descriptors, or fork."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{outcome}\t{test}\n")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a phase; after the last one, write the line."""
        outcome = _outcome(report)
        worst = max(self.worst.get(report.nodeid, "passed"), outcome, key=_RANK.index)
        self.worst[report.nodeid] = worst
        if report.when == "teardown":
            self.write(self.worst.pop(report.nodeid), report.nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        """A file that cannot be imported is one failed test."""
        if report.failed:
            self.write("error", report.nodeid)


def pytest_configure(config: pytest.Config) -> None:
    """Called by pytest."""
    config.pluginmanager.register(Recorder(Path(os.environ["OPENSTACK_RECORD"])), "openstack-recorder")
