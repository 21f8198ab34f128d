"""A deadlock as a picture: who waits for whom, as SVG. `python -m greening --graph FILE`, `Deadlock.edges`.

The tasks of the cycle stand in a circle, the others below it. An arrow goes from each to the one that has to act.
"""

import os
import sys
from collections.abc import Iterable
from html import escape
from math import cos, hypot, pi, sin

from greening._core.deadlock import SETTINGS
from greening._core.names import printable
from greening.errors import Deadlock
from greening.threads.ending import was_told

# Pixels.
WIDTH, HEIGHT = 300, 46
GAP = 40
ASIDE = 8
# Tasks that are drawn: with more of them a picture says nothing any more.
MOST = 60

Point = tuple[float, float]

_STYLE = (
    "svg{background:#fff} text{font:12px sans-serif} .w{font-size:11px;fill:#555} rect{fill:#fff;stroke:#444} "
    ".c rect{stroke:#c00;stroke-width:2} line{stroke:#444} .c line,line.c{stroke:#c00;stroke-width:2}"
)


def draw_deadlocks_to(path: str) -> None:
    """From now on, write a picture of each deadlock to this file before it is raised."""
    path = os.path.abspath(path)  # the program may go to another folder meanwhile

    def draw(error: Deadlock) -> None:
        if was_told():  # this is the same one again, at the end of the program
            return
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(as_svg(error.edges, error.cycle))
        except OSError as problem:
            sys.stderr.write(f"greening: --graph {path}: {problem}\n")

    SETTINGS.on_report = draw


def places(names: list[str], cycle: list[str]) -> dict[str, Point]:
    """The middle of each task's box: the cycle around a circle, the others in rows of three below."""
    found: dict[str, Point] = {}
    # Two stand side by side, so that what is below them has a free way to both.
    across = {0: 0.0, 1: 0.0}.get(len(cycle), max(WIDTH * 0.75, len(cycle) * WIDTH / 5))
    down = across if len(cycle) > 2 else 0.0
    for number, name in enumerate(cycle):
        angle = 2 * pi * number / len(cycle) - (pi / 2 if down else pi)
        found[name] = (across * cos(angle), down * sin(angle))
    below = down + 3 * HEIGHT if cycle else 0.0
    others = [name for name in names if name not in found]
    for number, name in enumerate(others):
        row, column = divmod(number, 3)
        columns = min(3, len(others) - 3 * row)
        found[name] = ((column - (columns - 1) / 2) * (WIDTH + GAP), below + row * (HEIGHT + GAP))
    left = min((x for x, _ in found.values()), default=0.0) - WIDTH / 2 - GAP
    top = min((y for _, y in found.values()), default=0.0) - HEIGHT
    return {name: (x - left, y - top) for name, (x, y) in found.items()}


def as_svg(edges: Iterable[tuple[str, str, str]], cycle: Iterable[str] = ()) -> str:
    """The picture, as text.

    Args:
        edges, cycle: as `Deadlock` has them.
    """
    edges, cycle = list(edges)[:MOST], list(cycle)
    at = places([name for name, _, _ in edges], cycle)
    width = max((x for x, _ in at.values()), default=0.0) + WIDTH / 2 + GAP
    height = max((y for _, y in at.values()), default=0.0) + HEIGHT
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}"><style>{_STYLE}</style><defs><marker id="a" viewBox="0 0 10 10" refX="10" refY="5" '
        'markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 10 5 0 10z"/></marker></defs>'
    )
    parts = [head]
    for name, _, owner in edges:
        if owner in at and owner != name:
            parts.append(_arrow(at[name], at[owner], name in cycle and owner in cycle))
    for name, what, _ in edges:
        parts.append(_box(at[name], name, what, name in cycle))
    return "\n".join([*parts, "</svg>\n"])


def _arrow(start: Point, end: Point, in_cycle: bool) -> str:
    (x1, y1), (x2, y2) = _edge_of_box(start, end), _edge_of_box(end, start)
    length = hypot(x2 - x1, y2 - y1) or 1.0
    # In a cycle, to the left of its way: another arrow may come from the other end.
    aside = ASIDE if in_cycle else 0.0
    aside_x, aside_y = (y2 - y1) / length * aside, (x1 - x2) / length * aside
    x1, y1, x2, y2 = x1 + aside_x, y1 + aside_y, x2 + aside_x, y2 + aside_y
    kind = ' class="c"' if in_cycle else ""
    return f'<line{kind} x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" marker-end="url(#a)"/>'


def _edge_of_box(box: Point, towards: Point) -> Point:
    """Where the line from the middle of a box to another point leaves the box."""
    dx, dy = towards[0] - box[0], towards[1] - box[1]
    if not hypot(dx, dy):
        return box
    scale = min(WIDTH / 2 / abs(dx) if dx else 1e9, HEIGHT / 2 / abs(dy) if dy else 1e9)
    return box[0] + dx * scale, box[1] + dy * scale


def _box(at: Point, name: str, what: str, in_cycle: bool) -> str:
    x, y = at
    kind = ' class="c"' if in_cycle else ""
    return (
        f"<g{kind}><title>{escape(printable(name))}: waits for {escape(printable(what))}</title>"
        f'<rect x="{x - WIDTH / 2:.1f}" y="{y - HEIGHT / 2:.1f}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{x:.1f}" y="{y - 4:.1f}" text-anchor="middle">{escape(_cut(name))}</text>'
        f'<text class="w" x="{x:.1f}" y="{y + 13:.1f}" text-anchor="middle">waits for {escape(_cut(what))}</text></g>'
    )


def _cut(text: str) -> str:
    text = printable(text)  # XML has no control characters, not even escaped ones
    return text if len(text) <= 40 else f"{text[:39]}\N{HORIZONTAL ELLIPSIS}"
