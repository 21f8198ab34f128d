"""What the demo's web site serves: the same pages on every machine, most of them slow, some of them broken.

Read by the server, which obeys it, and by the tests, which know from it what a crawl must find.
"""

import enum
import random
from dataclasses import dataclass


class Kind(enum.Enum):
    """How a page answers."""

    GOOD = "200"
    MISSING = "404"
    FAULTY = "500"
    MOVED = "a redirect to page 0"
    RESET = "the connection is reset"
    CUT = "the connection ends half way through the body"
    SILENT = "no answer at all"


@dataclass(frozen=True, slots=True)
class Page:
    number: int
    kind: Kind
    size: int  # bytes of the body
    delay: float  # seconds before the answer


# The silent ones come early: what waits for them is waiting while the others are fetched.
ONCE = {5: Kind.SILENT, 29: Kind.SILENT, 31: Kind.MOVED, 41: Kind.CUT}
EVERY = ((60, 7, Kind.MISSING), (80, 11, Kind.FAULTY), (120, 17, Kind.RESET))


def waits(pages: list[Page], timeout: float) -> float:
    """Seconds that these pages make a crawler wait that fetches one at a time and gives up after `timeout`."""
    return sum(timeout if page.kind is Kind.SILENT else page.delay for page in pages)


def kind_of(number: int) -> Kind:
    if number in ONCE:
        return ONCE[number]
    return next((kind for period, offset, kind in EVERY if number % period == offset), Kind.GOOD)


def plan(count: int) -> list[Page]:
    """The first `count` pages. The first sixty hold every kind."""
    dice = random.Random(200)
    pages = []
    for number in range(count):
        size = min(int(1500 * dice.paretovariate(1.1)), 200_000)
        slow, delay = dice.random() < 0.75, dice.uniform(0.1, 1.0)
        pages.append(Page(number, kind_of(number), size, delay if slow else 0.0))
    return pages
