"""greening does what eventlet does, wherever the two agree: every scenario of `agreed`, with both.

Both run in fresh processes, unpatched. What they do not agree on is in the tests of greening alone.
"""

import json
import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.sync.agreed import __main__ as program
from tests.sync.agreed.registry import SCENARIOS

ROOT = Path(__file__).resolve().parent.parent.parent

LIBRARIES = [
    "greening",
    pytest.param("eventlet", marks=pytest.mark.skipif(find_spec("eventlet") is None, reason="eventlet is missing")),
]


@cache
def outcomes(library: str) -> dict[str, object]:
    """What the scenarios have come to with this library."""
    # eventlet's resolver is not wanted: it takes longer to import than all the rest.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "EVENTLET_NO_GREENDNS": "yes"}
    command = [sys.executable, "-P", "-W", "ignore", "-m", "tests.sync.agreed", library]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # what the program prints


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_the_outcome_is_the_one_that_was_agreed_on(library: str, scenario: str) -> None:
    assert outcomes(library)[scenario] == SCENARIOS[scenario][1]


def test_every_room_has_scenarios() -> None:
    rooms = {scenario.__module__ for scenario, _ in SCENARIOS.values()}
    assert rooms == {room.__name__ for room in program.ROOMS}
