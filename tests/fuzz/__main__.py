"""The command line of `scripts/fuzz`. Status 0: all is well; 1: not, with a reproducer; 2: it cannot run."""

import argparse
import random
import sys
from time import monotonic

from tests.fuzz.differential import compare
from tests.fuzz.peers import NoServer
from tests.fuzz.targets import TARGETS

_EVERY = 10.0  # seconds between signs of life
_ABOUT = "\n".join(f"  {name:12s}{(target.__doc__ or '').strip()}" for name, target in TARGETS.items())
_AGAINST = """
--against: the same requests go to other servers, too, each a process with one worker: greening.wsgi, gunicorn (thread
workers), waitress, and h11 (uvicorn). A table says how many first requests each accepts and refuses, and how many it
understands otherwise than greening.wsgi; examples follow. A difference is no fault: they are to be looked at.

--behind: each attack goes through a proxy that keeps connections to greening.wsgi open for all its clients (nginx and
haproxy of the system's packages), and is followed by a victim, who has to get its own answer.
"""


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description="Random input, the same for the same seed, against greening.wsgi and greening.websocket.",
        epilog=f"targets:\n{_ABOUT}\n{_AGAINST}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="which (default: all)")
    parser.add_argument("--count", type=int, default=2000, help="requests, streams or handshakes (default: 2,000)")
    parser.add_argument("--seed", type=int, help="default: a random one, which is printed")
    parser.add_argument("--against", default="", metavar="SERVERS", help="gunicorn,waitress,h11 or some of them")
    parser.add_argument("--behind", default="", metavar="PROXIES", help="nginx,haproxy or one of them")
    given = parser.parse_args()
    if unknown := set(given.targets) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    print(f"seed {seed}")
    if given.against or given.behind:
        try:
            return compare(seed, given.count, _names(given.against), _names(given.behind))
        except NoServer as error:
            print(f"scripts/fuzz: {error}", file=sys.stderr)
            return 2
    return max([run(name, seed, given.count) for name in given.targets or TARGETS])


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def run(name: str, seed: int, count: int) -> int:
    """Try one target. Returns the exit status."""
    began = told = monotonic()

    def progress(number: int) -> None:
        nonlocal told
        if monotonic() - told > _EVERY:
            told = monotonic()
            print(f"{name}: {number:,}", flush=True)

    wrong = TARGETS[name](seed, count, progress)
    if wrong:
        print(f"{name}: something is wrong, with --seed {seed}:\n{wrong}")
        return 1
    print(f"{name}: {count:,} in {monotonic() - began:.0f} s, nothing is wrong")
    return 0


if __name__ == "__main__":
    sys.exit(main())
