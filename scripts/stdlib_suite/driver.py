"""A unit from start to end, whatever its tests do: a test that hangs or dies is booked, and the rest goes on without
it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stdlib_suite.process import Order, Worker
from stdlib_suite.results import Outcome, Outcomes, record

# Seconds. A test may take `_SLACK` plus so many times what it took unpatched, but not longer than `_LONGEST`.
_SLACK = 10.0
_FACTOR = 6.0
_LONGEST = 40.0
_UNKNOWN = 60.0  # a test that was never measured
_FIXTURE = 60.0  # imports, setUpClass and the like, the end of the process
_LOOK_EVERY = 0.05


def limit(before: Outcome | None) -> float:
    """Seconds that a test may take, from what it did unpatched."""
    return _UNKNOWN if before is None else min(_SLACK + _FACTOR * before.seconds, _LONGEST)


def run_unit(order: Order, before: Mapping[str, Outcome], names: list[str] | None = None) -> Outcomes:
    """Run the tests of an order; start again for the rest when one hangs or ends the process.

    Args:
        before: what the tests did unpatched: their limits. Empty: that is not known.
        names: gets the names of all tests that the unit has.
    """
    run = _Run(order, before)
    while run.once():
        pass
    if names is not None:
        names[:] = run.names
    return run.outcomes


class _Run:
    """Attributes:
    names: all tests of the unit, whatever the order says.
    todo: tests of the present worker, in order; None until it has told.
    running: the test that it is in, or "".
    told_done: it has run them all.
    broken: a fixture failed.
    """

    def __init__(self, order: Order, before: Mapping[str, Outcome]) -> None:
        self.order = order
        self.before = before
        self.outcomes: Outcomes = {}
        self.names: list[str] = []
        self.todo: list[str] | None = None
        self.running = ""
        self.told_done = self.broken = False
        self.deadline = 0.0

    def once(self) -> bool:
        """Run one worker to its end; True: another one is needed for the rest."""
        self.todo, self.running, self.told_done, self.broken = None, "", False, False
        self._allow(_FIXTURE)
        with Worker(self.order) as worker:
            hung = self._watch(worker)
            if self.told_done and self.order.briefly:
                return self._prepare_rest()
            if hung:
                worker.abort()
            if hung or worker.status() != 0 or not self.told_done:
                end = "hang" if hung else "crash"
                self._book(Outcome(end, 0.0, f"exit status {worker.status()}\n{worker.log()}"))
        return self._prepare_rest()

    def _watch(self, worker: Worker) -> bool:
        """Follow the worker; True: it hangs, False: it has ended."""
        while True:
            ended = worker.status() is not None
            for kind, *event in worker.events():
                getattr(self, f"_on_{kind}")(*event)
            if ended or (self.told_done and self.order.briefly):
                return False
            if time.monotonic() > self.deadline:
                return True
            worker.wait(_LOOK_EVERY)

    def _allow(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    # Events

    def _on_names(self, names: list[str]) -> None:
        self.names = names

    def _on_plan(self, names: list[str]) -> None:
        self.todo = names
        self._allow(_FIXTURE)

    def _on_start(self, name: str) -> None:
        self.running = name
        self._allow(limit(self.before.get(name)))

    def _on_end(self, name: str, *outcome: Any) -> None:
        self.running = ""
        record(self.outcomes, name, Outcome(*outcome))
        self._allow(_FIXTURE)

    def _on_fixture(self, name: str, status: str, detail: str) -> None:
        if status != "skip":
            self.broken = True
            record(self.outcomes, f"{self.order.unit.name}: {name}", Outcome(status, 0.0, detail))

    def _on_done(self) -> None:
        self.told_done = True
        self._allow(_FIXTURE)

    # What is left

    def _left(self) -> list[str]:
        return [name for name in self.todo or () if name not in self.outcomes]

    def _book(self, outcome: Outcome) -> None:
        """The worker hung or died: blame the test that it was in, or else the fixture of the next one, or its end."""
        if self.running:
            record(self.outcomes, self.running, outcome)
        elif self.todo is None:
            record(self.outcomes, f"{self.order.unit.name}: import", outcome)
        elif self.told_done or not self._left():
            record(self.outcomes, f"{self.order.unit.name}: end of the process", outcome)
        else:
            left = self._left()
            group = left[0].rpartition(".")[0]
            record(self.outcomes, f"{self.order.unit.name}: before {group}", outcome)
            for name in left:
                if name.rpartition(".")[0] == group:
                    record(self.outcomes, name, Outcome("blocked", 0.0, outcome.detail))

    def _prepare_rest(self) -> bool:
        left = self._left()
        if self.told_done or self.todo is None:
            self._settle(left)
            return False
        self.order = replace(self.order, only=tuple(left), watch=0)
        return bool(left)

    def _settle(self, left: list[str]) -> None:
        """Tests that the worker never came to: their fixtures failed, or said that they are to be skipped."""
        if self.todo is None and f"{self.order.unit.name}: import" in self.outcomes:
            self.broken = True
            left = [name for name in self.before if name not in self.outcomes]
        for name in left:
            record(self.outcomes, name, Outcome("blocked" if self.broken else "skip"))
