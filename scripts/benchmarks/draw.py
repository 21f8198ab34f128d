"""--plot: JSON PICTURE. Runs in the environment of the peers, with matplotlib; nothing else needs it.

Every bar is what a peer costs where greening costs 1: to the right of the line greening is cheaper. The thin line over
the end of a bar is the middle half of the rounds.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

COLOURS = {
    "greening-pure": "#7fbf7b",
    "gevent": "#d6604d",
    "eventlet": "#f4a582",
    "asyncio": "#4393c3",
    "uvloop": "#92c5de",
    "python": "#b2abd2",
    "c": "#404040",
}
COLUMNS = 3
BAR, GAP = 1.0, 1.6  # in units of a bar: the height of one, the room between rows, which holds the title
INCH = 0.13  # per unit
WIDTH = 6.5  # inches of a column

Row = dict[str, Any]
Bars = list[tuple[str, float, float, float]]


def bars_of(row: Row) -> Bars:
    """Return (peer, low, median, high) of one row, as multiples of greening's cost."""
    ratios = {name: peer["greening_over_peer"] for name, peer in row["peers"].items()}
    return [(name, 1 / r[2], 1 / r[1], 1 / r[0]) for name, r in ratios.items() if name in COLOURS and r and min(r) > 0]


def height_of(row: Row) -> float:
    """Return how much room a row takes, in units."""
    return len(bars_of(row)) * BAR + GAP


def columns_of(rows: list[Row]) -> list[list[Row]]:
    """Share the rows out, in their order, so that the columns are about equally long."""
    columns: list[list[Row]] = [[] for _ in range(COLUMNS)]
    whole, used = sum(map(height_of, rows)), 0.0
    for row in rows:
        columns[min(COLUMNS - 1, int((used + height_of(row) / 2) * COLUMNS / whole))].append(row)
        used += height_of(row)
    return [column for column in columns if column]


def draw_row(axes: Any, row: Row, top: float, limits: tuple[float, float]) -> None:
    """Draw one row downwards from `top`."""
    low, high = limits
    axes.text(low, top + GAP * 0.75, row["title"], fontsize=7.5, fontweight="bold", va="center", clip_on=True)
    for position, (name, first, middle, last) in enumerate(bars_of(row)):
        y = top + GAP + (position + 0.5) * BAR
        shown = min(max(middle, low), high)
        axes.barh(y, shown - 1, left=1, height=BAR * 0.86, color=COLOURS[name])
        axes.plot([min(max(first, low), high), min(max(last, low), high)], [y, y], color="black", linewidth=0.7)
        edge = min(max(first if middle < 1 else last, low), high)
        side, offset = ("right", -3) if middle < 1 else ("left", 3)
        label = f"{name}  {middle:.3g}" if middle < 1 else f"{middle:.3g}  {name}"
        axes.annotate(
            label, (edge, y), (offset, 0), textcoords="offset points", ha=side, va="center", fontsize=6, color="#333333"
        )


def draw_column(axes: Any, rows: list[Row], limits: tuple[float, float], length: float) -> None:
    """Draw rows one below the other; `length` is the longest column's."""
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    axes.set_ylim(length, 0)
    axes.set_yticks([])
    ticks = [tick for tick in (0.01, 0.03, 0.1, 0.25, 0.5, 1, 2, 4, 10, 30, 100) if limits[0] <= tick <= limits[1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=7)
    axes.minorticks_off()
    axes.tick_params(top=True, labeltop=True)
    axes.grid(axis="x", color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.axvline(1, color="black", linewidth=0.8)
    for side in ("left", "right"):
        axes.spines[side].set_visible(False)
    top = 0.0
    for row in rows:
        draw_row(axes, row, top, limits)
        top += height_of(row)


def limits_of(rows: list[Row]) -> tuple[float, float]:
    """Return the ends of the axis: all medians and room for the labels, but within a twentieth and a hundredfold."""
    medians = [middle for row in rows for _, _, middle, _ in bars_of(row)]
    return max(min([*medians, 0.5]) / 3, 0.05), min(max([*medians, 2.0]) * 3, 100.0)


def main() -> None:
    """Draw it."""
    source, picture = sys.argv[1:]
    measured = json.loads(Path(source).read_text(encoding="utf-8"))
    rows = [row for row in measured["rows"] if bars_of(row)]
    if not rows:
        sys.exit("no row has a ratio to greening")
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("agg")
    plots: Any = importlib.import_module("matplotlib.pyplot")
    columns, limits, machine = columns_of(rows), limits_of(rows), measured["machine"]
    length = max(sum(map(height_of, column)) for column in columns)
    size = (WIDTH * len(columns), max(length, 12.0) * INCH + 1.2)
    figure, axes = plots.subplots(1, len(columns), figsize=size, squeeze=False, layout="constrained")
    for one, column in zip(axes[0], columns, strict=True):
        draw_column(one, column, limits, length)
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    figure.suptitle(
        "What a peer costs where greening costs 1 (right of the line: greening is cheaper; logarithmic)\n"
        f"{machine['cpu']}, CPython {machine['python']}; {versions}; commit {machine['commit']}",
        fontsize=9,
    )
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main()
