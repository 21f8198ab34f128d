"""scripts/stdlib: what is a difference, what the ledger may say, and one module of CPython's tests for real."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINE = """
[[expected]]
id = "test_x.T.test_a"
versions = ["3.13"]
reason = "Green threads share one OS thread."
"""


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "stdlib_suite"]:
        del sys.modules[name]


def suite(name: str) -> Any:
    return import_module(f"stdlib_suite.{name}")


def outcomes(**statuses: str) -> dict[str, Any]:
    return {f"test_x.T.{name}": suite("results").Outcome(status) for name, status in statuses.items()}


def verdicts(before: dict[str, Any], now: dict[str, Any], *alone: str) -> list[Any]:
    results = suite("results")
    return [results.Verdict(difference, list(alone)) for difference in results.differences(before, now)]


def test_what_failed_or_was_skipped_unpatched_is_not_asked_for() -> None:
    before = outcomes(test_a="pass", test_b="fail", test_c="skip", test_d="xfail", test_e="pass", test_f="pass")
    now = outcomes(test_a="fail", test_b="hang", test_c="fail", test_d="pass", test_e="skip")
    found = {verdict.difference.name[-1]: verdict.difference.kind for verdict in verdicts(before, now)}
    assert found == {"a": "regression", "e": "lost", "f": "lost"}


def test_a_fixture_that_fails_patched_only_is_a_difference() -> None:
    assert [v.difference.before for v in verdicts({}, outcomes(test_a="blocked", test_b="pass"))] == ["absent"]


@pytest.mark.parametrize(
    ("status", "alone", "ledger", "place"),
    [
        ("fail", ("fail", "fail"), "", "new"),
        ("fail", ("fail", "pass"), "", "unsteady"),
        ("fail", ("fail", "fail"), LINE, "expected"),
        ("fail", ("fail", "fail"), LINE.replace("3.13", "3.12"), "new"),
        ("hang", ("hang", "hang"), LINE, "hangs"),
        ("hang", ("hang", "pass"), "", "unsteady"),
    ],
)
def test_what_differs_is_judged_by_the_ledger(
    status: str, alone: tuple[str, ...], ledger: str, place: str, tmp_path: Path
) -> None:
    now = outcomes(test_a=status)
    (tmp_path / "ledger.toml").write_text(ledger)
    lines = suite("ledger").read(tmp_path / "ledger.toml")
    judgement = suite("ledger").judge(lines, "3.13", verdicts(outcomes(test_a="pass"), now, *alone), now)
    assert [bool(getattr(judgement, name)) for name in (place, "stale")] == [True, False]
    assert judgement.fails == (place in ("new", "hangs"))


def test_a_line_whose_test_passes_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ledger.toml").write_text(LINE)
    lines = suite("ledger").read(tmp_path / "ledger.toml")
    judgement = suite("ledger").judge(lines, "3.13", [], outcomes(test_a="pass"))
    assert judgement.fails and [line.id for line in judgement.stale] == ["test_x.T.test_a"]
    assert "take the version away" in suite("ledger").proposal(judgement, "3.13", lines)


@pytest.mark.parametrize(
    "bad",
    [
        LINE.replace('reason = "Green threads share one OS thread."', ""),
        LINE.replace("Green threads share one OS thread.", "detail"),
        LINE.replace('["3.13"]', "[3.13]"),
        LINE + LINE,
        LINE + 'colour = "red"',
        "[[expected",
    ],
)
def test_a_ledger_that_says_what_it_may_not_is_refused(bad: str, tmp_path: Path) -> None:
    (tmp_path / "ledger.toml").write_text(bad)
    with pytest.raises(suite("ledger").BadLedger):
        suite("ledger").read(tmp_path / "ledger.toml")


def test_the_ledger_of_the_project_can_be_read() -> None:
    assert suite("ledger").read(ROOT / "tests" / "stdlib" / "ledger.toml")


def test_unknown_modules_are_an_error_and_fast_leaves_out_the_slow() -> None:
    plan = suite("plan")
    with pytest.raises(ValueError, match="test_nothing"):
        plan.chosen(["test_nothing"], False)
    names = {module.name for module, _ in plan.chosen([], True)}
    assert "test_queue" in names and "test_asyncio" not in names
    assert plan.chosen(["asyncio.test_events"], False)[0][1] == "test_asyncio.test_events"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("test.test_context") is None, reason="this Python comes without its tests")
def test_one_of_cpythons_modules_for_real(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stdlib_suite", "--modules", "test_context", "--lazy"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_context" in done.stdout and "0 differ" in done.stdout
