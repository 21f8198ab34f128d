"""The list of what still stops everything: it is complete in itself, and so is its table."""

import pytest

from greening._blockers import BLOCKERS, Blocker, table


@pytest.mark.parametrize("blocker", BLOCKERS, ids=lambda blocker: blocker.what)
def test_every_blocker_says_when_it_stops_everything_and_what_to_do(blocker: Blocker) -> None:
    assert blocker.what and blocker.while_ and blocker.remedy
    for text in (blocker.what, blocker.while_, blocker.remedy):
        assert text.count("`") % 2 == 0
        assert "|" not in text and "\n" not in text  # it is a cell of a table


def test_no_module_is_named_twice() -> None:
    modules = [name for blocker in BLOCKERS for name in blocker.modules]
    assert len(modules) == len(set(modules))
    assert all(all(part.isidentifier() for part in name.split(".")) for name in modules)


def test_the_table_has_a_head_and_a_row_for_each() -> None:
    head, rule, *rows = table().splitlines()
    assert head == "| what | stops everything while | what to do |"
    assert rule == "|---|---|---|"
    assert len(rows) == len(BLOCKERS)
    for row, blocker in zip(rows, BLOCKERS, strict=True):
        assert row == f"| {blocker.what} | {blocker.while_} | {blocker.remedy} |"
