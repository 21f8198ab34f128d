"""What a crawl found, and the table that says so."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """One crawl."""

    name: str
    fetched: int = 0
    bytes: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    elapsed: float = 0.0  # seconds, the whole crawl
    durations: float = 0.0  # seconds, the single pages' durations added up
    waits: float | None = None  # seconds that the site makes a crawler wait, where that is known
    cpu: float = 0.0  # seconds of CPU time of this process
    most: int = 0  # pages being fetched at once

    @property
    def pages(self) -> int:
        return self.fetched + self.failures.total()

    @property
    def one_by_one(self) -> float:
        """Seconds that the pages would have taken one at a time.

        A duration holds the time that a page waited for its turn at the CPU while others had theirs, which on a busy
        machine is most of it. Where it is known how long the site itself takes, that is left out.
        """
        return self.durations if self.waits is None else min(self.durations, self.waits + self.cpu)


def table(tallies: Sequence[Tally]) -> str:
    """A column for each crawl."""
    causes = sum((tally.failures for tally in tallies), Counter[str]())
    rows: list[tuple[str, Callable[[Tally], str]]] = [
        ("", lambda tally: tally.name),
        ("pages", lambda tally: f"{tally.pages:,}"),
        ("  fetched", lambda tally: f"{tally.fetched:,}"),
        ("  failed", lambda tally: f"{tally.failures.total():,}"),
    ]
    for cause, _ in causes.most_common():
        rows.append((f"    {cause}", lambda tally, cause=cause: f"{tally.failures[cause]:,}"))  # type: ignore[misc]
    rows += [
        ("bytes", lambda tally: f"{tally.bytes:,}"),
        ("elapsed", lambda tally: f"{tally.elapsed:,.1f} s"),
        ("one at a time", lambda tally: f"{tally.one_by_one:,.1f} s"),
        ("speed-up", lambda tally: f"{tally.one_by_one / tally.elapsed:,.0f} x" if tally.elapsed else "-"),
        ("most at once", lambda tally: f"{tally.most:,}"),
    ]
    cells = [[title, *(show(tally) for tally in tallies)] for title, show in rows]
    label_width = max(len(row[0]) for row in cells)
    width = max(len(cell) for row in cells for cell in row[1:])
    lines = [row[0].ljust(label_width) + "".join(cell.rjust(width + 3) for cell in row[1:]) for row in cells]
    rule = "-" * len(lines[0])
    known = all(tally.waits is not None for tally in tallies)
    basis = "the site's own delays and the crawler's CPU time" if known else "the pages' durations added up"
    return "\n".join([lines[0], rule, *lines[1:], rule, f"One at a time: {basis}."])
