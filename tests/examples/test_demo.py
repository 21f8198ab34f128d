"""scripts/demo without its environment: the crawl of the embedded web site finds what the site's plan says."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # programs that import requests, and pages that take their time

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "scripts" / "demo_app"
CRAWL = APP / "crawl.py"
PAGES = 60

Run = Callable[..., subprocess.CompletedProcess[str]]
CAUSES = {
    "MISSING": "404 Not Found",
    "FAULTY": "500 Internal Server Error",
    "RESET": "connection reset",
    "CUT": "body cut short",
    "SILENT": "timed out",
}


@pytest.fixture
def demo(run_program: Run) -> Run:
    """The crawler as scripts/demo starts it."""

    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run_program(CRAWL, *arguments, python_args=("-m", "greening"), check=check)

    return run


def table(text: str) -> dict[str, list[str]]:
    """The closing table's rows by title."""
    rows = (re.split(r"\s{2,}", line.strip()) for line in text.splitlines())
    return {row[0]: row[1:] for row in rows if len(row) > 1}


def number(cell: str) -> float:
    return float(re.sub(r"[, sx]", "", cell))


def test_finds_what_is_there_twice(demo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(APP))
    from pages import Kind, plan, waits

    pages = plan(PAGES)
    good = [page for page in pages if page.kind is Kind.GOOD]
    moved = [page for page in pages if page.kind is Kind.MOVED]
    failures = Counter(CAUSES[page.kind.name] for page in pages if page.kind.name in CAUSES)
    timeout = 2.0

    done = demo("--pages", str(PAGES), "--timeout", str(timeout))
    rows = table(done.stdout)

    assert rows["urllib.request"] == ["requests"]
    assert rows["pages"] == [str(PAGES)] * 2
    assert rows["fetched"] == [str(len(good) + len(moved))] * 2
    assert rows["failed"] == [str(failures.total())] * 2
    for cause, count in failures.items():
        assert rows[cause] == [str(count)] * 2, cause
    size = sum(page.size for page in good) + len(moved) * pages[0].size
    assert rows["bytes"] == [f"{size:,}"] * 2
    # The first may be done before the last has begun.
    assert all(PAGES // 3 < int(most) <= PAGES for most in rows["most at once"])
    waited = waits(pages, timeout)
    least = number(f"{waited:,.1f}")  # what was measured is no less, and the table rounds it like this
    for column in range(2):
        assert least <= number(rows["one at a time"][column]) < waited + 10
        assert timeout <= number(rows["elapsed"][column]) < waited / 2
    assert "requests: 60/60 pages, 6 failed, 0 at once" in done.stderr
    assert len(done.stderr.splitlines()) == 8  # sparse, since this is no terminal


def test_no_more_at_once_than_asked(demo: Run) -> None:
    done = demo("--pages", "5", "--concurrency", "2", "--pass", "urllib")
    assert table(done.stdout)["most at once"] == ["2"]


def test_addresses_from_the_command_line_and_a_file(demo: Run, tmp_path: Path) -> None:
    file = tmp_path / "addresses"
    file.write_text("# mine\n\nhttp://127.0.0.1:1/a\n  http://127.0.0.1:1/b\n")
    done = demo("http://127.0.0.1:1/c", "--file", str(file))
    rows = table(done.stdout)
    assert rows["failed"] == ["3", "3"]
    assert rows["connection refused"] == ["3", "3"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("example.org",), "'example.org' does not begin with http:// or https://"),
        (("--file", "/nowhere"), "cannot read '/nowhere'"),
        (("--file", "/dev/null"), "'/dev/null' holds no URL"),
        (("--concurrency", "0"), "'0' is not a whole number above zero"),
        (("--timeout", "soon"), "'soon' is not a number of seconds above zero"),
    ],
)
def test_says_what_is_wrong_with_its_arguments(demo: Run, arguments: tuple[str, ...], complaint: str) -> None:
    done = demo(*arguments, check=False)
    assert done.returncode == 2
    assert complaint in done.stderr


def test_the_web_site_ends_with_its_pipe() -> None:
    with subprocess.Popen(
        [sys.executable, str(APP / "website.py"), "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdecimal()
        assert process.communicate(timeout=10) == ("", "")
        assert process.returncode == 0


def test_one_at_a_time_leaves_out_what_pages_waited_for_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(APP))
    from report import Tally

    assert Tally("x", durations=90.0, cpu=2.0, waits=25.0).one_by_one == 27.0
    assert Tally("x", durations=25.5, cpu=2.0, waits=25.0).one_by_one == 25.5
    assert Tally("x", durations=90.0, cpu=2.0).one_by_one == 90.0
