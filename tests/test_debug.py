"""`greening.debug`: what is running, and how findings are said. What `audit` finds is tested in tests/patcher."""

import sys
from typing import Any

import greenlet
import pytest

from greening import debug
from greening._core.current import get_hub
from greening.debug import Finding, audit, info
from greening.patcher.ledger import LEDGER
from greening.patcher.plugins import Plugin


def test_info_says_what_is_running() -> None:
    told = info()
    assert set(told) == {"python", "greenlet", "accelerator", "poller", "patched", "plug-ins"}
    assert told["python"] == sys.version
    assert told["greenlet"] == greenlet.__version__
    assert told["accelerator"] == (debug.why_not or "running")
    assert told["poller"] == type(get_hub().poller).__name__
    assert told["patched"] == ", ".join(sorted(LEDGER.flags)) or "nothing"


def test_info_names_the_flags_that_are_patched(run_program: Any) -> None:
    run_program(
        "import greening\n"
        "from greening.debug import info\n"
        "assert info()['patched'] == 'nothing'\n"
        "greening.monkey_patch(time=True, socket=True)\n"
        "assert info()['patched'] == 'socket, time'\n"
        "greening.unpatch()\n"
        "assert info()['patched'] == 'nothing'\n"
    )


def test_info_names_the_plug_ins_by_their_state(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = [Plugin(module, "a:b") for module in ("zmq", "grpc", "psycopg2")]
    plugins[0].state = plugins[1].state = "waiting"
    plugins[2].state = "active"
    monkeypatch.setattr(LEDGER, "plugins", plugins)
    assert info()["plug-ins"] == "active: psycopg2; waiting: grpc, zmq"
    monkeypatch.setattr(LEDGER, "plugins", None)
    assert info()["plug-ins"] == "none"


def test_nothing_is_found_where_nothing_is_patched() -> None:
    assert audit() == []


def test_a_finding_is_a_place_and_beneath_it_what_to_do() -> None:
    finding = Finding("name", "a.b", "the unpatched time.sleep", "look time.sleep up when it is called")
    assert str(finding) == "a.b: the unpatched time.sleep\n    look time.sleep up when it is called"
    assert sorted([finding, Finding("lock", "z", "", "")])[0].kind == "lock"


def test_the_advice_names_the_innermost_module_of_a_place(run_program: Any) -> None:
    run_program(
        "import sys, types\n"
        "sys.modules['early'] = early = types.ModuleType('early')\n"
        "import time\n"
        "early.nap = time.sleep\n"
        "exec('def later(nap=nap): return nap', early.__dict__)\n"
        "import greening\n"
        "greening.monkey_patch(time=True)\n"
        "from greening.debug import audit\n"
        "for found in audit():\n"
        "    assert 'early' not in found.where or found.remedy.endswith('before early is imported'), found\n"
    )
