"""The table, the list of what differs, and the file of results."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from stdlib_suite.interpreter import Interpreter
from stdlib_suite.ledger import Judgement
from stdlib_suite.results import Outcome, Verdict, passing
from stdlib_suite.suite import UnitResult

_HEAD = ("module", "unpatched", "patched", "differ", "hang", "expected", "unsteady", "seconds")
_LINE = "{:<44}" + "{:>10}" * 7


def table(results: Collection[UnitResult], judgement: Judgement) -> Iterator[str]:
    """One line per module: how many tests pass unpatched and patched, and what became of the others."""
    yield _LINE.format(*_HEAD)
    modules = sorted({result.unit.module.name for result in results})
    for name in modules:
        yield _row(name, [result for result in results if result.unit.module.name == name], judgement)
    if len(modules) > 1:
        yield _row("all", results, judgement)


def _row(title: str, results: Collection[UnitResult], judgement: Judgement) -> str:
    verdicts = [verdict for result in results for verdict in result.verdicts]
    new, hangs, expected, unsteady = (
        sum(verdict in listed for verdict in verdicts)
        for listed in (judgement.new, judgement.hangs, judgement.expected, judgement.unsteady)
    )
    before = sum(passing(result.before) for result in results)
    now = before - len([verdict for verdict in verdicts if verdict.difference.name in _names(results)])
    return _LINE.format(
        title, before, now, new + hangs, hangs, expected, unsteady, f"{sum(result.seconds for result in results):.0f}"
    )


def _names(results: Iterable[UnitResult]) -> set[str]:
    return {name for result in results for name in result.before}


def details(judgement: Judgement) -> Iterator[str]:
    """Everything that differs, the worst first."""
    for title, verdicts in (
        ("hang", judgement.hangs),
        ("differ", judgement.new),
        ("unsteady, which fails nothing", judgement.unsteady),
        ("as the ledger says", judgement.expected),
    ):
        if verdicts:
            yield f"\n{title}:"
        for verdict in verdicts:
            yield f"  {verdict.difference.name}"
            yield f"      {_told(verdict)}"
    if judgement.stale:
        yield "\nin the ledger, but they pass:"
        yield from (f"  {line.id}" for line in judgement.stale)


def _told(verdict: Verdict) -> str:
    _, kind, before, now = verdict.difference
    last = now.detail.strip().rpartition("\n")[2][:160]
    return f"{kind}: {before} -> {now.status}; alone: {', '.join(verdict.alone) or '-'}; {last}"


def write_json(path: Path, python: Interpreter, results: Iterable[UnitResult], judgement: Judgement) -> None:
    """Every test's outcome and seconds, unpatched and patched, and the details of what differs."""
    groups = {
        title: [_as_data(verdict) for verdict in getattr(judgement, title)]
        for title in ("hangs", "new", "unsteady", "expected")
    }
    units = {
        result.unit.name: {
            "seconds": round(result.seconds, 1),
            "tests": {
                name: [before.status, before.seconds, now.status, now.seconds]
                for name, before in result.before.items()
                for now in (result.now.get(name, Outcome("absent")),)
            },
        }
        for result in results
    }
    data = {"python": python.build, "stale": [line.id for line in judgement.stale], **groups, "units": units}
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")


def _as_data(verdict: Verdict) -> dict[str, Any]:
    name, kind, before, now = verdict.difference
    return {
        "id": name,
        "kind": kind,
        "before": before,
        "now": now.status,
        "alone": verdict.alone,
        "detail": now.detail,
    }
