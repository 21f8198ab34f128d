"""The picture of a deadlock is well-formed SVG in which an arrow goes from each waiter to the one that has to act."""

import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from greening._core.deadlock import SETTINGS
from greening.debug.graph import GAP, HEIGHT, MOST, WIDTH, as_svg, draw_deadlocks_to, places
from greening.errors import Deadlock

SVG = "{http://www.w3.org/2000/svg}"
EDGES = [("main", "a (x) to end", "a"), ("a", "lock <1>", "b"), ("b", "lock 2", "a"), ("c", "a queue", "")]


def elements(svg: str, kind: str) -> list[Any]:
    return ET.fromstring(svg).findall(f".//{SVG}{kind}")


def test_each_task_has_a_box_and_each_edge_an_arrow() -> None:
    svg = as_svg(EDGES, ["a", "b"])
    assert len(elements(svg, "rect")) == 4
    assert [line.get("class") for line in elements(svg, "line")] == [None, "c", "c"]
    texts = [text.text for text in elements(svg, "text")]
    assert "waits for lock <1>" in texts
    assert [group.get("class") for group in elements(svg, "g")] == [None, "c", "c", None]


def test_a_name_with_characters_that_xml_does_not_have_is_escaped() -> None:
    texts = [text.text for text in elements(as_svg([("a\x1b\n", "b\x00", "")]), "text")]
    assert texts == [r"a\x1b\n", r"waits for b\x00"]


def test_boxes_do_not_lie_upon_one_another() -> None:
    for count in range(12):
        cycle = [f"in {number}" for number in range(count)]
        at = list(places([*cycle, *(f"out {number}" for number in range(7))], cycle).values())
        for number, (x, y) in enumerate(at):
            assert x >= WIDTH / 2 + GAP / 2
            assert y >= HEIGHT / 2
            assert all(abs(x - x2) >= WIDTH or abs(y - y2) >= HEIGHT for x2, y2 in at[:number])


def test_arrows_begin_and_end_at_the_edges_of_boxes() -> None:
    [line] = elements(as_svg([("a", "b to end", "b"), ("b", "nothing", "")]), "line")
    (xa, ya), (xb, _) = places(["a", "b"], []).values()
    assert [float(line.get(key)) for key in ("x1", "y1", "x2")] == [xa + WIDTH / 2, ya, xb - WIDTH / 2]


def test_long_names_are_cut_and_many_tasks_are_not_drawn() -> None:
    svg = as_svg([(f"{'long' * 20} {number}", "x", "") for number in range(MOST + 5)])
    assert len(elements(svg, "rect")) == MOST
    assert max(len(text.text) for text in elements(svg, "text")) == 40
    assert as_svg([]).endswith("</svg>\n")


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(SETTINGS, "on_report", None)
    monkeypatch.setattr(sys, "last_value", None, raising=False)
    return tmp_path / "deadlock.svg"


def report(error: Deadlock) -> None:
    assert SETTINGS.on_report is not None
    SETTINGS.on_report(error)


def test_the_file_is_written_when_there_is_a_deadlock_and_not_for_the_same_at_the_end(
    drawing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_deadlocks_to(str(drawing))
    assert not drawing.exists()
    error = Deadlock(["a"], ["a", "b"], EDGES)
    report(error)
    assert drawing.read_text("utf-8") == as_svg(EDGES, ["a", "b"])
    monkeypatch.setattr(sys, "last_value", error, raising=False)
    report(Deadlock())
    assert drawing.read_text("utf-8") == as_svg(EDGES, ["a", "b"])


def test_a_program_that_goes_to_another_folder_leaves_the_file_where_it_was_asked_for(
    drawing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(drawing.parent)
    draw_deadlocks_to(drawing.name)
    monkeypatch.chdir("/")
    report(Deadlock(["a"], ["a", "b"], EDGES))
    assert drawing.exists()


def test_a_file_that_cannot_be_written_is_told(drawing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_deadlocks_to(str(drawing / "in a file that is no folder"))
    report(Deadlock())
    assert "greening: --graph " in capsys.readouterr().err
