"""`scripts/openstack`: what it records, compares and says. The suites themselves are run by hand."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SUITE = ROOT / "scripts" / "openstack_suite"

TESTS = """
import unittest

class Tests(unittest.TestCase):
    def test_good(self): pass
    def test_bad(self): self.fail()
    def test_error(self): 1 // 0
    @unittest.skip("not here")
    def test_skipped(self): pass
    def test_partly(self):
        with self.subTest(1): self.fail()
"""


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of the package, which is on the path only while the script runs."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "openstack_suite"]:
        monkeypatch.delitem(sys.modules, name)
    return lambda name: import_module(f"openstack_suite.{name}")


def recorded(tmp_path: Path, *arguments: str, tests: str = TESTS) -> dict[str, str]:
    (tmp_path / "test_x.py").write_text(tests)
    record = tmp_path / "record"
    environment = {**os.environ, "OPENSTACK_RECORD": str(record), "PYTHONPATH": f"{SUITE}{os.pathsep}{tmp_path}"}
    subprocess.run([sys.executable, "-m", *arguments], cwd=tmp_path, env=environment, capture_output=True, check=False)
    lines = [line.split("\t") for line in record.read_text().splitlines()]
    return {test.rpartition("test_")[2]: outcome for outcome, test in lines}


@pytest.mark.slow
def test_pytest_writes_what_each_test_came_to(tmp_path: Path) -> None:
    outcomes = recorded(tmp_path, "pytest", "-p", "recorder", "-c", os.devnull, "--rootdir=.", "test_x.py")
    assert outcomes == {"good": "passed", "bad": "failed", "error": "failed", "skipped": "skipped", "partly": "failed"}


@pytest.mark.slow
def test_unittest_writes_what_each_test_came_to(tmp_path: Path) -> None:
    outcomes = recorded(tmp_path, "unittest_recorder", "test_x")
    assert outcomes == {"good": "passed", "bad": "failed", "error": "error", "skipped": "skipped", "partly": "failed"}


@pytest.mark.slow
def test_a_test_that_hangs_ends_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSTACK_SECONDS", "0.5")
    hanging = "import threading\n" + TESTS.replace("self.fail()", "threading.Event().wait()", 1)
    outcomes = recorded(tmp_path, "unittest_recorder", "test_x", tests=hanging)
    assert outcomes == {"good": "passed", "bad": "hung", "error": "error", "skipped": "skipped", "partly": "failed"}


@pytest.mark.slow
def test_a_file_that_cannot_be_imported_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "test_y.py").write_text("import no_such_module\n")
    outcomes = recorded(tmp_path, "pytest", "-p", "recorder", "-c", os.devnull, "--rootdir=.", "test_y.py")
    assert outcomes == {"y.py": "error"}


def results(part: Any, *, status: int | None = 0, **tests: str) -> Any:
    return part("running").Results(tests, 1.0, status, Path("log"))


def test_only_tests_that_one_side_passes_differ(part: Any) -> None:
    suite = part("suites").SUITES[0]
    eventlet = results(part, same="passed", bad="failed", lost="passed", late="skipped")
    greening = results(part, same="xfailed", bad="error", new="passed", late="passed")
    found = [
        (each.test, each.eventlet, each.greening) for each in part("report").differences(suite, eventlet, greening)
    ]
    assert found == [("late", "skipped", "passed"), ("lost", "passed", "not run"), ("new", "not run", "passed")]


def test_a_difference_that_is_explained_has_its_reason(part: Any) -> None:
    test = "test/unit/cli/test_relinker.py::TestRelinker::test_cleanup_catches_unhandled_timeout"
    suite = part("suites").SUITES[0]
    (found,) = part("report").differences(suite, results(part, **{test: "passed"}), results(part, **{test: "failed"}))
    assert "greening.timeout.Timeout" in found.reason


def test_a_row_says_how_each_side_ended(part: Any) -> None:
    suite = part("suites").SUITES[0]
    eventlet = results(part, a="passed", b="skipped")
    greening = results(part, a="failed", status=None)
    row = part("report").row(suite, eventlet, greening, 2)
    assert row == "| semantics | 2 | 1 pass, 1 skipped | 0 pass, 1 fail, did not end | 2 | 1 / 1 |"


def test_a_suite_on_which_nothing_ran_is_an_error(part: Any) -> None:
    suite = part("suites").SUITES[0]
    _, unexplained = part("__main__").compare(suite, [results(part, a="passed"), results(part)])
    assert unexplained == [
        "semantics: a: passed on eventlet, not run on greening: None",
        "semantics: no test ran on greening, see log",
    ]


def test_quick_suites_are_chosen_and_parts_of_names_will_do(part: Any) -> None:
    main = part("__main__")
    names = lambda *arguments: [suite.name for suite in main.chosen(main.options(list(arguments)))]  # noqa: E731
    assert "oslo.log" in names("--quick")
    assert "nova" not in names("--quick")
    assert "oslo.service, quick part" not in names()
    assert names("neutron", "swift account") == ["neutron", "swift account"]


def test_programs_are_where_the_table_says(part: Any) -> None:
    programs = [suite.targets[0] for suite in part("suites").SUITES if suite.runner == "program"]
    assert [name for name in programs if not (SUITE / "programs" / name).is_file()] == []


def test_what_cannot_be_installed_is_said_and_is_no_difference(
    part: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    main, places = part("__main__"), part("places")
    refusing = [sys.executable, "-c", "import sys; sys.exit(1)"]
    monkeypatch.setattr(places.Places, "python", property(lambda self: Path(sys.executable)))
    real = subprocess.run
    monkeypatch.setattr(
        places.subprocess, "run", lambda command, **options: real(refusing, **{**options, "check": False})
    )
    monkeypatch.setattr(places, "CHECKOUT", tmp_path)
    assert main.main(["--quick"]) == os.EX_UNAVAILABLE
    assert "it needs https://pypi.org or a mirror" in capsys.readouterr().err


def test_a_quick_suite_that_differs_once_is_run_again(
    part: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main = part("__main__")
    outcomes = {"eventlet": ["passed", "passed"], "greening": ["failed", "passed"]}
    monkeypatch.setattr(main, "prepare", lambda quick: None)
    monkeypatch.setattr(main, "run", lambda suite, side, *rest: results(part, test=outcomes[side].pop(0)))
    assert main.main(["--quick", "semantics"]) == 0
    assert "| semantics | 1 | 1 pass | 1 pass | none |" in capsys.readouterr().out


def test_what_differs_is_run_once_more_by_itself(part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    main = part("__main__")
    ran: list[tuple[str, ...]] = []

    def run(suite: Any, side: str, places: object, folder: object) -> Any:
        ran.append(suite.targets)
        return results(part, chance="passed", fault="passed" if side == "eventlet" else "failed")

    monkeypatch.setattr(main, "run", run)
    suite = part("suites").Suite("some", ("file.py",))
    both = [
        results(part, chance="passed", fault="passed", same="failed"),
        results(part, chance="failed", fault="failed", same="failed"),
    ]
    settled = main.settle(suite, both, None, None)
    assert ran == [("chance", "fault")] * 2
    assert [found.test for found in part("report").differences(suite, *settled)] == ["fault"]


def test_a_check_of_the_swift_cluster_passes_if_it_returns(part: Any) -> None:
    outcomes: dict[str, str] = {}
    check = part("swift_cluster").check
    check(outcomes, "good", lambda: None)
    check(outcomes, "bad", lambda: 1 // 0)
    assert outcomes["good"] == "passed" and outcomes["bad"].startswith("failed: ZeroDivisionError")


def test_the_swift_cluster_counts_only_what_is_said(part: Any) -> None:
    module = part("swift_cluster")
    wanted = module.options(["--requests", "100", "--parts", "signals", "--side", "greening"])
    assert (wanted.requests, wanted.parts, wanted.side, wanted.clients) == (100, "signals", ["greening"], 100)


@pytest.mark.parametrize("size", [1, 3, 4, 1000])
def test_a_body_in_pieces_is_the_body(part: Any, size: int) -> None:
    pieces = list(part("swift_clients").pieces(b"x" * size))
    assert b"".join(pieces) == b"x" * size and all(pieces) and len(pieces) >= min(size, 4)


def test_a_client_of_swift_notices_what_has_changed(part: Any) -> None:
    module = part("swift_clients")
    client = object.__new__(module.Client)
    client.same("name", b"body", b"body")
    with pytest.raises(module.Refused, match="name has changed"):
        client.same("name", b"body", b"bady")
