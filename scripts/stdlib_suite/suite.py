"""All units, both ways, and the second and third look at everything that differs."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from stdlib_suite.baseline import Baseline
from stdlib_suite.driver import limit, run_unit
from stdlib_suite.interpreter import Interpreter
from stdlib_suite.plan import Module, Unit, units_of
from stdlib_suite.process import Order
from stdlib_suite.results import GOOD, Outcome, Outcomes, Verdict, differences

_LOOKS = 2  # at a test that differs, each in a process of its own
Say = Callable[[str], None]


@dataclass(slots=True)
class UnitResult:
    """Attributes:
    before: what the unit's tests did unpatched.
    now: what they did patched.
    seconds: that the patched run took.
    """

    unit: Unit
    before: Outcomes
    now: Outcomes
    seconds: float
    verdicts: list[Verdict] = field(default_factory=list)


def units_for(wanted: Iterable[tuple[Module, str]], python: Interpreter, missing: list[str]) -> list[Unit]:
    """The units that were asked for; names that this Python does not have go to `missing`."""
    units: dict[str, Unit] = {}
    for module, one in wanted:
        found = [unit for unit in units_of(module, python.tests) if not one or unit.name == one]
        units.update((unit.name, unit) for unit in found)
        if not found:
            missing.append(one or module.name)
    return list(units.values())


def run_all(units: Collection[Unit], baseline: Baseline, checkout: Path, jobs: int, say: Say) -> list[UnitResult]:
    """Run the units, `jobs` at a time, the longest first."""

    def length(unit: Unit) -> float:
        known = baseline.known(unit)
        return float("inf") if known is None else sum(outcome.seconds for outcome in known.values())

    def run(unit: Unit) -> UnitResult:
        before = baseline.of(unit)
        began = time.monotonic()
        now = run_unit(Order(baseline.python, unit, checkout), before)
        result = UnitResult(unit, before, now, time.monotonic() - began)
        result.verdicts = [Verdict(difference) for difference in differences(before, now)]
        say(f"{unit.name}: {len(now)} tests, {len(result.verdicts)} differ, {result.seconds:.0f} s")
        return result

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(run, sorted(units, key=length, reverse=True)))


def look_again(results: Iterable[UnitResult], python: Interpreter, checkout: Path, say: Say) -> None:
    """Run each test that differs alone, until it passes or has been looked at often enough."""
    for result in results:
        order = Order(python, result.unit, checkout)
        for verdict in result.verdicts:
            for _ in range(_LOOKS):
                verdict.alone.append(_alone(order, verdict, result.before))
                if verdict.alone[-1] in GOOD:
                    break
            say(f"{verdict.difference.name}: {verdict.difference.now.status}; alone: {', '.join(verdict.alone)}")
            if verdict.hangs:
                _explain(order, verdict, result.before)


def _alone(order: Order, verdict: Verdict, before: Outcomes) -> str:
    name = verdict.difference.name
    if name not in before:  # a fixture, or the end of the process: it takes the whole unit to see it again
        return run_unit(order, before).get(name, Outcome("pass")).status
    return run_unit(replace(order, only=(name,)), before).get(name, Outcome("absent")).status


def _explain(order: Order, verdict: Verdict, before: Outcomes) -> None:
    """Once more, with a look at all stacks shortly before the end."""
    name = verdict.difference.name
    if name in before:
        seconds = limit(before[name]) - 1
        now = run_unit(replace(order, only=(name,), watch=seconds), before).get(name, verdict.difference.now)
        if now.status == "hang":
            verdict.difference = verdict.difference._replace(now=now)
