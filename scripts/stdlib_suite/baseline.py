"""The unpatched results: what is asked of the patch. Kept per interpreter, because they cost as much as the other
half.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from threading import Lock

from stdlib_suite.driver import run_unit
from stdlib_suite.interpreter import Interpreter
from stdlib_suite.plan import Unit
from stdlib_suite.process import Order
from stdlib_suite.results import GOOD, SKIPPED, Outcome, Outcomes, merge_again

_FORMAT = 2  # change it when old results must not be used any more


class Baseline:
    """Thread-safe. With `fresh` a unit is run again although its results are there."""

    def __init__(self, python: Interpreter, folder: Path, fresh: bool) -> None:
        key = hashlib.sha256(f"{_FORMAT}\n{python.build}\n{python.executable}".encode()).hexdigest()[:12]
        self.python = python
        self.path = folder / f"{python.version}-{key}.json"
        self._lock = Lock()
        self._units: dict[str, dict[str, tuple[str, float]]] = {}
        if self.path.is_file():
            self._units = json.loads(self.path.read_text(encoding="utf-8"))
        self._old = set(self._units) if fresh else set()

    def known(self, unit: Unit) -> Outcomes | None:
        """What the unit did, if it has been run."""
        with self._lock:
            kept = None if _key(unit) in self._old else self._units.get(_key(unit))
        return None if kept is None else {name: Outcome(*outcome) for name, outcome in kept.items()}

    def of(self, unit: Unit) -> Outcomes:
        """What the unit does unpatched; runs it if need be, and what fails twice."""
        known = self.known(unit)
        if known is not None:
            return known
        order = Order(self.python, unit, None)
        outcomes = run_unit(order, {})
        to_recheck = tuple(name for name, outcome in outcomes.items() if outcome.status not in GOOD | SKIPPED)
        if to_recheck:
            merge_again(outcomes, run_unit(replace(order, only=to_recheck), {}))
        self._keep(unit, outcomes)
        return outcomes

    def of_lazily(self, unit: Unit, now: Outcomes) -> Outcomes:
        """What it does unpatched, guessed from what it does patched: only what does not pass there is run, and what is
        not there at all.
        """
        order = Order(self.python, unit, None)
        names: list[str] = []
        to_recheck = {name for name, outcome in now.items() if outcome.status not in GOOD}
        before = run_unit(replace(order, only=tuple(to_recheck)), {}, names)
        absent = tuple(name for name in names if name not in now)
        if absent:
            before.update(run_unit(replace(order, only=absent), {}))
        return {name: outcome for name, outcome in now.items() if name not in to_recheck} | before

    def _keep(self, unit: Unit, outcomes: Outcomes) -> None:
        with self._lock:
            self._old.discard(_key(unit))
            self._units[_key(unit)] = {name: (status, seconds) for name, (status, seconds, _) in outcomes.items()}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = self.path.with_suffix(f".{os.getpid()}")
            new.write_text(json.dumps(self._units, indent=0), encoding="utf-8")
            new.replace(self.path)


def _key(unit: Unit) -> str:
    """What decides about the results."""
    return " ".join((unit.name, unit.module.resources, unit.module.pattern))
