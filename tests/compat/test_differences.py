"""The table of differences tells the truth: about the alias, about the tests, and in the guide."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from greening.compat.differences import DIFFERENCES
from greening.compat.missing import MISSING
from greening.compat.verdicts import look_up

ROOT = Path(__file__).resolve().parent.parent.parent
GUIDE = ROOT / "docs" / "migrating-from-eventlet.md"


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_is_about_a_name_that_is_there(name: str) -> None:
    assert look_up(name).name == name


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_has_a_test(name: str) -> None:
    file, _, test = DIFFERENCES[name].test.partition("::")
    assert re.search(rf"^def {test}\(", (ROOT / "tests" / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_the_guide_says_what_the_checker_says() -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "docs_of_differences", "--check"], check=True)


def test_the_guide_has_every_difference() -> None:
    rows = set(re.findall(r"(?m)^\| `([\w.]+)` \|", GUIDE.read_text(encoding="utf-8")))
    assert rows >= DIFFERENCES.keys() | MISSING.keys()
