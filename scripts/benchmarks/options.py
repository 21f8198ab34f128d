"""The command line. Names are checked here, so that a misspelt row is an error that lists the rows."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from benchmarks.ext_rows import EXT
from benchmarks.peers import PEERS, Peer, with_earlier
from benchmarks.rows import ROWS, Row

T = TypeVar("T")

PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for; `seconds` is the length of one sample of one peer."""

    rows: tuple[Row, ...]
    peers: tuple[Peer, ...]
    rounds: int
    seconds: float
    json: Path | None
    plot: Path | None
    against: Path | None
    list: bool


def parse(arguments: list[str]) -> Options:
    """Read the command line; exits with status 2 and a message on nonsense, as argparse does."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure greening against its peers: CPU time of the serving process per operation, peers "
        "interleaved and repeated, medians. Everything stays on loopback; the peers live in .venvs/bench-*.",
    )
    parser.add_argument(
        "--rows", default="*", help='names, patterns or families, e.g. "echo-1*,patched" (default: all)'
    )
    parser.add_argument("--peers", default="*", help='names or patterns, e.g. "greening,gevent" (default: all)')
    parser.add_argument("--rounds", type=_positive, help="samples of each peer (default: 9, quick: 3)")
    parser.add_argument(
        "--quick", action="store_true", help="3 rounds of short samples: less than five minutes, noisier"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample, and the machine, to FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the ratios to FILE (.png, .svg, .pdf)")
    parser.add_argument(
        "--against", type=Path, metavar="PATH", help="measure the checkout in PATH as well, in the same rounds"
    )
    parser.add_argument(
        "--ext", action="store_true", help="the rows of the integrations, against real servers, instead"
    )
    parser.add_argument("--list", action="store_true", help="show the rows and the peers, measure nothing")
    given = parser.parse_args(arguments)
    for option, path in (("--json", given.json), ("--plot", given.plot)):
        if path is not None and not path.resolve().parent.is_dir():
            parser.error(f"{option}: no directory {path.resolve().parent}")
    if given.plot is not None and given.plot.suffix not in PICTURES:
        parser.error(f"--plot: the name must end with one of {', '.join(PICTURES)}")
    against = given.against and given.against.resolve()
    if against is not None and not (against / "greening" / "__init__.py").is_file():
        parser.error(f"--against: no checkout of greening in {against}")
    try:
        known = EXT if given.ext else ROWS
        rows = _choose(given.rows, {row.name: row for row in known}, {row.name: row.family for row in known}, "row")
        peers = _choose(given.peers, {peer.name: peer for peer in PEERS}, {}, "peer")
    except ValueError as error:
        parser.error(str(error))
    if against is not None:
        peers = with_earlier(peers, against)
    rounds = given.rounds or (3 if given.quick else 9)
    seconds = 0.05 if given.quick else 0.4
    return Options(rows, peers, rounds, seconds, given.json, given.plot, against, given.list)


def _choose(patterns: str, known: dict[str, T], groups: dict[str, str], what: str) -> tuple[T, ...]:
    """Return those whose name, or group, fits one of the patterns, in the order of `known`."""
    wanted = [pattern.strip() for pattern in patterns.split(",") if pattern.strip()]
    fits = {
        name: {pattern for pattern in wanted if fnmatchcase(name, pattern) or groups.get(name) == pattern}
        for name in known
    }
    for pattern in wanted:
        if not any(pattern in hits for hits in fits.values()):
            raise ValueError(f"no {what} is called {pattern!r}; there are: {', '.join(known)}")
    return tuple(value for name, value in known.items() if fits[name])


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a positive number")
    return number
