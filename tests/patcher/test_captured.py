"""Which places count as holding an original. What the audit says of them is tested in test_audit.py."""

import math
from typing import Any

from greening.patcher.captured import captured, originals_of, targets_of
from greening.patcher.ledger import ABSENT, BEHIND, Ledger

BEFORE, GONE = math.sin, math.cos  # they stand for originals


def test_the_public_name_of_an_original_is_told() -> None:
    ledger = Ledger()
    ledger.remember("_thing", "before", BEFORE, None)
    ledger.remember("thing", f"before{BEHIND}", BEFORE, None)
    ledger.remember("thing", "Class.method", GONE, None)
    ledger.remember("thing", "gone", GONE, ABSENT)
    assert originals_of(ledger) == {id(BEFORE): (BEFORE, "thing.before", False), id(GONE): (GONE, "thing.gone", True)}
    ledger.placed.update(("thing", "_thing"))
    assert sorted(targets_of(ledger)) == ["_thing.", "thing."]


def test_annotations_hold_originals_and_call_none(run_program: Any) -> None:
    run_program(
        "import threading, time, sys\n"
        "def annotated(lock: threading.Lock, nap: time.sleep) -> None: ...\n"
        "def looked_at(nap: time.sleep) -> None: ...\n"
        "looked_at.__annotations__\n"
        "def default(nap=(time.sleep,)) -> None: ...\n"
        "either = threading.Event | None\n"
        "import greening\n"
        "import warnings; warnings.simplefilter('ignore')\n"
        "greening.monkey_patch()\n"
        "places = [found.where for found in greening.debug.audit()]\n"
        "assert len(places) == 1 and places[0].startswith('__main__.default'), places\n"
    )


def test_nothing_is_captured_of_a_ledger_that_has_nothing() -> None:
    assert list(captured(Ledger())) == []
