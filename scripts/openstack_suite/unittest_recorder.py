"""Runs tests with unittest, for suites that need it (`load_tests`, scenarios), and writes lines as `recorder` does.

    python -m unittest_recorder PACKAGE ...

A package means all modules in it that are called test_something. The tests run in a child process. A test that takes
longer than OPENSTACK_SECONDS (60) ends that process: its outcome is "hung", the log says where it stood, and another
child goes on with the tests that are left. So a test that never ends costs a minute, on either side, and not the run.
"""

import faulthandler
import importlib
import os
import subprocess
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    from testscenarios import generate_scenarios
except ImportError:  # then no suite here has scenarios

    def generate_scenarios(tests: Any) -> Iterator[Any]:
        """The tests of a suite, one by one."""
        for test in tests:
            if isinstance(test, unittest.TestSuite):
                yield from generate_scenarios(test)
            else:
                yield test


CHILD = "--child"
SECONDS = float(os.environ.get("OPENSTACK_SECONDS", "60"))


def record() -> Path:
    """The file of outcomes."""
    return Path(os.environ["OPENSTACK_RECORD"])


def running() -> Path:
    """The file with the name of the test that runs now."""
    return record().with_suffix(".running")


def write(outcome: str, test: str) -> None:
    """Add a line. The file is opened each time: a test may close all descriptors, or fork."""
    with record().open("a", encoding="utf-8") as file:
        file.write(f"{outcome}\t{test}\n")


class Result(unittest.TextTestResult):
    """Writes the outcome of each test; the worst of its sub-tests and steps counts."""

    def startTest(self, test: Any) -> None:
        """Called by unittest."""
        super().startTest(test)
        self.outcome = "passed"
        running().write_text(test.id(), encoding="utf-8")
        # By a thread in C, which no patching and no loop of the test's concerns.
        faulthandler.dump_traceback_later(SECONDS, exit=True)

    def stopTest(self, test: Any) -> None:
        """Called by unittest."""
        super().stopTest(test)
        faulthandler.cancel_dump_traceback_later()
        write(self.outcome, test.id())
        running().unlink(missing_ok=True)

    def addFailure(self, test: Any, err: Any) -> None:
        """Called by unittest."""
        super().addFailure(test, err)
        self.outcome = "failed"

    def addError(self, test: Any, err: Any) -> None:
        """Called by unittest."""
        super().addError(test, err)
        self.outcome = "error"

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        """Called by unittest."""
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.outcome = "failed"

    def addSkip(self, test: Any, reason: str) -> None:
        """Called by unittest."""
        super().addSkip(test, reason)
        self.outcome = "skipped"


def modules_of(name: str) -> list[str]:
    """The modules of tests in a package; a module is itself, and so is a single test."""
    try:
        package = importlib.import_module(name)
    except ImportError:  # a test, or a module that cannot be imported: the loader says so
        return [name]
    places = [Path(place) for place in getattr(package, "__path__", ())]
    if not places:
        return [name]
    files = sorted(path for place in places for path in place.rglob("test_*.py"))
    return [".".join((name, *path.relative_to(places[0]).with_suffix("").parts)) for path in files]


def tests_of(names: list[str]) -> Iterator[Any]:
    """Their tests, each scenario of a test by itself."""
    modules = [module for name in names for module in modules_of(name)]
    return iter(generate_scenarios(unittest.defaultTestLoader.loadTestsFromNames(modules)))


def run(names: list[str]) -> None:
    """Run those that have no outcome yet, and end the process."""
    done = {line.partition("\t")[2] for line in record().read_text(encoding="utf-8").splitlines()}
    suite = unittest.TestSuite(test for test in tests_of(names) if test.id() not in done)
    result = unittest.TextTestRunner(resultclass=Result, verbosity=2).run(suite)
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: threads that tests have left behind may go on for ever, and nobody waits for them.
    os._exit(0 if result.wasSuccessful() else 1)


def main(names: list[str]) -> int:
    """Run them all, in one child after the other. Returns the exit status."""
    record().touch()
    worst = 0
    while True:
        running().unlink(missing_ok=True)
        status = subprocess.run([sys.executable, "-m", "unittest_recorder", CHILD, *names], check=False).returncode
        worst = worst or abs(status)
        if not running().exists():
            return worst
        write("hung", running().read_text(encoding="utf-8"))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == [CHILD]:
        run(arguments[1:])
    sys.exit(main(arguments))
