"""The command line of `scripts/openstack`."""

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from openstack_suite.places import CHECKOUT, Places, UnavailableError, prepare, say
from openstack_suite.report import HEAD, differences, row
from openstack_suite.running import Results, run
from openstack_suite.suites import SUITES, Suite
from openstack_suite.swift_cluster import main as swift_cluster

SIDES = ("eventlet", "greening")


def options(arguments: list[str]) -> argparse.Namespace:
    """What the user wants."""
    parser = argparse.ArgumentParser(prog="scripts/openstack", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="run these only; part of a name will do")
    parser.add_argument("--list", action="store_true", help="print the names of the suites")
    parser.add_argument("--quick", action="store_true", help="the quick suites, both sides at a time")
    parser.add_argument("--swift-cluster", nargs=argparse.REMAINDER, metavar="OPTION", help="a real Swift under load")
    parser.add_argument(
        "--results", type=Path, default=CHECKOUT / ".venvs" / "openstack-results", help="folder for records and logs"
    )
    return parser.parse_args(arguments)


def chosen(wanted: argparse.Namespace) -> list[Suite]:
    """The suites to run."""
    found = [suite for suite in SUITES if suite.quick or not wanted.quick]
    if wanted.suites:
        found = [suite for suite in found if any(part in suite.name for part in wanted.suites)]
    elif not wanted.quick:
        found = [suite for suite in found if "quick part" not in suite.name]
    return found


def compare(suite: Suite, both: list[Results]) -> tuple[str, list[str]]:
    """The line of the table, and what differs without a reason."""
    found = list(differences(suite, *both))
    for difference in found:
        say(str(difference))
    unexplained = [str(difference) for difference in found if difference.reason is None]
    unexplained += [
        f"{suite.name}: no test ran on {side}, see {results.log}"
        for side, results in zip(SIDES, both, strict=True)
        if not results.tests
    ]
    return row(suite, *both, len(found)), unexplained


def settle(suite: Suite, both: list[Results], places: Places, folder: Path) -> list[Results]:
    """What both came to when the tests that differ without a reason are run once more, by themselves.

    Some of Swift's tests corrupt a file at random or count milliseconds: such a one does not differ twice.
    """
    tests = [found.test for found in differences(suite, *both) if found.reason is None]
    if not tests or suite.runner == "program":
        return both
    say(f"{suite.name}: once more: {', '.join(tests)}")
    again = replace(suite, name=f"{suite.name} again", targets=tuple(test.partition("(")[0] for test in tests))
    second = [run(again, side, places, folder) for side in SIDES]
    return [
        replace(first, tests={**first.tests, **{test: after.tests[test] for test in tests if test in after.tests}})
        for first, after in zip(both, second, strict=True)
    ]


def main(arguments: list[str]) -> int:
    """Run what is wanted. Returns 1 if there is a difference that nobody has explained, 69 if pip cannot install."""
    wanted = options(arguments)
    suites = chosen(wanted)
    if wanted.list:
        print(*(suite.name for suite in suites), sep="\n")
        return 0
    try:
        places = prepare(wanted.quick)
    except UnavailableError as error:
        say(str(error))
        return os.EX_UNAVAILABLE
    if wanted.swift_cluster is not None:
        return swift_cluster(wanted.swift_cluster, places)
    rows, unexplained = [], []
    with ThreadPoolExecutor(len(SIDES) if wanted.quick else 1) as pool:
        for suite in suites:
            say(suite.name)
            # Among other work a program may starve for a second: what differs by that does so once.
            for _ in range(2 if wanted.quick else 1):
                both = list(pool.map(lambda side, suite=suite: run(suite, side, places, wanted.results), SIDES))
                if not wanted.quick:
                    both = settle(suite, both, places, wanted.results)
                line, more = compare(suite, both)
                if not more:
                    break
            print(line, file=sys.stderr)
            rows.append(line)
            unexplained += more
    print(HEAD, *rows, sep="\n")
    if unexplained:
        print("\nNot explained:", *unexplained, sep="\n  ")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
