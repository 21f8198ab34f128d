"""The tables of what still stops everything: complete in themselves, and in the documents."""

from pathlib import Path

import pytest

from greening.debug.known import BLOCKERS, LIBRARIES, Blocker, libraries_table, table
from greening.integrations import INTEGRATIONS

ROOT = Path(__file__).resolve().parent.parent.parent
EVERYTHING = (*BLOCKERS, *LIBRARIES)


@pytest.mark.parametrize("blocker", EVERYTHING, ids=lambda blocker: blocker.what)
def test_every_blocker_says_when_it_stops_everything_and_what_to_do(blocker: Blocker) -> None:
    assert blocker.what and blocker.while_ and blocker.remedy
    for text in (blocker.what, blocker.while_, blocker.remedy, blocker.tried):
        assert text.count("`") % 2 == 0
        assert "|" not in text and "\n" not in text  # it is a cell of a table


def test_no_module_is_named_twice() -> None:
    modules = [name for blocker in EVERYTHING for name in blocker.modules]
    assert len(modules) == len(set(modules))
    assert all(all(part.isidentifier() for part in name.split(".")) for name in modules)


def test_every_library_can_be_recognised() -> None:
    assert [library.what for library in LIBRARIES if not library.modules] == []


def test_the_plug_ins_of_the_table_exist() -> None:
    watched = {module for module, _ in INTEGRATIONS}
    assert [library.plugin for library in LIBRARIES if library.plugin and library.plugin not in watched] == []


def test_the_table_has_a_head_and_a_row_for_each() -> None:
    head, rule, *rows = table().splitlines()
    assert head == "| what | stops everything while | what to do |"
    assert rule == "|---|---|---|"
    assert len(rows) == len(BLOCKERS)
    for row, blocker in zip(rows, BLOCKERS, strict=True):
        assert row == f"| {blocker.what} | {blocker.while_} | {blocker.remedy} |"


def test_the_documents_have_the_tables() -> None:
    assert table() in (ROOT / "README.md").read_text(encoding="utf-8")
    assert libraries_table() in (ROOT / "docs" / "libraries-in-c.md").read_text(encoding="utf-8")
