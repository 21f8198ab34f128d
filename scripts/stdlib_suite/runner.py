"""Runs one unit of CPython's tests in the process that it is in, and tells every step in a file.

    worker.py EVENTS UNIT CHOICE RESOURCES PATTERN WATCH
        EVENTS     file that every step is appended to, one JSON list per line
        UNIT       module under `test`, or one that is laid in the current folder
        CHOICE     file with the names of the tests to run, one per line; of those to leave out, each after "-"; "": all
        RESOURCES  of test.support, joined by commas
        PATTERN    regular expression: tests whose names it does not find are left out
        WATCH      seconds after which all stacks are printed, once; 0: never

The steps: ["names", [name ...]] (all of the unit), ["plan", [name ...]] (those to run), ["start", name], ["end", name,
status, seconds, detail], ["fixture", name, status, detail],
["done"]. A status is pass, fail, error, skip or xfail.
"""

import faulthandler
import gc
import importlib
import json
import os
import re
import sys
import time
import traceback
import unittest
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from test import support

Real = Mapping[str, Callable[..., Any]]
_clock = time.perf_counter


class Teller:
    """Appends events to the file. A forked child of a test, which may come here by accident, tells nothing."""

    def __init__(self, path: str, real: Real) -> None:
        self.path = path
        self.real = real
        self.pid = os.getpid()

    def __call__(self, *event: object) -> None:
        if os.getpid() == self.pid:
            # Opened each time: a descriptor of ours would be in the way of tests that count theirs.
            fd = self.real["open"](self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self.real["write"](fd, (json.dumps(event) + "\n").encode())
            self.real["close"](fd)


class Result(unittest.TestResult):
    """Tells what happens. A test is as good as the last bad thing that is said about it."""

    def __init__(self, tell: Teller, names: dict[int, str]) -> None:
        super().__init__()
        self.tell = tell
        self.names = names
        self.running: unittest.TestCase | None = None
        self.status = self.detail = ""
        self.began = 0.0

    def startTest(self, test: unittest.TestCase) -> None:
        self.running, self.status, self.detail = test, "", ""
        self.tell("start", self.names[id(test)])
        self.began = _clock()

    def stopTest(self, test: unittest.TestCase) -> None:
        seconds = round(_clock() - self.began, 4)
        self.tell("end", self.names[id(test)], self.status or "pass", seconds, self.detail)
        self.running = None

    def _say(self, test: Any, status: str, detail: str) -> None:
        if self.running is None:  # setUpClass and the like
            self.tell("fixture", str(test), status, detail)
        elif status != "skip" or test is self.running:  # a part of a test that is skipped says nothing about it
            self.status, self.detail = status, detail

    def addError(self, test: Any, err: Any) -> None:
        self._say(test, "error", "".join(traceback.format_exception(*err)))

    def addFailure(self, test: Any, err: Any) -> None:
        self._say(test, "fail", "".join(traceback.format_exception(*err)))

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            where = f"{subtest}\n" + "".join(traceback.format_exception(*err))
            self._say(test, "fail" if issubclass(err[0], test.failureException) else "error", where)

    def addSkip(self, test: Any, reason: str) -> None:
        self._say(test, "skip", reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        self._say(test, "xfail", "")

    def addUnexpectedSuccess(self, test: Any) -> None:
        self._say(test, "fail", "unexpected success")


def flat(suite: Any) -> list[unittest.TestCase]:
    """All tests of a suite, in order."""
    if isinstance(suite, unittest.TestSuite):
        return [test for part in suite for test in flat(part)]
    return [suite]


def name_all(unit: str, tests: list[unittest.TestCase]) -> dict[str, unittest.TestCase]:
    """Names that are unique, and the same in every run. The second one of a name gets "#2"."""
    named: dict[str, unittest.TestCase] = {}
    for test in tests:
        name = plain = short(unit, test.id())
        number = 1
        while name in named:
            number += 1
            name = f"{plain}#{number}"
        named[name] = test
    return named


def short(unit: str, name: str) -> str:
    """`test_x.Class.test_y`; a test that a module took from elsewhere is `test_x:where.Class.test_y`."""
    name = name.removeprefix("test.")
    return name if name.startswith(unit + ".") else f"{unit}:{name}"


def choose(tests: dict[str, unittest.TestCase], choice: str, pattern: str) -> dict[str, unittest.TestCase]:
    """Those that are asked for."""
    tests = {name: test for name, test in tests.items() if re.search(pattern, name)}
    if not choice:
        return tests
    with open(choice, encoding="utf-8") as file:
        chosen = set(file.read().splitlines())
    if any(name.startswith("-") for name in chosen):
        return {name: test for name, test in tests.items() if f"-{name}" not in chosen}
    return {name: test for name, test in tests.items() if name in chosen}


def print_stacks_after(seconds: float, real: Real) -> None:
    """Print the stacks of all threads, green ones, too. Runs in a native thread that the patch knows nothing of."""
    real["sleep"](seconds)
    faulthandler.dump_traceback(all_threads=True)
    for thing in gc.get_objects():
        frame: FrameType | None = getattr(thing, "gr_frame", None) if type(thing).__name__ == "greenlet" else None
        if frame is not None:
            real["write"](2, f"\nparked greenlet {id(thing):#x}:\n{''.join(traceback.format_stack(frame))}".encode())


def main(real: Real) -> None:
    """Run the unit that the arguments name."""
    events, unit, choice, resources, pattern, watch = sys.argv[1:]
    tell = Teller(events, real)
    del sys.argv[1:], sys.path[0]
    faulthandler.enable()
    if float(watch):
        real["start"](print_stacks_after, (float(watch), real))
    support.use_resources = dict.fromkeys(filter(None, resources.split(",")))
    try:
        if os.path.exists(unit.replace(".", "/") + ".py"):
            sys.path.insert(0, os.getcwd())
            module = importlib.import_module(unit)
        else:
            module = importlib.import_module(f"test.{unit}")
    except unittest.SkipTest as reason:
        tell("fixture", f"import {unit}", "skip", str(reason))
        tell("done")
        return
    tests = name_all(unit, flat(unittest.defaultTestLoader.loadTestsFromModule(module)))
    tell("names", list(choose(tests, "", pattern)))
    tests = choose(tests, choice, pattern)
    tell("plan", list(tests))
    names = {id(test): name for name, test in tests.items()}
    suite = unittest.TestSuite(tests.values())
    del tests  # a suite forgets its tests as they are done, and some want to see that things die
    suite.run(Result(tell, names))
    tell("done")
