"""eventlet itself is asked for its names: each is under the alias, with its parameters, or is said to be otherwise."""

import inspect
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from greening.compat.missing import MISSING, PARAMETERS
from greening.compat.uses import Use
from greening.compat.verdicts import Kind, judge, look_up

GUIDE = Path(__file__).resolve().parent.parent.parent / "docs" / "migrating-from-eventlet.md"
# Packages that the tests do not need; without them the modules cannot be imported.
NOT_INSTALLED = {"eventlet.green.MySQLdb", "eventlet.green.OpenSSL", "eventlet.green.zmq"}
# Its constructor takes eventlet's argument once `install` has been called.
SET_BY_INSTALL = {"eventlet.greenthread.GreenThread"}
HUBS = re.compile(r"eventlet\.hubs\.(asyncio|epolls|kqueue|poll|selects)\.Hub\b")


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_is_not_there(name: str) -> None:
    if name == "eventlet.green.thread.start_joinable_thread" and sys.version_info >= (3, 13):
        return
    with pytest.raises(LookupError):
        look_up(name)


@pytest.mark.parametrize("name", MISSING)
def test_the_checker_says_so(name: str) -> None:
    verdict = judge(Use(1, f"{name}.anything", "use"))
    assert verdict is not None
    assert (verdict.kind, verdict.note) == (Kind.MISSING, MISSING[name])


def test_a_part_of_the_loop_is_missing_in_every_hub() -> None:
    verdict = judge(Use(1, "eventlet.hubs.poll.Hub.fire_timers", "override"))
    assert verdict is not None
    assert "loop" in verdict.note


def test_the_guide_names_what_takes_other_parameters() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert [name for name in PARAMETERS if f"`{name}`" not in text] == []


def is_said(name: str, table: dict[str, str]) -> bool:
    """True if a table has the name, or what it is in."""
    parts = HUBS.sub("eventlet.hubs.hub.BaseHub", name).split(".")
    return any(".".join(parts[:depth]) in table for depth in range(len(parts), 1, -1))


def lacks_parameter(value: Any, wanted: list[tuple[str, str, bool]]) -> bool:
    """True if an argument that eventlet takes by name is not taken by that name here, or one more is needed."""
    try:
        parameters = list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError):  # it does not say
        return False
    named = [one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    expected = {name for kind, name, _ in wanted if kind in ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY")}
    anything = {kind for kind, _, _ in wanted} & {"VAR_POSITIONAL", "VAR_KEYWORD"}
    more = [one for one in named if one.default is one.empty and one.name not in expected | {"self"}]
    if more and not anything:
        return True
    takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters)
    return not takes_all and bool(expected - {"self"} - {one.name for one in named})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The asyn")  # asyncore and asynchat
@pytest.mark.skipif(find_spec("eventlet") is None, reason="eventlet is missing")
def test_every_public_name_of_eventlet_is_there_or_is_said_to_be_missing() -> None:
    program = Path(__file__).with_name("names_of_eventlet.py")
    done = subprocess.run([sys.executable, program], env=dict(os.environ), capture_output=True, text=True, check=True)
    lacking, otherwise = [], []
    for name, wanted in json.loads(done.stdout).items():
        try:
            found = look_up(name)
        except LookupError:
            lacking.append(name)
            continue
        # The interpreter calls members with two underscores, by position.
        if wanted is None or found.name != name or name.endswith("__") or name in SET_BY_INSTALL:
            continue
        if lacks_parameter(found.value, wanted):
            otherwise.append(name)
    lacking = [name for name in lacking if name not in NOT_INSTALLED]
    assert len(lacking) + len(otherwise) > 20
    assert [name for name in lacking if not is_said(name, MISSING)] == []
    assert [name for name in otherwise if not is_said(name, PARAMETERS)] == []
    unneeded = [name for name in PARAMETERS if not any(f"{each}.".startswith(f"{name}.") for each in otherwise)]
    assert unneeded == []
