"""From the command line to the table. Status 0: as the ledger says; 1: not so; 69: this Python cannot be used."""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import time
from pathlib import Path

from stdlib_suite import ledger, plan, report, suite
from stdlib_suite.baseline import Baseline
from stdlib_suite.interpreter import CannotRun, look_at

CHECKOUT = Path(__file__).resolve().parents[2]
LEDGER = CHECKOUT / "tests" / "stdlib" / "ledger.toml"
CACHE = CHECKOUT / ".venvs" / "caches" / "stdlib"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; exits with status 2 and a message on nonsense, as argparse does."""
    parser = argparse.ArgumentParser(
        prog="scripts/stdlib",
        description="Run CPython's own tests, unpatched and after monkey_patch(), and compare what differs with "
        "tests/stdlib/ledger.toml. The unpatched results are kept in .venvs/caches/stdlib.",
    )
    parser.add_argument(
        "--python", default=sys.executable, help="the interpreter to run (default: $PYTHON's, see head)"
    )
    parser.add_argument("--modules", default="", help='e.g. "test_socket,test_asyncio.test_events" (default: all)')
    parser.add_argument("--fast", action="store_true", help="leave out the modules that take long")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="modules at a time (default: 2)")
    parser.add_argument(
        "--lazy", action="store_true", help="patched first, unpatched only what does not pass: half the time"
    )
    parser.add_argument("--fresh", action="store_true", help="run the unpatched half again")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all results to FILE, as JSON")
    parser.add_argument("--update-proposal", action="store_true", help="print what to add to the ledger, and to remove")
    parser.add_argument("--quiet", action="store_true", help="only the table and what differs")
    given = parser.parse_args(arguments)
    try:
        given.wanted = plan.chosen(filter(None, given.modules.split(",")), given.fast)
        given.lines = ledger.read(LEDGER)
    except (ValueError, ledger.BadLedger) as error:
        parser.error(str(error))
    return given


def main() -> int:
    """Run it."""
    # A shell's background jobs ignore these, and so would all tests.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    options = parse(sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    try:
        python = look_at(options.python)
    except CannotRun as error:
        print(f"scripts/stdlib: {error}", file=sys.stderr)
        return 69
    began = time.monotonic()

    def say(text: str) -> None:
        if not options.quiet:
            print(f"[{time.monotonic() - began:4.0f} s] {text}", flush=True)

    missing: list[str] = []
    units = suite.units_for(options.wanted, python, missing)
    baseline = Baseline(python, CACHE, options.fresh)
    apart = frozenset(line.id for line in options.lines if python.version in line.versions)
    results = suite.run_all(units, baseline, suite.Way(CHECKOUT, options.jobs, options.lazy, apart), say)
    suite.look_again(results, python, CHECKOUT, say)

    verdicts = [verdict for result in results for verdict in result.verdicts]
    outcomes = {name: outcome for result in results for name, outcome in result.now.items()}
    judgement = ledger.judge(options.lines, python.version, verdicts, outcomes)
    print(f"CPython {python.build}")
    print(*report.table(results, judgement), *report.details(judgement), sep="\n")
    if missing:
        print(f"\nthis Python does not have {', '.join(missing)}")
    print(f"\n{time.monotonic() - began:.0f} s in all")
    if options.out is not None:
        report.write_json(options.out, python, results, judgement)
    if options.update_proposal:
        print("\n" + ledger.proposal(judgement, python.version, options.lines))
    return int(judgement.fails)


if __name__ == "__main__":
    sys.exit(main())
