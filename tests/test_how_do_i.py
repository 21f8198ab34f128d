"""docs/how-do-i.md: every answer is a program that runs as it stands, and says what is expected."""

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "how-do-i.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))

SAYS = {
    "Run many at once, but not too many": {*(f"got {n}" for n in range(10) if n != 3), "failed: no such page"},
    "Be polite to each host": {"30 pages"},
    "Set a time limit": {"too slow: 0.05 seconds", "nothing"},
    "Stop one, or all of them": {"cleaned up"},
    "Have all end together": {"failed: (OSError('connection refused'),)"},
    "Take the first answer": {"answer of near", "1", "2", "3"},
    "Hand things from one to the other": {"cooking soup", "cooking fish", "cooking cake"},
    "Compute without stopping the others": {"0c9a42b3"},
    "Use asyncio beside it": {"21"},
    "Wait for a descriptor of a driver": {"b'ready'"},
    "Test my code": {"an hour: 3600.0"},
}


def test_the_table_of_contents_has_every_section() -> None:
    listed = re.findall(r"^- \[([^]]+)\]\(#([\w-]+)\)$", TEXT, re.MULTILINE)
    assert [title for title, _ in listed] == [title[0].lower() + title[1:] for title in SECTIONS]
    assert [anchor for _, anchor in listed] == [
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title, _ in listed
    ]


@pytest.mark.slow
@pytest.mark.parametrize("title", [title for title, text in SECTIONS.items() if "```python" in text])
def test_the_answer_runs_and_says(title: str, run_program: Callable[..., CompletedProcess[str]]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", SECTIONS[title], re.DOTALL)
    assert set(run_program(program).stdout.splitlines()) == SAYS[title]
