"""Functions of the user: how they are called, and what becomes of their mistakes."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from greening.wsgi.command.application import Unloadable
from greening.wsgi.command.config import Settings, parse, parser, read
from greening.wsgi.command.hooks import call, demand

SOURCE = """
seen = []

def ready(settings):
    seen.append(settings)

def broken(settings):
    return 1 / 0

def leaving(settings):
    raise SystemExit(3)
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "hooks1.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)

    def make(hook: str) -> Settings:
        given = parse(parser(""), ["site:app", "--worker-ready", hook])
        return read(given, {}, str(tmp_path)).settings()

    yield make
    sys.modules.pop("hooks1", None)


def test_a_hook_gets_the_settings(settings: Any) -> None:
    said = settings("hooks1:ready")
    demand("worker_ready", said)
    assert sys.modules["hooks1"].seen == [said]
    demand("on_exit", said)  # there is none


@pytest.mark.parametrize(
    ("hook", "problem"),
    [
        ("hooks1:broken", "the hook worker-ready, 'hooks1:broken', failed:\nTraceback (most recent call last):\n"),
        ("hooks1:leaving", "the hook worker-ready, 'hooks1:leaving', failed:\n"),
        ("hooks1:nothing", "the hook worker-ready: 'hooks1:nothing': module 'hooks1' has no attribute 'nothing'"),
        ("hooks2:ready", "the hook worker-ready: no module named 'hooks2'"),
    ],
)
def test_a_mistake_is_told_under_the_name_of_the_hook(
    settings: Any, hook: str, problem: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Unloadable) as error:
        demand("worker_ready", settings(hook))
    assert problem in str(error.value)
    assert "greening/wsgi/command/hooks.py" not in str(error.value)
    call("worker_ready", settings(hook))
    assert problem in capfd.readouterr().err
