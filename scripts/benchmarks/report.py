"""Medians, ratios paired by round, the table and the JSON file."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Result
from benchmarks.peers import BASE, EARLIER, FLOOR, PURE

LOAD_BOUND = 0.9  # a load generator busier than this, with a server that is not, was the bottleneck


@dataclass(frozen=True, slots=True)
class Middle:
    """A median and the half of the values around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Middle:
        """Summarise at least one value."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


def ratio(result: Result, name: str, other: str = BASE) -> Middle | None:
    """`other`'s value over `name`'s, round by round; None unless both were measured, and are more than nothing."""
    ours, theirs = result.samples.get(other), result.samples.get(name)
    if not ours or not theirs or min(sample.value for sample in theirs) <= 0:
        return None
    return Middle.of([a.value / b.value for a, b in zip(ours, theirs, strict=False)])


def row_lines(result: Result) -> Iterable[str]:
    """Yield the lines of one row's table."""
    yield f"{result.row.title} ({result.row.name}): {result.row.unit}"
    yield f"  {'peer':<14}{'median':>10}  {'middle half':<19}{'x greening':>10}   {'greening / peer':<20}"
    for name, samples in result.samples.items():
        value = Middle.of([sample.value for sample in samples])
        share = ratio(result, name)
        times = f"{1 / share.median:10.2f}" if share else f"{'':10}"
        pair = f"{share.median:.2f} ({share.low:.2f}..{share.high:.2f})" if share and name != BASE else ""
        half = f"{_short(value.low)} .. {_short(value.high)}"
        yield f"  {name:<14}{_short(value.median):>10}  {half:<19}{times}   {pair:<24}{_extras(result, name)}".rstrip()
    if own := _above_floor(result):
        yield f"  above {FLOOR}: {own}"
    for name, reason in result.failed.items():
        yield f"  {name:<14}failed: {reason}"
    for name, reason in result.skipped.items():
        yield f"  {name:<14}skipped: {reason}"
    if bound := [name for name in result.samples if _load_bound(result, name)]:
        yield f"  the load generator, not the server, was the bottleneck for: {', '.join(bound)}"


def mark_lines(results: Iterable[Result], accelerated: bool) -> Iterable[str]:
    """Yield one line for each wanted ratio that could be judged.

    Not `accelerated`: no accelerator is built here, and what was measured as greening is the pure one.
    """
    for result in results:
        for which, marks in ((BASE, result.row.marks), (PURE if accelerated else BASE, result.row.pure)):
            for name, most in marks.items():
                share = ratio(result, name, which)
                if share is None:
                    continue
                verdict = "met" if share.median <= most else "MISSED"
                kind = "pure " if marks is result.row.pure and not accelerated else ""
                spread = f"{share.median:.3f} ({share.low:.3f}..{share.high:.3f})"
                pair = f"{kind}{which} / {name}"
                yield f"  {result.row.name:<22}{pair:<32}{spread:<24}wanted <= {most:.3f}  {verdict}"


def earlier_lines(results: Iterable[Result]) -> Iterable[str]:
    """Yield one line for each row that both checkouts were measured in: how much dearer this one is."""
    for result in results:
        for name, earlier in EARLIER.items():
            share = ratio(result, earlier, name)
            if share is not None:
                pair = f"{name} / {earlier}"
                yield f"  {result.row.name:<22}{pair:<30}{share.median:.3f} ({share.low:.3f}..{share.high:.3f})"


def write_json(path: Path, machine: dict[str, object], results: Iterable[Result]) -> None:
    """Write every sample, so that anything can be computed again."""
    rows = [
        {
            "row": result.row.name,
            "title": result.row.title,
            "unit": result.row.unit,
            "failed": result.failed,
            "skipped": result.skipped,
            "peers": {
                name: {
                    "median": Middle.of([sample.value for sample in samples]).median,
                    "greening_over_peer": [share.low, share.median, share.high]
                    if (share := ratio(result, name))
                    else None,
                    "samples": [{"value": sample.value, **sample.extra} for sample in samples],
                }
                for name, samples in result.samples.items()
            },
        }
        for result in results
    ]
    path.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def _above_floor(result: Result) -> str:
    """Say what each peer costs beyond the kernel's share, which is the same for all and hides the difference."""
    medians = {name: statistics.median(sample.value for sample in found) for name, found in result.samples.items()}
    floor = medians.pop(FLOOR, None)
    if floor is None:
        return ""
    base = medians.get(BASE, floor) - floor
    return ", ".join(
        f"{name} {_short(value - floor)}" + (f" ({base / (value - floor):.2f})" if base > 0 and value > floor else "")
        for name, value in medians.items()
    )


EXTRAS = (
    ("per_second", "{:,.0f}/s"),
    ("busy", "{:.0%} busy"),
    ("accept_us", "{:.0f} us CPU to open"),
)


def _extras(result: Result, name: str) -> str:
    return "  ".join(
        form.format(_extra(result, name, key)) for key, form in EXTRAS if key in result.samples[name][0].extra
    )


def _extra(result: Result, name: str, key: str) -> float:
    return statistics.median(sample.extra[key] for sample in result.samples[name])


def _load_bound(result: Result, name: str) -> bool:
    if "load_busy" not in result.samples[name][0].extra:
        return False
    return _extra(result, name, "load_busy") > LOAD_BOUND > _extra(result, name, "busy")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 10 else f"{value:.1f}"
