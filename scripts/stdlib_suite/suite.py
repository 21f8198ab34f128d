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


@dataclass(frozen=True, slots=True)
class Way:
    """How to run the units.

    Attributes:
        jobs: so many at a time.
        lazy: the patched half first; unpatched only what did not pass then, the rest would have passed.
        apart: tests of which it is known that they differ: each is run in a process of its own, so that what it leaves
            behind is no other test's affair.
    """

    checkout: Path
    jobs: int
    lazy: bool
    apart: frozenset[str]


def run_all(units: Collection[Unit], baseline: Baseline, way: Way, say: Say) -> list[UnitResult]:
    """Run the units, the longest first."""

    def length(unit: Unit) -> float:
        known = baseline.known(unit)
        return float("inf") if known is None else sum(outcome.seconds for outcome in known.values())

    def run(unit: Unit) -> UnitResult:
        before = {} if way.lazy else baseline.of(unit)
        began = time.monotonic()
        now = _run_patched(unit, baseline, way, before)
        if way.lazy:
            before = baseline.of_lazily(unit, now)
        result = UnitResult(unit, before, now, time.monotonic() - began)
        result.verdicts = [Verdict(difference) for difference in differences(before, now)]
        say(f"{unit.name}: {len(now)} tests, {len(result.verdicts)} differ, {result.seconds:.0f} s")
        return result

    with ThreadPoolExecutor(way.jobs) as pool:
        return list(pool.map(run, sorted(units, key=length, reverse=True)))


def _run_patched(unit: Unit, baseline: Baseline, way: Way, before: Outcomes) -> Outcomes:
    apart = frozenset(name for name in way.apart if name.startswith((f"{unit.name}.", f"{unit.name}:")))
    order = Order(baseline.python, unit, way.checkout)
    now = run_unit(replace(order, without=apart), before)
    for name in sorted(apart):
        now.update(run_unit(replace(order, only=(name,), briefly=True), before))
    return now


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
