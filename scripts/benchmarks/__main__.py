"""From the command line to the table. Status 0: measured; 1: a peer broke in a row; 2: could not measure at all."""

from __future__ import annotations

import sys

from benchmarks.environment import describe, prepare
from benchmarks.measure import Result, measure
from benchmarks.options import Options, parse
from benchmarks.peers import BASE, PEERS
from benchmarks.processes import BenchError
from benchmarks.report import mark_lines, row_lines, write_json
from benchmarks.rows import ROWS


def main() -> int:
    """Run it."""
    options = parse(sys.argv[1:])
    if options.list:
        return show_lists()
    try:
        return run(options)
    except BenchError as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 2


def run(options: Options) -> int:
    """Measure the chosen rows, printing each when it is done; an interrupt ends it with what there is."""
    machine = prepare(options.peers)
    for name, reason in machine.missing.items():
        print(f"without {name}: {reason}")
    about = describe(machine)
    print(f"{about['cpu']}, Linux {about['kernel']}, CPython {about['python']}, commit {about['commit']}")
    print(", ".join(f"{name} {version}" for name, version in machine.versions.items()))
    print(f"rounds: {options.rounds}, {options.seconds} s each; load average before: {about['load_average']:.2f}\n")
    results: list[Result] = []
    status = 0
    try:
        for row in options.rows:
            result = measure(machine, row, options.peers, options.rounds, options.seconds)
            if not result.samples and not result.failed:
                continue
            results.append(result)
            print("\n".join(row_lines(result)) + "\n", flush=True)
            status |= bool(result.failed)
    except KeyboardInterrupt:
        print("interrupted; the rows above are whole", file=sys.stderr)
        status = 130
    if marks := list(mark_lines(results)):
        print("marks (median of the rounds):", *marks, "", sep="\n")
    print(*(f"note: {note}" for note in machine.notes), sep="\n", end="\n" if machine.notes else "")
    if options.json is not None:
        write_json(options.json, about, results)
        print(f"written: {options.json}")
    return status


def show_lists() -> int:
    """Print what can be asked for."""
    print("rows:", *(f"  {row.name:<18} {row.title}" for row in ROWS), sep="\n")
    print("peers:", *(f"  {peer.name:<18} {peer.about}" for peer in PEERS), sep="\n")
    print(f"ratios are to {BASE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
