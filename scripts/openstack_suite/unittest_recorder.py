"""Runs tests with unittest, for suites that need it (`load_tests`), and writes lines as `recorder` does.

    python -m unittest_recorder PACKAGE ...

A package means all modules in it that are called test_something.
"""

import importlib
import os
import sys
import unittest
from pathlib import Path
from typing import Any


class Result(unittest.TextTestResult):
    """Writes the outcome of each test; the worst of its sub-tests and steps counts."""

    def startTest(self, test: Any) -> None:
        """Called by unittest."""
        super().startTest(test)
        self.outcome = "passed"

    def stopTest(self, test: Any) -> None:
        """Called by unittest."""
        super().stopTest(test)
        with Path(os.environ["OPENSTACK_RECORD"]).open("a", encoding="utf-8") as file:
            file.write(f"{self.outcome}\t{test.id()}\n")

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
    """The modules of tests in a package; a module is itself."""
    package = importlib.import_module(name)
    places = [Path(place) for place in getattr(package, "__path__", ())]
    if not places:
        return [name]
    files = sorted(path for place in places for path in place.rglob("test_*.py"))
    return [".".join((name, *path.relative_to(places[0]).with_suffix("").parts)) for path in files]


def main(names: list[str]) -> int:
    """Run them all."""
    modules = [module for name in names for module in modules_of(name)]
    suite = unittest.defaultTestLoader.loadTestsFromNames(modules)
    done = unittest.TextTestRunner(resultclass=Result, verbosity=2).run(suite)
    return 0 if done.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
