"""`greening.debug.info`: what is running."""

import sys
from typing import Any

import greenlet
import pytest

from greening._compiled import why_not
from greening._core.current import get_hub
from greening.debug import info
from greening.patcher.ledger import LEDGER
from greening.patcher.plugins import Plugin


def test_info_says_what_is_running() -> None:
    told = info()
    assert set(told) == {"python", "greenlet", "accelerator", "poller", "patched", "plug-ins"}
    assert told["python"] == sys.version
    assert told["greenlet"] == greenlet.__version__
    assert told["accelerator"] == (why_not or "running")
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
